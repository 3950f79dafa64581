#include "core/runs/pace.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/runs/evidence.h"

namespace planner::runs {
namespace {

constexpr absl::Time kStart = absl::FromUnixSeconds(1'767'225'600);
/// 1,000 steps of 10 s and 4,000 tokens.
const Planned kPlanned = {.start = kStart,
                          .steps = 1000,
                          .tokens_per_step = 4000,
                          .step = absl::Seconds(10),
                          .total = absl::Seconds(10'000),
                          .low = absl::Seconds(8'500),
                          .high = absl::Seconds(11'765)};

Sample At(double seconds, int64_t step) { return {.time = kStart + absl::Seconds(seconds), .step = step}; }

double StepOf(const std::vector<Sample>& samples) { return absl::ToDoubleSeconds(PaceOf(samples, kPlanned).step); }

TEST(PaceOf, NothingSaysNothing) {
  EXPECT_FALSE(PaceOf({}, kPlanned).is_measured());
  EXPECT_FALSE(PaceOf({At(0, 0)}, kPlanned).is_measured());
  EXPECT_FALSE(PaceOf({At(0, 0), At(60, 0)}, kPlanned).is_measured());
}

TEST(PaceOf, TheWorkedNumbers) {
  EXPECT_DOUBLE_EQ(StepOf({At(1000, 50), At(1500, 100)}), 15);
  EXPECT_DOUBLE_EQ(StepOf({At(1000, 50), At(1500, 100), At(2000, 150)}), 10);
}

TEST(PaceOf, OneReportIsMeasuredFromTheStart) {
  const Pace pace = PaceOf({At(1200, 100)}, kPlanned);
  EXPECT_DOUBLE_EQ(absl::ToDoubleSeconds(pace.step), 12);
  EXPECT_DOUBLE_EQ(pace.steps, 100);
  EXPECT_DOUBLE_EQ(pace.first_step, 0);
}

TEST(PaceOf, AFirstReportTooFarGoesOnFromACheckpoint) {
  const Pace one = PaceOf({At(60, 500)}, kPlanned);
  EXPECT_FALSE(one.is_measured());
  EXPECT_DOUBLE_EQ(one.first_step, 500);
  const Pace two = PaceOf({At(60, 500), At(180, 510)}, kPlanned);
  EXPECT_DOUBLE_EQ(absl::ToDoubleSeconds(two.step), 12);
  EXPECT_DOUBLE_EQ(two.steps, 10);
  // Four times as fast is a fast run; more is none.
  EXPECT_DOUBLE_EQ(PaceOf({At(250, 100)}, kPlanned).first_step, 0);
  EXPECT_DOUBLE_EQ(PaceOf({At(249, 100)}, kPlanned).first_step, 100);
}

TEST(PaceOf, AWrongStepIsForgottenOnceItIsPutRight) {
  // At first: it looked like a checkpoint.
  const Pace first = PaceOf({At(10, 900'000), At(120, 10), At(240, 20)}, kPlanned);
  EXPECT_DOUBLE_EQ(first.first_step, 10);
  EXPECT_DOUBLE_EQ(absl::ToDoubleSeconds(first.step), 12);
  // And later: 120, written as 1,200. While nobody corrects it, it counts.
  EXPECT_LT(StepOf({At(1200, 100), At(1440, 1200)}), 1);
  const Pace later = PaceOf({At(1200, 100), At(1440, 1200), At(1500, 125), At(1800, 150)}, kPlanned);
  EXPECT_DOUBLE_EQ(absl::ToDoubleSeconds(later.step), 12);
  EXPECT_DOUBLE_EQ(later.steps, 125);
}

TEST(PaceOf, EachStepCountsOnce) {
  // One step of 100 s, nine of 10 s, ten of 20 s: as many below as above.
  EXPECT_DOUBLE_EQ(StepOf({At(100, 1), At(190, 10), At(390, 20)}), 20);
  EXPECT_DOUBLE_EQ(StepOf({At(100, 10), At(300, 20)}), 15);
}

TEST(PaceOf, RestartsAndOutagesAreNoSteps) {
  // 12 s a step; back from 300 to 250 by a restart that took 1,000 s; then an hour in which two steps were done.
  std::vector<Sample> samples;
  double time = 0;
  for (int64_t step = 0; step <= 300; step += 10) samples.push_back(At(time = 12.0 * static_cast<double>(step), step));
  time += 1000;
  for (int64_t step = 250; step <= 400; step += 10) {
    samples.push_back(At(time, step));
    time += 120;
  }
  samples.push_back(At(time + 3600, 402));
  const Pace pace = PaceOf(samples, kPlanned);
  EXPECT_DOUBLE_EQ(absl::ToDoubleSeconds(pace.step), 12);
  EXPECT_DOUBLE_EQ(pace.steps, 300 + 150 + 2);
}

TEST(PaceOf, WithoutPairsTheReportedRateSaysIt) {
  Sample sample = At(10, 500);
  sample.tokens_per_second = 320;
  EXPECT_DOUBLE_EQ(StepOf({sample}), 12.5);
  sample.tokens_per_second = 0;
  EXPECT_FALSE(PaceOf({sample}, kPlanned).is_measured());
}

TEST(PaceOf, APlanWithoutAnEndHasAPaceToo) {
  Planned endless = kPlanned;
  endless.steps = 0;
  endless.total = endless.low = endless.high = absl::ZeroDuration();
  EXPECT_EQ(PaceOf({At(100, 10), At(220, 20)}, endless).step, absl::Seconds(11));
}

TEST(IsEvidence, NeedsSteadySteps) {
  const auto evidence = [](double seconds, int64_t step, bool has_succeeded) {
    return IsEvidence(PaceOf({At(seconds, step)}, kPlanned), static_cast<double>(step), kPlanned, has_succeeded);
  };
  EXPECT_TRUE(evidence(1200, 101, false));
  EXPECT_FALSE(evidence(1200, 100, false));  // The first tenth.
  EXPECT_TRUE(evidence(1200, 100, true));
  EXPECT_TRUE(evidence(240, 20, true));
  EXPECT_FALSE(evidence(240, 19, true));
  EXPECT_TRUE(evidence(50'000, 500, true));
  EXPECT_FALSE(evidence(50'001, 500, true));  // Ten times as long.
  EXPECT_FALSE(IsEvidence({}, 500, kPlanned, true));
}

}  // namespace
}  // namespace planner::runs
