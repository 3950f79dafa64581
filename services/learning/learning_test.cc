#include "services/learning/learning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "services/convert/calibration.h"
#include "services/convert/time.h"
#include "services/learning/evidence.h"

namespace planner::learning {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;

calibration::Kind Llama() {
  return {.framework = "megatron-core",
          .family = "Hopper",
          .gpu_type = "H100-SXM-80GB",
          .model_class = "dense",
          .precision = "bf16",
          .recompute = "none",
          .parameters = 7e9,
          .hidden = 4096,
          .seq_len = 4096,
          .tensor_parallel = 2,
          .gpus = 64};
}

/// A run that was predicted to take 2 s a step.
v1::Run Finished(double step_seconds, absl::Time finish) {
  v1::Run run;
  run.set_state(v1::Run::SUCCEEDED);
  *run.mutable_finish_time() = convert::TimeToProto(finish);
  v1::CalibrationInfo& planned = *run.mutable_planned()->mutable_calibration();
  *planned.mutable_kind() = convert::RunKindToProto(Llama());
  planned.mutable_predicted_step_duration()->set_seconds(2);
  *run.mutable_actual()->mutable_step_duration() = convert::DurationToProto(absl::Seconds(step_seconds));
  run.mutable_actual()->set_learned(true);
  return run;
}

class LearningTest : public ::testing::Test {
 protected:
  void Record(const std::string& name, const v1::Run& run) {
    ASSERT_TRUE(store_.Create(store::Kind::kRun, name, run.SerializeAsString(), "").ok());
  }
  void Record(const std::string& name, double step_seconds) { Record(name, Finished(step_seconds, clock_.Now())); }
  static calibration::Correction Of(Learning& learning, absl::Time now) {
    const auto learned = learning.Current(now);
    EXPECT_TRUE(learned.ok()) << learned.status();
    return (*learned)->CorrectionFor(Llama(), now);
  }
  calibration::Correction Now(Learning& learning) const { return Of(learning, clock_.Now()); }
  calibration::Correction Now() { return Now(learning_); }
  /// Of a replica that has just started.
  calibration::Correction Fresh() {
    Learning fresh(store_);
    return Now(fresh);
  }
  void ExpectAgreement() {
    const calibration::Correction mine = Now(), fresh = Fresh();
    EXPECT_EQ(mine.factor, fresh.factor);
    EXPECT_EQ(mine.deviation, fresh.deviation);
    EXPECT_EQ(mine.runs, fresh.runs);
  }

