#include "core/planning/corrections.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/planning/run_kind.h"

namespace planner::planning {

size_t Corrections::Hash::operator()(const Key& key) const {
  uint64_t hash = static_cast<uint64_t>(key.recompute);
  for (const int64_t part : {key.tensor, key.pipeline, key.micro_batch, key.gpus})
    hash = hash * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(part);
  return hash ^ hash >> 32;
}

Corrections::Corrections(const calibration::Calibration& learned, absl::Time now, calibration::Kind like)
    : learned_(learned.size() > 0 ? &learned : nullptr), now_(now), like_(std::move(like)) {
  if (learned_ == nullptr) return;
  least_factor_ = std::numeric_limits<double>::infinity();
  for (const auto recompute : {perf::Recompute::kNone, perf::Recompute::kSelective, perf::Recompute::kFull}) {
    like_.recompute = NameOf(recompute);
    least_factor_ = std::min(least_factor_, learned_->LeastFactor(like_, calibration::Level::kModel, now_));
    tells_layouts_apart_[static_cast<size_t>(recompute)] = learned_->Knows(like_, calibration::Level::kModel);
  }
}

const calibration::Correction& Corrections::Of(const perf::Layout& layout) {
  static const calibration::Correction kNone;
  if (learned_ == nullptr) return kNone;
  Key key{layout.recompute};
  if (tells_layouts_apart_[static_cast<size_t>(layout.recompute)])
    key = {layout.recompute, layout.tensor_parallel, layout.pipeline_parallel, layout.micro_batch_size, layout.gpus()};
  const auto [found, is_new] = known_.try_emplace(key);
  if (is_new) found->second = learned_->CorrectionFor(WithLayout(like_, layout), now_);
  return found->second;
}

}  // namespace planner::planning
