#include "core/base/error.h"
#include "core/planning/planner_fixture.h"
#include "gmock/gmock.h"

namespace planner::planning {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A counter of loaded modules: 4 GMACs forward and 8 backward a sample, 400 MB and 100 MB kept of each, whatever the inputs.
class FakeModuleCounter : public counting::Counter {
 public:
  counting::CounterInfo Info() const override { return {.name = "fake", .version = "3"}; }
  absl::StatusOr<counting::CostReport> Count(const counting::CountRequest& request) const override {
    asked = request.batch;
    if (request.batch.inputs.empty()) return base::InvalidField("batch_shape.inputs", "are needed");
    const int64_t batch = request.batch.inputs[0].sizes[0];
    counting::CostReport report;
    report.parameters = report.active_parameters = report.non_embedding_parameters = parameters;
    report.forward.macs = batch * 4'000'000'000;
    report.backward.macs = batch * 8'000'000'000;
    report.activation_bytes = batch * 100'000'000;
    report.accessed_bytes = 3 * 25e6 * 2 + static_cast<double>(batch) * 400e6;
    report.counter = "fake";
    report.counter_version = "3";
    return report;
  }
  mutable model::BatchShape asked;
  int64_t parameters = 25'000'000;
};

class ModulePlanTest : public PlannerTest {
 protected:
  static JobSpec ModuleJob(int64_t batch) {
    JobSpec job;
    job.model.kind = model::ModelKind::kModule;
    job.model.has_sequence = false;
    job.inputs = {{batch, 3, 224, 224}};
    job.sample_count = 1.28e6;
    job.epoch_count = 90;
    job.min_gpus = job.max_gpus = 8;
    return job;
  }
  Plan MakeModule(const JobSpec& job) const {
    auto plan = Planner(modules_).MakePlan(job, {absl::FromUnixSeconds(1767225600), {Pool("a100")}, {}});
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *std::move(plan) : Plan{};
  }
  const FakeModuleCounter modules_;
};

// Its weights are constants: a plan would have neither gradients nor states nor a backward pass.
TEST_F(ModulePlanTest, AFrozenModuleIsNoTraining) {
  FakeModuleCounter frozen;
  frozen.parameters = 0;
  const absl::Status status =
      Planner(frozen).MakePlan(ModuleJob(8), {absl::FromUnixSeconds(1767225600), {Pool("a100")}, {}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("export it unfrozen"));
  EXPECT_EQ(base::DetailOf(status).field, "model");
  EXPECT_EQ(base::DetailOf(status).reason, "NO_PARAMETERS");
}

// The gradients of a small model, and the launches of its kernels, are what a hundred thousand cards wait for.
TEST_F(ModulePlanTest, ScalingEnds) {
  JobSpec job = ModuleJob(1);
  job.min_gpus = job.max_gpus = 65536;
  const Plan plan = MakeModule(job);
  ASSERT_THAT(plan.recommendations, SizeIs(1));
  const Recommendation& best = plan.recommendations[0];
  EXPECT_LT(best.model_flops_utilization, 0.1);
  EXPECT_NE(best.limited_by, "compute");
  EXPECT_THAT(best.explanation, Contains(HasSubstr("ms for gradients")));
  // 1,024 samples by default are fewer than the cards.
  EXPECT_THAT(plan.warnings, Contains(HasSubstr("the default global batch of 1024 is changed to 65536")));
}

// 24 GFLOP / (312 TFLOP/s x 0.5) + 400 MB / (2.039 TB/s x 0.75) a sample, 115.2e6 samples on 8 cards.
TEST_F(ModulePlanTest, TheTimeIsToldFromFlopsAndBytes) {
  const Plan plan = MakeModule(ModuleJob(1));
  ASSERT_THAT(plan.recommendations, SizeIs(1));
  const Recommendation& best = plan.recommendations[0];
  const double sample = 24e9 / 156e12 + 400e6 / (Pool("a100").gpu.memory_bandwidth * 0.75);
  // Beside that, each step waits for the last bucket of gradients: a part in 300.
  const double compute = 115.2e6 * sample / 8;
  EXPECT_GT(absl::ToDoubleSeconds(best.total_duration), compute);
  EXPECT_NEAR(absl::ToDoubleSeconds(best.total_duration), compute, compute * 0.005);
  EXPECT_NEAR(best.model_flops_utilization, 24e9 / (sample * 312e12), 1e-3);
  EXPECT_EQ(best.limited_by, "compute");
  EXPECT_NEAR(absl::FDivDuration(best.total_duration_high, best.total_duration), 1 / 0.45, 1e-3);
  EXPECT_NEAR(absl::FDivDuration(best.total_duration_low, best.total_duration), 1 / 1.6, 1e-3);
  EXPECT_THAT(best.explanation, Contains(AllOf(HasSubstr("us of products"), HasSubstr("us of memory"))));
  EXPECT_THAT(best.explanation, Contains(HasSubstr("fake 3 on a batch of 1")));
  EXPECT_EQ(best.utilization_source, UtilizationSource::kPredicted);
  EXPECT_NEAR(static_cast<double>(best.memory.activation_bytes), 1e8 * static_cast<double>(best.layout.micro_batch_size), 1);
  EXPECT_EQ(plan.counter, "fake");
}

TEST_F(ModulePlanTest, TheBatchIsCountedAsItIsGivenAndSharedOut) {
  const Plan one = MakeModule(ModuleJob(1));
  const Plan sixteen = MakeModule(ModuleJob(16));
  EXPECT_EQ(modules_.asked.inputs[0].sizes[0], 16);
  EXPECT_EQ(one.model_flops, sixteen.model_flops);
  EXPECT_EQ(one.recommendations[0].total_duration, sixteen.recommendations[0].total_duration);
  EXPECT_EQ(one.recommendations[0].memory.activation_bytes, sixteen.recommendations[0].memory.activation_bytes);
}

TEST_F(ModulePlanTest, AGivenRatioReplacesTheModel) {
  JobSpec job = ModuleJob(1);
  job.hardware_flops_ratio = 0.5;
  EXPECT_NEAR(absl::ToDoubleSeconds(MakeModule(job).recommendations[0].total_duration), 115.2e6 * 24e9 / (8 * 156e12), 1);
}

TEST_F(ModulePlanTest, MissingInputsAreTheCountersToSay) {
  JobSpec job = ModuleJob(1);
  job.inputs.clear();
  const absl::Status status = Planner(modules_).MakePlan(job, {absl::FromUnixSeconds(0), {Pool("a100")}, {}}).status();
  EXPECT_EQ(base::DetailOf(status).field, "batch_shape.inputs");
}

}  // namespace
}  // namespace planner::planning
