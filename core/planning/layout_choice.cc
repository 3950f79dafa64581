#include "core/planning/layout_choice.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "core/planning/memory_interval.h"

namespace planner::planning {
namespace {

/// What a relative change of a default batch counts against time.
constexpr double kBatchChange = 0.1;

/// Whole doublings in n: 1 -> 0, 8 -> 3, 12 -> 3.
int Doublings(int64_t n) {
  return static_cast<int>(std::bit_width(static_cast<uint64_t>(std::max<int64_t>(n, 1)))) - 1;
}

/// The part of the expected loss that a split of the cards has whatever else is chosen, if `candidate` has the most
/// microbatches that it can have.
double SplitLoss(const parallel::BatchedLayout& candidate, const parallel::LayoutSpace& space) {
  const parallel::Layout& layout = candidate.layout;
  double loss = 0;
  if (layout.pipeline_parallel > 1) {
    const auto stages = static_cast<double>(layout.pipeline_parallel);
    loss +=
        (stages - 1) / (static_cast<double>(candidate.micro_batches) * static_cast<double>(layout.virtual_pipeline));
    const auto layers = static_cast<double>(space.most_stages());
    loss += std::ceil(layers / stages) * stages / layers - 1;
  }
  const int inside = Doublings(std::min(layout.tensor_parallel, space.scale_up_domain));
  loss += 0.02 * inside + 0.06 * (Doublings(layout.tensor_parallel) - inside);
  return loss + 0.03 * Doublings(layout.context_parallel);
}

}  // namespace

double ExpectedLoss(const parallel::BatchedLayout& candidate, const parallel::LayoutSpace& space) {
  const parallel::Layout& layout = candidate.layout;
  double loss = SplitLoss(candidate, space) + 0.01 * Doublings(layout.expert_parallel);
  if (layout.zero_stage == 2) loss += 0.01;
  if (layout.zero_stage >= 3) {
    loss += 0.05 + 0.01 * std::max(0, Doublings(layout.data_parallel * layout.context_parallel) - 6);
  }
  // Rows of the products of one card: tokens of a transformer, samples of others.
  constexpr int kEnoughTokens = 11;  // 2,048.
  constexpr int kEnoughSamples = 5;  // 32.
  const int rows = space.shape ? Doublings(space.positions / std::max<int64_t>(1, layout.context_parallel)) : 0;
  const int enough = space.shape ? kEnoughTokens : kEnoughSamples;
  loss += 0.02 * std::max(0, enough - rows - Doublings(layout.micro_batch_size));
  if (candidate.global_batch != space.global_batch) {
    const double change = static_cast<double>(candidate.global_batch) / static_cast<double>(space.global_batch) - 1;
    loss += kBatchChange * std::abs(change);
  }
  return loss;
}

namespace {

/// Scores layouts, least is best, and bounds the scores of a split's layouts from below.
class Ranking {
 public:
  Ranking(const Workload& work, const parallel::LayoutSpace& space, StepModel* step_model, Corrections* corrections)
      : space_(space),
        step_model_(step_model),
        corrections_(step_model != nullptr && corrections != nullptr && corrections->corrects() ? corrections
                                                                                                : nullptr),
        least_factor_(corrections_ != nullptr ? corrections_->least_factor() : 1),
        // By Recompute. A model without matrix products is ranked by the losses alone.
        flops_{std::max(1.0, work.HardwareFlops(parallel::Recompute::kNone)),
               std::max(1.0, work.HardwareFlops(parallel::Recompute::kSelective)),
               std::max(1.0, work.HardwareFlops(parallel::Recompute::kFull))} {}

