#include "core/planning/corrections.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/planning/run_kind.h"

namespace planner::planning {

size_t Corrections::Hash::operator()(const Key& key) const {
  uint64_t hash = 2 * static_cast<uint64_t>(key.recompute) + (key.sharded ? 1 : 0);
  for (const int64_t part : {key.tensor, key.pipeline, key.micro_batch, key.gpus})
    hash = hash * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(part);
  return hash ^ hash >> 32;
}

Corrections::Corrections(const calibration::Calibration& learned, absl::Time now, calibration::Kind like)
    : learned_(learned.size() > 0 ? &learned : nullptr), now_(now), like_(std::move(like)) {
  if (learned_ == nullptr) return;
  least_factor_ = std::numeric_limits<double>::infinity();
  for (const auto recompute : {perf::Recompute::kNone, perf::Recompute::kSelective, perf::Recompute::kFull}) {
    for (const bool sharded : {false, true}) {
      const calibration::Kind kind = WithLayout(like_, {.zero_stage = sharded ? 3 : 0, .recompute = recompute});
      least_factor_ = std::min(least_factor_, learned_->LeastFactor(kind, calibration::Level::kModel, now_));
      tells_layouts_apart_[static_cast<size_t>(recompute)][sharded ? 1 : 0] =
          learned_->Knows(kind, calibration::Level::kModel);
    }
  }
}

const calibration::Correction& Corrections::Of(const perf::Layout& layout) {
  static const calibration::Correction kNone;
  if (learned_ == nullptr) return kNone;
  const bool sharded = layout.zero_stage >= 3;
  Key key{layout.recompute, sharded};
  if (tells_layouts_apart_[static_cast<size_t>(layout.recompute)][sharded ? 1 : 0])
    key = {layout.recompute,        sharded,      layout.tensor_parallel, layout.pipeline_parallel,
           layout.micro_batch_size, layout.gpus()};
  const auto [found, is_new] = known_.try_emplace(key);
  if (is_new) found->second = learned_->CorrectionFor(WithLayout(like_, layout), now_);
  return found->second;
}

}  // namespace planner::planning
