#include <gmock/gmock.h>

#include <cmath>
#include <memory>

#include "core/base/clock.h"
#include "planner/v1/run.pb.h"
#include "services/storage/sqlite_store.h"
#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using Service = v1::EstimationService::Stub;

constexpr char kJob[] =
    "model { preset: 'llama-7b' } data_set { token_count: 1e12 } resources { gpu_types: 'h100' min_gpus: 64 max_gpus: 64 }"
    "layout { tensor_parallel: 1 pipeline_parallel: 1 data_parallel: 64 context_parallel: 1 micro_batch_size: 1 zero_stage: 1 }"
    "training { recompute: SELECTIVE framework: 'megatron-core' }";

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + 1e-9 * duration.nanos();
}

class LearningBehaviour : public PlannerTest {
 protected:
  v1::Recommendation Best() {
    const auto answer = Ask(&Service::Estimate, kJob);
    EXPECT_FALSE(answer.recommendations().empty());
    return answer.recommendations().empty() ? v1::Recommendation() : answer.recommendations(0);
  }
  /// A run of the option that has ended, as RunService keeps it; another process might have.
  void Record(const std::string& name, const v1::Recommendation& option, double ratio) {
    v1::Run run;
    run.set_state(v1::Run::SUCCEEDED);
    run.mutable_finish_time()->set_seconds(absl::ToUnixSeconds(base::Clock::Real().Now()));
    *run.mutable_planned()->mutable_calibration() = option.calibration();
    const double seconds = ratio * Seconds(option.calibration().predicted_step_duration());
    run.mutable_actual()->mutable_step_duration()->set_seconds(static_cast<int64_t>(seconds));
    run.mutable_actual()->mutable_step_duration()->set_nanos(static_cast<int32_t>(1e9 * (seconds - std::floor(seconds))));
    run.mutable_actual()->set_learned(true);
    EXPECT_TRUE(Store().Create(store::Kind::kRun, name, run.SerializeAsString(), "").ok());
  }
  store::Store& Store() {
    if (store_ == nullptr) store_ = std::make_unique<storage::SqliteStore>(folder_ / "state", base::Clock::Real());
    return *store_;
  }

  std::unique_ptr<storage::SqliteStore> store_;
};

TEST_P(LearningBehaviour, RunsCorrectTheNextEstimate) {
  const v1::Recommendation before = Best();
  EXPECT_EQ(before.utilization_source(), v1::Recommendation::PREDICTED);
  EXPECT_EQ(before.calibration().factor(), 1);
  EXPECT_EQ(before.calibration().kind().framework(), "megatron-core");
  EXPECT_EQ(before.calibration().kind().gpu_count(), 64);

  for (int i = 0; i < 12; ++i) Record("runs/" + std::to_string(i), before, 1.3);
  const v1::Recommendation after = Best();
  EXPECT_EQ(after.utilization_source(), v1::Recommendation::MEASURED);
  EXPECT_NEAR(after.calibration().factor(), 1.3, 0.01);
  EXPECT_NEAR(after.calibration().run_count(), 12, 0.5);
  EXPECT_EQ(after.calibration().level(), "cards");
  EXPECT_NEAR(Seconds(after.step_duration()), after.calibration().factor() * Seconds(before.step_duration()), 1e-6);
  EXPECT_EQ(Seconds(after.calibration().predicted_step_duration()), Seconds(before.step_duration()));
  EXPECT_THAT(after.explanation(), Contains(HasSubstr("12 runs like it")));

  // What has been learned is not learned again: a run of the corrected plan is measured against the model alone.
  for (int i = 12; i < 24; ++i) Record("runs/" + std::to_string(i), after, 1.3);
  EXPECT_NEAR(Best().calibration().factor(), 1.3, 0.01);

  Restart();
  EXPECT_EQ(Best().utilization_source(), v1::Recommendation::MEASURED);
  for (int i = 0; i < 24; ++i) EXPECT_TRUE(Store().Delete(store::Kind::kRun, "runs/" + std::to_string(i), "").ok());
  EXPECT_EQ(Best().utilization_source(), v1::Recommendation::PREDICTED);
  EXPECT_EQ(Seconds(Best().step_duration()), Seconds(before.step_duration()));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, LearningBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

}  // namespace
}  // namespace planner::behaviour