  /// At most the score of any layout of the split.
  double LeastOfSplit(const parallel::BatchedLayout& split) const {
    if (step_model_ == nullptr) return FlopsOf(split) * (1 + SplitLoss(split, space_));
    return step_model_->LeastSampleSeconds(split, space_) * least_factor_;
  }
  /// At most Predicted x least_factor(); takes a fraction of its time.
  double Least(const parallel::BatchedLayout& candidate) const {
    if (step_model_ == nullptr) return FlopsOf(candidate);
    return step_model_->LeastSeconds(candidate) * least_factor_ / static_cast<double>(candidate.global_batch);
  }
  /// The score, as long as no runs correct it.
  double Predicted(const parallel::BatchedLayout& candidate) const {
    if (step_model_ == nullptr) return FlopsOf(candidate) * (1 + ExpectedLoss(candidate, space_));
    const auto batch = static_cast<double>(candidate.global_batch);
    const double change = std::abs(batch / static_cast<double>(space_.global_batch) - 1);
    return step_model_->Time(candidate).total() / batch * (1 + kBatchChange * change);
  }
  /// By which Predicted is to be multiplied.
  double Factor(const parallel::BatchedLayout& candidate) const {
    return corrections_ == nullptr ? 1 : corrections_->Of(candidate.layout).factor;
  }
  double least_factor() const { return least_factor_; }

 private:
  double FlopsOf(const parallel::BatchedLayout& candidate) const {
    return flops_[static_cast<size_t>(candidate.layout.recompute)];
  }

  const parallel::LayoutSpace& space_;
  StepModel* step_model_;
  Corrections* corrections_;
  const double least_factor_;
  const std::array<double, 3> flops_;
};

}  // namespace

LayoutChoice ChooseLayout(const Workload& work, const parallel::LayoutSpace& space, int64_t gpus,
                          int64_t capacity_bytes, StepModel* step_model, Corrections* corrections) {
  LayoutChoice choice;
  double best_score = std::numeric_limits<double>::infinity();
  int64_t least = std::numeric_limits<int64_t>::max();
  const double memory_factor = std::exp(MemoryHalfWidth(work.framework));
  const Ranking ranking(work, space, step_model, corrections);
  const auto may_be_best = [&](const parallel::BatchedLayout& split) { return ranking.LeastOfSplit(split) < best_score; };
  // Recomputation costs time: a layout that is not the best without it is not with it either, whatever corrects it.
  bool lost = false;
  parallel::ForEachLayout(space, gpus, may_be_best, [&](const parallel::BatchedLayout& candidate) {
    if (candidate.layout.recompute == parallel::Recompute::kNone) lost = false;
    if (lost) return;
    if (ranking.Least(candidate) >= best_score) {
      lost = true;
      return;
    }
    const double states = parallel::LeastStateBytes(work.memory, candidate.layout);
    if (states > static_cast<double>(capacity_bytes) && (choice.best || states > static_cast<double>(least))) return;
    // Until something fits, most layouts fail by their memory: it comes first. From then on most fail by their time.
    double predicted = 0, score = 0;
    const auto rate = [&] {
      predicted = ranking.Predicted(candidate);
      score = predicted * ranking.Factor(candidate);
      lost = predicted * ranking.least_factor() >= best_score;
      return score < best_score;
    };
    if (choice.best && !rate()) return;
    const parallel::MemoryPerGpu memory =
        parallel::PeakMemory(work.memory, candidate.layout, static_cast<double>(candidate.micro_batches));
    const int64_t total = memory.total_bytes();
    if (total <= capacity_bytes) {
      if (!choice.best) rate();
      if (static_cast<double>(total) * memory_factor > static_cast<double>(capacity_bytes)) score *= 1 + kTightMemory;
      if (choice.best && score >= best_score) return;
      best_score = score;
      choice.best = LayoutChoice::Fit{candidate, memory};
      lost = predicted * ranking.least_factor() >= best_score;
    } else if (!choice.best && total < least) {
      choice.least_memory = LayoutChoice::Fit{candidate, memory};
      least = total;
    }
  });
  if (choice.best) choice.least_memory.reset();
  return choice;
}

}  // namespace planner::planning
