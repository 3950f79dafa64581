#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "services/server/fake_plan.h"
#include "services/server/runs_fixture.h"

namespace planner::server {
namespace {

using store::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST_F(RunsTest, ProgressIsPlannedBesideActual) {
  // 250 steps of 12 s in place of 10: the worked number of core/runs/forecast.h.
  const v1::Run run = Train(MustStart(), 12, 250);
  const v1::ActualRun& actual = run.actual();
  EXPECT_EQ(actual.last().step(), 250);
  EXPECT_DOUBLE_EQ(actual.last().token_count(), 1e6);
  EXPECT_NEAR(actual.last().tokens_per_second(), 333.3, 0.1);
  EXPECT_DOUBLE_EQ(actual.progress_ratio(), 0.25);
  EXPECT_DOUBLE_EQ(actual.planned_progress_ratio(), 0.3);
  EXPECT_DOUBLE_EQ(SecondsOf(actual.step_duration()), 12);
  EXPECT_NEAR(actual.tokens_per_second(), 333.3, 0.1);
  EXPECT_NEAR(actual.model_flops_utilization(), 0.4 / 1.2, 1e-9);
  EXPECT_NEAR(actual.step_ratio(), 1.2, 1e-9);
  EXPECT_NEAR(SecondsOf(actual.predicted_finish_time()), 11'814, 1);
  EXPECT_NEAR(SecondsOf(actual.predicted_finish_time_low()), 11'343, 1);
  EXPECT_NEAR(SecondsOf(actual.predicted_finish_time_high()), 12'312, 1);
  EXPECT_NEAR(actual.gpu_hours(), 8 * 3000 / 3600.0, 1e-9);
  EXPECT_NEAR(actual.cost(), 2 * 8 * 3000 / 3600.0, 1e-6);
  EXPECT_EQ(actual.report_count(), 26);
  EXPECT_EQ(actual.drift(), v1::ActualRun::LATE);
  EXPECT_EQ(actual.drift_reason(), "20 % slower than planned: finishes 2026-01-01 03:16 UTC instead of 2026-01-01 02:46 UTC");
  const v1::Run got = Get(run);
  EXPECT_THAT(got.samples(), SizeIs(26));
  EXPECT_DOUBLE_EQ(got.samples(1).token_count(), 40'000);
  EXPECT_NEAR(got.samples(1).tokens_per_second(), 333.3, 0.1);
}

TEST_F(RunsTest, WhatIsWrongIsRefusedAndNamedAndTheRestIsTaken) {
  const v1::Run run = MustStart();
  MoveTo(1000);
  std::vector<v1::ProgressSample> samples(11, At(900, 50));
  samples[0].set_loss(std::nan(""));
  samples[1].set_loss(std::numeric_limits<double>::infinity());
  samples[2].set_tokens_per_second(-1);
  samples[3].set_step(-1);
  samples[4].set_gpu_utilization_ratio(1.01);
  samples[5].set_token_count(std::nan(""));
  samples[6] = At(1061, 50);
  samples[7] = At(-1, 50);
  samples[8].clear_step();
  samples[9].mutable_time()->set_nanos(-1);
  samples[10].set_loss(-2.5);
  const absl::StatusOr<ReportOutcome> outcome = Report(run, samples);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->accepted, 1);
  EXPECT_EQ(outcome->refused, 10);
  EXPECT_THAT(outcome->refusals,
              ElementsAre("samples[0].loss: must be a number: loss=nan", "samples[1].loss: must be a number: loss=inf",
                          "samples[2].tokens_per_second: must not be negative: tokens_per_second=-1",
                          "samples[3].step: must be at least 0: step=-1", StartsWith("samples[4].gpu_utilization_ratio: must be at most 1"),
                          "samples[5].token_count: must be a number: token_count=nan",
                          "samples[6].time: lies in the future: 2026-01-01T00:17:41+00:00 is after now, 2026-01-01T00:16:40+00:00",
                          "samples[7].time: lies before the run: 2025-12-31T23:59:59+00:00 is before its start, 2026-01-01T00:00:00+00:00",
                          "samples[8].step: is missing, and so is token_count", StartsWith("samples[9].time.nanos: ")));
  EXPECT_EQ(outcome->run.actual().last().loss(), -2.5);
  EXPECT_EQ(outcome->run.actual().report_count(), 1);
  // Tokens that are written as steps.
  EXPECT_THAT(Report(run, {At(900, 200'000'000)})->refusals,
              ElementsAre("samples[0].step: is far beyond the 1000 of the plan; are these tokens or samples? step=200000000"));
  // A minute ahead is a clock, not the future. At most 20 refusals are told.
  EXPECT_EQ(Report(run, {At(1060, 51)})->accepted, 1);
  EXPECT_THAT(Report(run, std::vector<v1::ProgressSample>(100, At(-1, 1)))->refusals, SizeIs(kMostRefusals));
}

TEST_F(RunsTest, TokensTellTheStep) {
  const v1::Run run = MustStart();
  MoveTo(1000);
  v1::ProgressSample sample = At(1000, 0);
  sample.clear_step();
  sample.set_token_count(400'000);
  EXPECT_EQ(Report(run, {sample})->run.actual().last().step(), 100);
}

TEST_F(RunsTest, NothingReportedIsNoReport) {
  const v1::Run run = MustStart();
  const absl::StatusOr<ReportOutcome> outcome = Report(run, {});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->accepted, 0);
  EXPECT_EQ(outcome->run.etag(), run.etag());
}

TEST_F(RunsTest, StepsBeyondThePlanAreTakenAndSaid) {
  const v1::Run run = Train(MustStart(), 10, 1200);
  EXPECT_DOUBLE_EQ(run.actual().progress_ratio(), 1);
  EXPECT_EQ(SecondsOf(run.actual().predicted_finish_time()), 12'000);
  EXPECT_EQ(SecondsOf(run.actual().predicted_finish_time_high()), 12'000);
  EXPECT_THAT(run.actual().drift_reason(), HasSubstr("step 1200 is beyond the 1000 of the plan"));
}

TEST_F(RunsTest, ReportsSentAgainChangeNothing) {
  const v1::Run run = Train(MustStart(), 10, 500);
  const v1::Run again = Train(run, 10, 500);
  EXPECT_EQ(again.etag(), run.etag());
  EXPECT_EQ(again.actual().report_count(), 51);
}

TEST_F(RunsTest, OrderDoesNotMatter) {
  const v1::Run one = MustStart();
  const v1::Run other = MustStart();
  MoveTo(5000);
  for (int64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(Report(one, {At(static_cast<double>(100 * i), 10 * i)}).ok());
    ASSERT_TRUE(Report(other, {At(static_cast<double>(100 * (49 - i)), 10 * (49 - i))}).ok());
  }
  EXPECT_EQ(Get(one).actual().SerializeAsString(), Get(other).actual().SerializeAsString());
}

TEST_F(RunsTest, ARunThatIsSilentIsStalled) {
  v1::Run run = Train(MustStart(), 10, 500);  // A report each 100 s: patience of 1,000 s.
  EXPECT_EQ(run.actual().drift(), v1::ActualRun::ON_PLAN);
  const double finish = SecondsOf(run.actual().predicted_finish_time());
  MoveTo(5000 + 980);
  EXPECT_EQ(Get(run).actual().drift(), v1::ActualRun::ON_PLAN);
  EXPECT_EQ(SecondsOf(Get(run).actual().predicted_finish_time()), finish);
  MoveTo(5000 + 2000);
  EXPECT_EQ(Get(run).actual().drift(), v1::ActualRun::STALLED);
  EXPECT_EQ(Get(run).actual().drift_reason(),
            "nothing has been reported since 2026-01-01 01:23 UTC, for 33m; before, a report came every 1m38s");
  // What is lost by now is in the prediction.
  EXPECT_GT(SecondsOf(Get(run).actual().predicted_finish_time()), finish + 900);
  // It goes on.
  ASSERT_TRUE(Report(run, {At(7000, 510)}).ok());
  EXPECT_NE(Get(run).actual().drift(), v1::ActualRun::STALLED);
}

TEST_F(RunsTest, ARunThatNeverReportsIsLateInTheEnd) {
  const v1::Run run = MustStart();
  MoveTo(11'000);
  EXPECT_EQ(Get(run).actual().drift(), v1::ActualRun::DRIFT_UNSPECIFIED);
  EXPECT_EQ(SecondsOf(Get(run).actual().predicted_finish_time()), 11'000);
  MoveTo(11'766);
  EXPECT_EQ(Get(run).actual().drift(), v1::ActualRun::LATE);
}

TEST_F(RunsTest, APlanWithoutAnEndHasRates) {
  v1::Plan plan = FakePlan();
  v1::Recommendation& best = *plan.mutable_estimate()->mutable_recommendations(0);
  plan.mutable_estimate()->set_token_count(0);
  best.set_step_count(0);
  best.clear_total_duration();
  best.clear_total_duration_low();
  best.clear_total_duration_high();
  PutPlan("endless", plan);
  const v1::Run started = MustStart("run { plan: 'endless' }");
  EXPECT_FALSE(started.planned().has_finish_time());
  EXPECT_FALSE(started.actual().has_predicted_finish_time());
  const v1::Run run = Train(started, 8, 100);
  EXPECT_NEAR(run.actual().step_ratio(), 0.8, 1e-9);
  EXPECT_NEAR(run.actual().tokens_per_second(), 500, 1e-6);
  EXPECT_EQ(run.actual().progress_ratio(), 0);
  EXPECT_FALSE(run.actual().has_predicted_finish_time());
  EXPECT_EQ(run.actual().drift(), v1::ActualRun::DRIFT_UNSPECIFIED);
  EXPECT_TRUE(Finish(run).ok());
}

TEST_F(RunsTest, ARecordStaysSmall) {
  const v1::Run run = MustStart("run { plan: 'p1' start_time { seconds: 1735689600 } description: '" + std::string(1000, 'x') + "' }");
  std::vector<v1::ProgressSample> samples;
  int64_t step = 0;
  for (int batch = 0; batch < 200; ++batch) {
    samples.clear();
    for (int i = 0; i < 1000; ++i, ++step) {
      v1::ProgressSample sample = At(-31'000'000 + 150 * static_cast<double>(step), step);
      sample.set_token_count(static_cast<double>(step) * 4000.5);
      sample.set_tokens_per_second(400.123);
      sample.set_loss(2.345678);
      sample.set_gpu_utilization_ratio(0.987654);
      samples.push_back(sample);
    }
    ASSERT_EQ(Report(run, samples)->accepted, 1000);
  }
  EXPECT_EQ(Get(run).actual().report_count(), 200'000);
  EXPECT_LE(Get(run).samples_size(), 500);
  EXPECT_GE(Get(run).samples_size(), 250);
  EXPECT_LT(store_.Get(Kind::kRun, IdOf(run))->value.size(), 2500u);
  EXPECT_LT(store_.Get(Kind::kRunSamples, IdOf(run))->value.size(), 35'000u);
}

TEST_F(RunsTest, ReportsOfManyRunsShareATransaction) {
  const v1::Run one = MustStart();
  const v1::Run ended = MustStart();
  ASSERT_TRUE(Finish(ended, "state: FAILED").ok());
  MoveTo(2000);
  store_.repeats = true;
  const auto outcomes = runs_.Report(
      {{IdOf(one), {At(1000, 100)}, 0}, {IdOf(ended), {At(1, 1)}, 0}, {"nope", {At(1, 1)}, 0}, {IdOf(one), {At(2000, 200)}, 7}});
  ASSERT_THAT(outcomes, SizeIs(4));
  EXPECT_EQ(outcomes[0]->accepted, 1);
  EXPECT_EQ(ReasonOf(outcomes[1].status()), "RUN_FINISHED");
  EXPECT_TRUE(absl::IsNotFound(outcomes[2].status()));
  EXPECT_EQ(FieldOf(outcomes[2].status()), "run");
  // It sees what was written before it; and what ran again was counted once.
  EXPECT_EQ(outcomes[3]->run.actual().report_count(), 2);
  EXPECT_EQ(Get(one).actual().last().step(), 200);
}

TEST_F(RunsTest, ReportsOfManyThreadsAreAllCounted) {
  const v1::Run run = MustStart();
  MoveTo(100'000);
  constexpr int kThreads = 4;
  constexpr int kReports = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kReports; ++i) {
        EXPECT_TRUE(Report(run, {At(kThreads * i + t, kThreads * i + t)}).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Get(run).actual().report_count(), kThreads * kReports);
  EXPECT_THAT(Get(run).samples(), SizeIs(kThreads * kReports));
}

}  // namespace
}  // namespace planner::server