  base::FakeClock clock_;
  store::MemoryStore store_{clock_};
  Learning learning_{store_};
};

TEST_F(LearningTest, EvidenceIsMeasuredOverWhatTheModelAlonePredicted) {
  const absl::Time end = clock_.Now();
  v1::Run run = Finished(2.4, end);
  run.mutable_planned()->mutable_calibration()->set_factor(1.5);  // Which the plan was corrected by: no part of it.
  const auto evidence = EvidenceOf(run, end + absl::Hours(1));
  ASSERT_TRUE(evidence.has_value());
  EXPECT_THAT(evidence->log_ratio, DoubleNear(0.1823, 1e-4));
  EXPECT_EQ(evidence->time, end);
  EXPECT_EQ(evidence->kind, Llama());
  EXPECT_EQ(EvidenceOf(run, end - absl::Hours(1))->time, end - absl::Hours(1));  // Nothing ends after it was written.
}

TEST_F(LearningTest, WhatCannotTeachIsNoEvidence) {
  const auto without = [this](auto change) {
    v1::Run run = Finished(2.4, clock_.Now());
    change(run);
    return !EvidenceOf(run, clock_.Now()).has_value();
  };
  EXPECT_FALSE(without([](v1::Run&) {}));
  EXPECT_TRUE(without([](v1::Run& run) { run.mutable_actual()->set_learned(false); }));
  EXPECT_TRUE(without([](v1::Run& run) { run.mutable_actual()->clear_step_duration(); }));
  EXPECT_TRUE(without([](v1::Run& run) { run.mutable_planned()->clear_calibration(); }));
  EXPECT_TRUE(without([](v1::Run& run) { run.mutable_planned()->mutable_calibration()->clear_kind(); }));
  EXPECT_TRUE(
      without([](v1::Run& run) { run.mutable_planned()->mutable_calibration()->clear_predicted_step_duration(); }));
}

TEST_F(LearningTest, LearnsWhatAnyReplicaRecords) {
  EXPECT_EQ(Now().factor, 1);
  for (int i = 0; i < 20; ++i) Record("runs/" + std::to_string(i), 2.4);
  EXPECT_THAT(Now().factor, DoubleNear(1.198, 0.001));
  EXPECT_THAT(Now().runs, DoubleNear(20, 0.5));
  ExpectAgreement();
}

TEST_F(LearningTest, IsTheSameValueUntilARunOrTheDayChanges) {
  Record("runs/a", 2.4);
  const auto first = *learning_.Current(clock_.Now());
  EXPECT_EQ(*learning_.Current(clock_.Now()), first);
  ASSERT_TRUE(store_.Create(store::Kind::kPlan, "plans/a", "", "").ok());
  EXPECT_EQ(*learning_.Current(clock_.Now()), first);  // A plan is no run.
  Record("runs/b", 2.4);
  const auto second = *learning_.Current(clock_.Now());
  EXPECT_NE(second, first);
  EXPECT_EQ(first->size(), 1u);  // Who plans with the old one keeps it.
  clock_.Advance(absl::Hours(24));
  EXPECT_NE(*learning_.Current(clock_.Now()), second);
}

TEST_F(LearningTest, DoesNotDependOnWhenItWasRead) {
  for (int i = 0; i < 12; ++i) {
    // Now and then one is recorded days after it has ended, and two end at the same time.
    Record("runs/" + std::to_string(i * 7 % 12),
           Finished(2.2 + 0.05 * (i % 3), clock_.Now() - absl::Hours(i % 4 == 3 ? 100 : 0)));
    Now();
    ExpectAgreement();
    if (i % 2 == 1) clock_.Advance(absl::Hours(31));
  }
}

TEST_F(LearningTest, RunsAgeDayByDay) {
  for (int i = 0; i < 20; ++i) Record("runs/" + std::to_string(i), 2.4);
  const double runs = Now().runs;
  clock_.Advance(absl::Hours(24 * 180));
  EXPECT_THAT(Now().runs, DoubleNear(runs / 2, 0.6));
  ExpectAgreement();
}

TEST_F(LearningTest, ForgetsWhatIsDeletedOrNoLongerLearned) {
  for (int i = 0; i < 4; ++i) Record("runs/" + std::to_string(i), 2.4);
  EXPECT_GT(Now().factor, 1.1);
  ASSERT_TRUE(store_.Delete(store::Kind::kRun, "runs/0", "").ok());
  ASSERT_TRUE(store_.Delete(store::Kind::kRun, "runs/1", "").ok());
  ExpectAgreement();
  const auto change = [this](double seconds, bool learned) {
    v1::Run run = Finished(seconds, clock_.Now());
    run.mutable_actual()->set_learned(learned);
    const auto update = [&](const store::Record&) -> absl::StatusOr<std::string> { return run.SerializeAsString(); };
    ASSERT_TRUE(store_.Update(store::Kind::kRun, "runs/2", "", update).ok());
  };
  change(3, true);
  ExpectAgreement();
  change(3, false);
  ExpectAgreement();
  ASSERT_TRUE(store_.Delete(store::Kind::kRun, "runs/3", "").ok());
  EXPECT_EQ(Now().factor, 1);
  EXPECT_EQ((*learning_.Current(clock_.Now()))->size(), 0u);
}

TEST_F(LearningTest, ARecordThatCannotBeReadIsLoggedAndLeftOut) {
  std::ostringstream out;
  telemetry::Log log(clock_, std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  Learning learning(store_, &log);
  ASSERT_TRUE(store_.Create(store::Kind::kRun, "runs/broken", "\xff\xff", "").ok());
  Record("runs/a", 2.4);
  ASSERT_TRUE(learning.Current(clock_.Now()).ok());
  EXPECT_EQ((*learning.Current(clock_.Now()))->size(), 1u);
  EXPECT_THAT(out.str(), HasSubstr("event=run_not_learned run=runs/broken"));
}

}  // namespace
}  // namespace planner::learning
