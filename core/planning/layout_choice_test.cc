#include "core/planning/layout_choice.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/counting/analytic_counter.h"
#include "core/planning/fake_models.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

constexpr int64_t kGib = int64_t{1} << 30;

Workload WorkOf(const JobSpec& job) { return *MakeWorkload(job, counting::AnalyticCounter(), absl::InfiniteFuture()); }

/// Every layout, none left out early.
std::optional<parallel::Layout> BestOfAll(const Workload& work, int64_t gpus, int64_t capacity) {
  std::optional<parallel::Layout> best;
  double best_score = std::numeric_limits<double>::infinity();
  parallel::ForEachLayout(work.space, gpus, [&](const parallel::BatchedLayout& candidate) {
    const double score = work.HardwareFlops(candidate.layout.recompute) * (1 + ExpectedLoss(candidate, work.space));
    const auto micro_batches = static_cast<double>(candidate.micro_batches);
    if (score >= best_score || PeakMemory(work.memory, candidate.layout, micro_batches).total_bytes() > capacity)
      return;
    best_score = score;
    best = candidate.layout;
  });
  return best;
}

TEST(ChooseLayoutTest, FindsTheBestOfAllLayouts) {
  for (const auto& model : {FakeGpt3(), FakeLlama65B(), FakeLlama7B()}) {
    for (const std::optional<int64_t> batch : {std::optional<int64_t>(), std::optional<int64_t>(768)}) {
      JobSpec job;
      job.model = model;
      job.token_count = 1e12;
      job.global_batch = batch;
      Workload work = WorkOf(job);
      work.space.shape->experts = 8;
      work.space.Prepare();
      for (const int64_t gpus : {1, 8, 24, 96, 256, 1000, 1024}) {
        for (const int64_t capacity : {24 * kGib, 80 * kGib, 180 * kGib}) {
          const LayoutChoice choice = ChooseLayout(work, work.space, gpus, capacity);
          const std::optional<parallel::Layout> best = BestOfAll(work, gpus, capacity);
          ASSERT_EQ(choice.best.has_value(), best.has_value()) << model.name << " x " << gpus;
          if (best) {
            EXPECT_EQ(choice.best->batched.layout, *best) << model.name << " x " << gpus;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace planner::planning
