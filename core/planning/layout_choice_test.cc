#include "core/planning/layout_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/fake_models.h"
#include "core/planning/memory_interval.h"
#include "core/planning/run_kind.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

constexpr int64_t kGib = int64_t{1} << 30;

Workload WorkOf(const JobSpec& job) { return *MakeWorkload(job, counting::AnalyticCounter(), absl::InfiniteFuture()); }

/// Every layout, none left out early.
std::optional<parallel::Layout> BestOfAll(const Workload& work, const parallel::LayoutSpace& space, int64_t gpus,
                                          int64_t capacity, StepModel* model, Corrections* corrections = nullptr) {
  std::optional<parallel::Layout> best;
  double best_score = std::numeric_limits<double>::infinity();
  parallel::ForEachLayout(space, gpus, [&](const parallel::BatchedLayout& candidate) {
    const auto batch = static_cast<double>(candidate.global_batch);
    const double change = std::abs(batch / static_cast<double>(space.global_batch) - 1);
    const double score = model != nullptr
                             ? model->Time(candidate).total() / batch * (1 + 0.1 * change) *
                                   (corrections != nullptr ? corrections->Of(candidate.layout).factor : 1)
                             : work.HardwareFlops(candidate.layout.recompute) * (1 + ExpectedLoss(candidate, space));
    const auto micro_batches = static_cast<double>(candidate.micro_batches);
    const int64_t peak = PeakMemory(work.memory, candidate.layout, micro_batches).total_bytes();
    const double most = static_cast<double>(peak) * std::exp(MemoryHalfWidth(work.framework));
    const double tight = most > static_cast<double>(capacity) ? 1 + kTightMemory : 1;
    if (peak > capacity || score * tight >= best_score) return;
    best_score = score * tight;
    best = candidate.layout;
  });
  return best;
}

TEST(ChooseLayoutTest, FindsTheBestOfAllLayouts) {
  const auto catalog = hardware::GpuCatalog::Create();
  for (const auto& model : {FakeGpt3(), FakeLlama65B(), FakeLlama7B()}) {
    for (const std::optional<int64_t> batch : {std::optional<int64_t>(), std::optional<int64_t>(768)}) {
      JobSpec job;
      job.model = model;
      job.token_count = 1e12;
      job.global_batch = batch;
      Workload work = WorkOf(job);
      work.space.shape->experts = 8;
      work.space.Prepare();
      cluster::Pool pool;
      pool.gpu = **catalog->Find("a100");
      auto step_model = StepModel::Make(work, pool, perf::BuiltInStepTimeConstants());
      ASSERT_TRUE(step_model.ok());
      for (StepModel* ranking : {static_cast<StepModel*>(nullptr), &*step_model}) {
        work.space.interleaved = ranking != nullptr;
        for (const int64_t gpus : {1, 8, 24, 96, 256, 1000, 1024}) {
          for (const int64_t capacity : {24 * kGib, 80 * kGib, 180 * kGib}) {
            const LayoutChoice choice = ChooseLayout(work, work.space, gpus, capacity, ranking);
            const std::optional<parallel::Layout> best = BestOfAll(work, work.space, gpus, capacity, ranking);
            ASSERT_EQ(choice.best.has_value(), best.has_value()) << model.name << " x " << gpus;
            if (best) {
              EXPECT_EQ(choice.best->batched.layout, *best) << model.name << " x " << gpus;
            }
          }
        }
      }
    }
  }
}

TEST(ChooseLayoutTest, TakesALayoutThatSurelyFitsIfItIsNearlyAsFast) {
  const auto catalog = hardware::GpuCatalog::Create();
  JobSpec job;
  job.model = FakeLlama65B();
  job.token_count = 1.4e12;
  Workload work = WorkOf(job);
  work.space.interleaved = true;
  work.space.Prepare();
  cluster::Pool pool;
  pool.gpu = **catalog->Find("a100");
  auto model = StepModel::Make(work, pool, perf::BuiltInStepTimeConstants());
  ASSERT_TRUE(model.ok());
  constexpr int64_t kCards = 2048;
  const auto capacity = static_cast<double>(pool.gpu.memory_bytes);
  const auto most_bytes = [&](const parallel::MemoryPerGpu& memory) {
    return static_cast<double>(memory.total_bytes()) * std::exp(MemoryHalfWidth(work.framework));
  };
  double fastest = std::numeric_limits<double>::infinity();
  bool fastest_surely_fits = false;
  parallel::ForEachLayout(work.space, kCards, [&](const parallel::BatchedLayout& candidate) {
    const parallel::MemoryPerGpu memory =
        PeakMemory(work.memory, candidate.layout, static_cast<double>(candidate.micro_batches));
    if (static_cast<double>(memory.total_bytes()) > capacity || model->Time(candidate).total() >= fastest) return;
    fastest = model->Time(candidate).total();
    fastest_surely_fits = most_bytes(memory) <= capacity;
  });
  EXPECT_FALSE(fastest_surely_fits);
  const LayoutChoice choice = ChooseLayout(work, work.space, kCards, pool.gpu.memory_bytes, &*model);
  ASSERT_TRUE(choice.best);
  EXPECT_LE(most_bytes(choice.best->memory), capacity);
  EXPECT_LE(model->Time(choice.best->batched).total(), (1 + kTightMemory) * fastest);
}

