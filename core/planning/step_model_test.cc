#include "core/planning/step_model.h"

#include <limits>

#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/fake_models.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

class StepModelTest : public ::testing::Test {
 protected:
  Workload WorkloadOf(const model::ModelDescription& model, int64_t batch) const {
    JobSpec job;
    job.model = model;
    job.global_batch = batch;
    job.token_count = 1e12;
    auto work = MakeWorkload(job, counter_, absl::InfiniteFuture());
    EXPECT_TRUE(work.ok()) << work.status();
    return *std::move(work);
  }
  StepModel ModelOf(const Workload& work, const char* gpu, std::string_view framework = "") const {
    auto model = StepModel::Create(work, **gpus_.Find(gpu), framework);
    EXPECT_TRUE(model.ok() && model->has_value()) << model.status();
    return **model;
  }

  const counting::AnalyticCounter counter_;
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
};

// LLaMA 65B (2302.13971, table 15): 1,022,362 GPU hours for 1.4e12 tokens on 2,048 A100, 2,048 x 2,048 tokens a step.
TEST_F(StepModelTest, TheFastestLayoutOfLlama65BTakesThePublishedGpuHours) {
  Workload work = WorkloadOf(FakeLlama65B(), 2048);
  const StepModel model = ModelOf(work, "a100");
  work.space.Prepare();
  const double capacity = static_cast<double>((*gpus_.Find("a100"))->memory_bytes);
  double best = std::numeric_limits<double>::infinity();
  parallel::BatchedLayout chosen;
  parallel::ForEachLayout(work.space, 2048, [&](const parallel::BatchedLayout& candidate) {
    const double micro_batches = static_cast<double>(candidate.micro_batches);
    const double seconds = model.Step(candidate.layout, micro_batches).total();
    if (seconds >= best) return;
    if (static_cast<double>(parallel::PeakMemory(work.memory, candidate.layout, micro_batches).total_bytes()) >
        capacity)
      return;
    best = seconds;
    chosen = candidate;
  });
  const double steps = 1.4e12 / (2048.0 * 2048);
  const double gpu_hours = best * steps * 2048 / 3600;
  EXPECT_NEAR(gpu_hours / 1022362, 1, 0.1)
      << "step " << best << " s; tensor " << chosen.layout.tensor_parallel << ", pipeline "
      << chosen.layout.pipeline_parallel << ", zero " << chosen.layout.zero_stage;
}

TEST_F(StepModelTest, FrameworksDiffer) {
  const Workload work = WorkloadOf(FakeGpt3(), 1536);
  const perf::Layout layout{.data_parallel = 16, .tensor_parallel = 8, .pipeline_parallel = 8};
  const double core = ModelOf(work, "a100", "megatron-core").Step(layout, 96).total();
  EXPECT_NE(ModelOf(work, "a100", "megatron-deepspeed").Step(layout, 96).total(), core);
  EXPECT_EQ(ModelOf(work, "a100").Step(layout, 96).total(), ModelOf(work, "a100", "fsdp").Step(layout, 96).total());
  EXPECT_GT(ModelOf(work, "a100").half_width(), 0);
}

TEST_F(StepModelTest, ModelsWithoutAShapeHaveNone) {
  const Workload work = WorkloadOf(FakeCnn(), 256);
  const auto model = StepModel::Create(work, **gpus_.Find("a100"), "");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_FALSE(model->has_value());
}

}  // namespace
}  // namespace planner::planning
