#include "core/runs/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/runs/drift.h"

namespace planner::runs {
namespace {

constexpr absl::Time kStart = absl::FromUnixSeconds(1'767'225'600);  // 2026-01-01T00:00:00Z.
const Planned kPlanned = {.start = kStart,
                          .steps = 1000,
                          .tokens_per_step = 4000,
                          .step = absl::Seconds(10),
                          .total = absl::Seconds(10'000),
                          .low = absl::Seconds(8'500),
                          .high = absl::Seconds(11'765)};

double SecondsOf(absl::Time time) { return absl::ToDoubleSeconds(time - kStart); }

TEST(Forecast, IsThePlanWhileNothingIsMeasured) {
  const Forecast plan = PlannedForecast(kPlanned, 0);
  EXPECT_NEAR(SecondsOf(plan.finish), 10'000, 1e-3);
  EXPECT_NEAR(SecondsOf(plan.low), 8'500, 1e-3);
  EXPECT_NEAR(SecondsOf(plan.high), 11'765, 1e-3);
  const Forecast half = PlannedForecast(kPlanned, 500);
  EXPECT_NEAR(SecondsOf(half.finish), 5'000, 1e-3);
  EXPECT_NEAR(SecondsOf(half.high), 5'882.5, 1e-3);
}

TEST(Forecast, TheWorkedNumber) {
  const Forecast forecast = ForecastAt(kStart + absl::Seconds(3000), 250, kPlanned, {.step = absl::Seconds(12), .steps = 250});
  EXPECT_NEAR(SecondsOf(forecast.finish), 3000 + 8814, 1);
  EXPECT_NEAR(SecondsOf(forecast.low), 3000 + 8343, 1);
  EXPECT_NEAR(SecondsOf(forecast.high), 3000 + 9312, 1);
}

TEST(Forecast, TheLastStepIsTheEnd) {
  const absl::Time end = kStart + absl::Seconds(12'345);
  for (const double step : {1000.0, 1001.0, 1e9}) {
    const Forecast forecast = ForecastAt(end, step, kPlanned, {.step = absl::Seconds(12), .steps = step});
    EXPECT_EQ(forecast.finish, end);
    EXPECT_EQ(forecast.low, end);
    EXPECT_EQ(forecast.high, end);
  }
}

TEST(Forecast, APlanWithoutAnIntervalHasOne) {
  Planned given = kPlanned;
  given.low = given.high = given.total;
  const Forecast plan = PlannedForecast(given, 0);
  EXPECT_NEAR(SecondsOf(plan.low), 10'000 / 1.2, 1);
  EXPECT_NEAR(SecondsOf(plan.high), 12'000, 1);
}

TEST(Progress, IsOfAllSteps) {
  EXPECT_DOUBLE_EQ(ProgressOf(250, kPlanned), 0.25);
  EXPECT_DOUBLE_EQ(ProgressOf(1200, kPlanned), 1);
  EXPECT_DOUBLE_EQ(PlannedProgressAt(kStart + absl::Seconds(3000), kPlanned, 0), 0.3);
  EXPECT_DOUBLE_EQ(PlannedProgressAt(kStart + absl::Seconds(3000), kPlanned, 500), 0.8);
  EXPECT_DOUBLE_EQ(PlannedProgressAt(kStart - absl::Seconds(1), kPlanned, 0), 0);
  EXPECT_DOUBLE_EQ(PlannedProgressAt(kStart + absl::Hours(10), kPlanned, 0), 1);
  EXPECT_DOUBLE_EQ(FirstStepOf(kStart + absl::Seconds(3000), kPlanned, 0.8), 500);
  EXPECT_EQ(FirstStepOf(kStart + absl::Seconds(3000), kPlanned, 0.3), 0);
  EXPECT_EQ(FirstStepOf(kStart + absl::Hours(10), kPlanned, 1), 0);
  EXPECT_DOUBLE_EQ(FirstStepOf(kStart + absl::Seconds(7000), kPlanned, 1), 300);  // Or later: it was to be done.
  Planned endless = kPlanned;
  endless.steps = 0;
  EXPECT_DOUBLE_EQ(ProgressOf(250, endless), 0);
  EXPECT_DOUBLE_EQ(PlannedProgressAt(kStart + absl::Seconds(3000), endless, 0), 0);
  EXPECT_EQ(FirstStepOf(kStart + absl::Seconds(3000), endless, 0.8), 0);
}

TEST(Drift, IsOfTheInterval) {
  const Forecast plan = PlannedForecast(kPlanned, 0);
  EXPECT_EQ(DriftOf(plan.high, plan), Drift::kOnPlan);
  EXPECT_EQ(DriftOf(plan.high + absl::Seconds(1), plan), Drift::kLate);
  EXPECT_EQ(DriftOf(plan.low, plan), Drift::kOnPlan);
  EXPECT_EQ(DriftOf(plan.low - absl::Seconds(1), plan), Drift::kEarly);
}

TEST(Patience, IsTenReportsAndTenMinutes) {
  EXPECT_EQ(PatienceOf({kStart, kStart + absl::Hours(1), 12}), absl::Minutes(50));
  EXPECT_EQ(PatienceOf({kStart, kStart + absl::Minutes(1), 60}), absl::Minutes(10));
  EXPECT_EQ(PatienceOf({kStart, kStart + absl::Hours(1), 0}), absl::Hours(10));
}

TEST(StillRunning, WhatIsSilentLosesTime) {
  const absl::Time newest = kStart + absl::Hours(1);
  const Reports reports = {kStart, newest, 60};  // Every minute: patience of 10 minutes.
  const Forecast forecast = {newest + absl::Hours(2), newest + absl::Hours(1), newest + absl::Hours(3)};
  const auto at = [&](absl::Duration later) { return StillRunning(forecast, reports, newest + later); };
  EXPECT_EQ(at(absl::Minutes(10)).finish, forecast.finish);
  EXPECT_EQ(at(absl::Minutes(25)).finish, forecast.finish + absl::Minutes(15));
  EXPECT_EQ(at(absl::Minutes(25)).low, forecast.low + absl::Minutes(15));
  EXPECT_EQ(at(absl::Minutes(25)).high, forecast.high + absl::Minutes(15));
  // At the last step there is nothing left but to say so.
  const Forecast ended = {newest, newest, newest};
  EXPECT_EQ(StillRunning(ended, reports, newest + absl::Minutes(5)).finish, newest + absl::Minutes(5));
  EXPECT_EQ(StillRunning(ended, reports, newest).finish, newest);
}

TEST(DriftText, SaysHowMuchAndUntilWhen) {
  const absl::Time planned = kStart + absl::Hours(30);
  EXPECT_EQ(DriftText(1.12, kStart + absl::Hours(34), planned, false),
            "12 % slower than planned: finishes 2026-01-02 10:00 UTC instead of 2026-01-02 06:00 UTC");
  EXPECT_EQ(DriftText(0.9, kStart + absl::Hours(27), planned, true),
            "10 % faster than planned: finished 2026-01-02 03:00 UTC instead of 2026-01-02 06:00 UTC");
  EXPECT_EQ(DriftText(1.001, planned, planned, false),
            "as fast as planned: finishes 2026-01-02 06:00 UTC instead of 2026-01-02 06:00 UTC");
  EXPECT_EQ(DriftText(4, planned, planned, false),
            "takes 4 times the planned time of a step: finishes 2026-01-02 06:00 UTC instead of 2026-01-02 06:00 UTC");
  EXPECT_EQ(DriftText(0, planned, planned, false), "finishes 2026-01-02 06:00 UTC instead of 2026-01-02 06:00 UTC");
}

TEST(StallText, SaysSinceWhen) {
  EXPECT_EQ(StallText({kStart, kStart + absl::Hours(1), 12}, kStart + absl::Minutes(190)),
            "nothing has been reported since 2026-01-01 01:00 UTC, for 2h10m; before, a report came every 5m");
  EXPECT_EQ(StallText({kStart, kStart, 1}, kStart + absl::Minutes(12)), "nothing has been reported since 2026-01-01 00:00 UTC, for 12m");
}

}  // namespace
}  // namespace planner::runs