TEST(ChooseLayoutTest, FindsTheBestOfAllCorrectedLayouts) {
  const auto catalog = hardware::GpuCatalog::Create();
  JobSpec job;
  job.model = FakeLlama7B();
  job.token_count = 1e12;
  Workload work = WorkOf(job);
  work.space.Prepare();
  work.space.interleaved = true;
  cluster::Pool pool;
  pool.gpu = **catalog->Find("a100");
  auto step_model = StepModel::Make(work, pool, perf::BuiltInStepTimeConstants());
  ASSERT_TRUE(step_model.ok());
  // What is best has always taken longer: its recomputation, its split or its microbatch is not what it seems to be.
  calibration::Calibration learned;
  int changed = 0;
  for (int round = 0; round < 12; ++round) {
    for (const int64_t gpus : {8, 96, 256}) {
      const calibration::Kind like = KindOf(work, pool, {}, perf::BuiltInStepTimeConstants());
      Corrections corrections(learned, absl::UnixEpoch(), like);
      const LayoutChoice choice = ChooseLayout(work, work.space, gpus, 80 * kGib, &*step_model, &corrections);
      const std::optional<parallel::Layout> best =
          BestOfAll(work, work.space, gpus, 80 * kGib, &*step_model, &corrections);
      ASSERT_TRUE(choice.best.has_value());
      EXPECT_EQ(choice.best->batched.layout, *best) << round << " x " << gpus;
      EXPECT_GE(corrections.Of(*best).factor, corrections.least_factor());
      changed += choice.best->batched.layout ==
                         ChooseLayout(work, work.space, gpus, 80 * kGib, &*step_model).best->batched.layout
                     ? 0
                     : 1;
      for (int i = 0; i < 4; ++i) {
        const double log_ratio = round % 3 == 0 ? -0.2 : 0.3;
        ASSERT_TRUE(learned.Learn({WithLayout(like, *best), log_ratio, absl::UnixEpoch()}).ok());
      }
    }
  }
  EXPECT_GT(changed, 5);
}

TEST(StepModelTest, WithoutANameTheFrameworkIsTheLayouts) {
  const auto catalog = hardware::GpuCatalog::Create();
  cluster::Pool pool;
  pool.gpu = **catalog->Find("a100");
  const auto seconds = [&](const char* framework, int zero_stage) {
    JobSpec job;
    job.model = FakeLlama7B();
    job.global_batch = 512;
    job.framework = framework;
    const Workload work = WorkOf(job);
    auto model = StepModel::Make(work, pool, perf::BuiltInStepTimeConstants());
    EXPECT_TRUE(model.ok());
    return model->Time({{.data_parallel = 64, .zero_stage = zero_stage}, 512, 8}).total();
  };
  EXPECT_EQ(seconds("", 3), seconds("fsdp", 3));
  EXPECT_EQ(seconds("", 1), seconds("typical", 1));
  EXPECT_NE(seconds("fsdp", 3), seconds("megatron-core", 3));
}

// What the search leaves out by is never above what it leaves out.
TEST(StepModelTest, TheBoundsHoldForEveryLayout) {
  const auto catalog = hardware::GpuCatalog::Create();
  for (const char* gpu : {"v100-sxm2-32gb", "h100", "b200"}) {
    for (const auto& model : {FakeGpt3(), FakeLlama7B()}) {
      JobSpec job;
      job.model = model;
      job.global_batch = 768;
      job.precision = "fp16";
      Workload work = WorkOf(job);
      work.space.interleaved = true;
      work.space.Prepare();
      cluster::Pool pool;
      pool.gpu = **catalog->Find(gpu);
      auto step_model = StepModel::Make(work, pool, perf::BuiltInStepTimeConstants());
      ASSERT_TRUE(step_model.ok());
      for (const int64_t gpus : {8, 96, 256}) {
        double split_bound = 0;
        int visited = 0;
        parallel::ForEachLayout(
            work.space, gpus,
            [&](const parallel::BatchedLayout& split) {
              split_bound = step_model->LeastSampleSeconds(split, work.space);
              return true;
            },
            [&](const parallel::BatchedLayout& candidate) {
              const double total = step_model->Time(candidate).total();
              constexpr double kRounding = 1 + 1e-12;
              EXPECT_LE(step_model->LeastSeconds(candidate), total * kRounding);
              EXPECT_LE(split_bound, total / static_cast<double>(candidate.global_batch) * kRounding);
              ++visited;
            });
        EXPECT_GT(visited, 50) << gpus;
      }
    }
  }
}

}  // namespace
}  // namespace planner::planning
