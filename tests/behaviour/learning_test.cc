#include <gmock/gmock.h>

#include <cmath>

#include "core/base/clock.h"
#include "planner/v1/run_service.grpc.pb.h"
#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using Service = v1::EstimationService::Stub;
using Plans = v1::PlanService::Stub;
using Runs = v1::RunService::Stub;

constexpr char kJob[] =
    "model { preset: 'llama-7b' } data_set { token_count: 2e8 } resources { gpu_types: 'h100' min_gpus: 64 max_gpus: "
    "64 }"
    "layout { tensor_parallel: 1 pipeline_parallel: 1 data_parallel: 64 context_parallel: 1 micro_batch_size: 1 "
    "zero_stage: 1 }"
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
  /// The job is planned, and trained: it began an hour ago, and each step took `ratio` times as long as the model alone says.
  std::string Train(double ratio) {
    const v1::Plan plan = Ask(&Plans::CreatePlan, std::string("plan { request { ") + kJob + " } }");
    const int64_t begin = absl::ToUnixSeconds(base::Clock::Real().Now()) - 3600;
    const v1::Run run = Ask(
        &Runs::StartRun, "run { plan: '" + plan.name() + "' start_time { seconds: " + std::to_string(begin) + " } }");
    const double step_seconds = ratio * Seconds(run.planned().calibration().predicted_step_duration());
    v1::ReportProgressRequest reports;
    reports.set_run(run.name());
    const auto steps = static_cast<int64_t>(std::ceil(run.planned().step_count()));
    for (int64_t step = 0; step <= steps; step += steps / 8) {
      const double time = static_cast<double>(step) * step_seconds;
      v1::ProgressSample& sample = *reports.add_samples();
      sample.set_step(step);
      sample.mutable_time()->set_seconds(begin + static_cast<int64_t>(time));
      sample.mutable_time()->set_nanos(static_cast<int32_t>(1e9 * (time - std::floor(time))));
    }
    grpc::ClientContext context;
    v1::ReportProgressResponse reported;
    const auto stub = v1::RunService::NewStub(planner_.channel);
    const auto writer = stub->ReportProgress(&context, &reported);
    writer->Write(reports);
    writer->WritesDone();
    EXPECT_TRUE(writer->Finish().ok());
    EXPECT_EQ(reported.refused_count(), 0) << reported.ShortDebugString();
    EXPECT_TRUE(Ask(&Runs::FinishRun, "name: '" + run.name() + "'").actual().learned());
    return run.name();
  }
};

TEST_P(LearningBehaviour, RunsCorrectTheNextEstimate) {
  const v1::Recommendation before = Best();
  EXPECT_EQ(before.utilization_source(), v1::Recommendation::PREDICTED);
  EXPECT_EQ(before.calibration().factor(), 1);
  EXPECT_EQ(before.calibration().kind().framework(), "megatron-core");
  EXPECT_EQ(before.calibration().kind().gpu_count(), 64);

  // From the second one on they are runs of corrected plans: what has been learned is not learned again.
  std::vector<std::string> runs;
  for (int i = 0; i < 12; ++i) runs.push_back(Train(1.3));
  const v1::Recommendation after = Best();
  EXPECT_EQ(after.utilization_source(), v1::Recommendation::MEASURED);
  EXPECT_NEAR(after.calibration().factor(), 1.3, 0.01);
  EXPECT_NEAR(after.calibration().run_count(), 12, 0.5);
  EXPECT_EQ(after.calibration().level(), "cards");
  EXPECT_NEAR(Seconds(after.step_duration()), after.calibration().factor() * Seconds(before.step_duration()), 1e-6);
  EXPECT_EQ(Seconds(after.calibration().predicted_step_duration()), Seconds(before.step_duration()));
  EXPECT_THAT(after.explanation(), Contains(HasSubstr("12 runs like it, on as many cards")));

  Restart();
  EXPECT_EQ(Best().utilization_source(), v1::Recommendation::MEASURED);
  for (const std::string& run : runs) Ask(&Runs::DeleteRun, "name: '" + run + "'");
  EXPECT_EQ(Best().utilization_source(), v1::Recommendation::PREDICTED);
  EXPECT_EQ(Seconds(Best().step_duration()), Seconds(before.step_duration()));
}

INSTANTIATE_TEST_SUITE_P(Places, LearningBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

}  // namespace
}  // namespace planner::behaviour
