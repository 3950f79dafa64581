#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "core/model/description.h"
#include "core/parallel/layout.h"

namespace planner::parallel {

/// A layout with the batch that it runs: data_parallel x micro_batch_size x micro_batches = global_batch.
struct BatchedLayout {
  Layout layout;
  int64_t global_batch = 1;
  int64_t micro_batches = 1;  ///< Per pipeline and step.
};

/// Which layouts a model allows.
struct LayoutSpace {
  std::optional<model::TransformerShape> shape;  ///< Absent: data parallelism alone.
  int64_t positions = 1;                         ///< Sequence length: what context parallelism splits.
  int64_t global_batch = 1;
  bool batch_is_default = false;  ///< It may be rounded to a multiple of data_parallel x micro_batch_size.
  bool interleaved = false;       ///< Virtual pipelines are tried where they divide the layers; needs a step-time model to rank them.
  bool flash_attention = true;    ///< Selective recomputation gains nothing then, and is not tried unless fixed.
  int64_t scale_up_domain = 8;    ///< Tensor parallelism stays within it unless fixed.
  LayoutConstraints fixed;

  /// What the members above say, worked out once.
  std::vector<int64_t> tensor_degrees, context_degrees, expert_degrees;

  /// Fills the lists of degrees.
  void Prepare();
  /// At most 1,024: it bounds the search, no pipeline is near it.
  /// Largest microbatch that is tried unless one is fixed.
  int64_t most_micro_batch() const;
  /// What a rank of `data` has of a step; a default batch grows to a sample for each.
  int64_t SamplesPerRank(int64_t data) const {
    return batch_is_default ? std::max<int64_t>(1, global_batch / data) : global_batch / data;
  }
  int64_t most_stages() const { return shape ? std::clamp<int64_t>(shape->layers, 1, 1024) : 1; }
};

/// Why no layout of any number of cards can meet the fixed degrees, "tensor parallel 3 does not divide 32 heads";
/// nullopt if some may.
std::optional<std::string> FixedDegreesError(const LayoutSpace& space);

/// Calls `visit` for every legal layout of exactly `gpus` cards, in a fixed order (rising tensor, pipeline, context,
/// expert degree, microbatch, ZeRO stage, recomputation):
/// - tensor divides the heads, and either divides the key-value heads or is a multiple of them (then they are copied);
/// - pipeline is at most the number of layers, which stages share out as evenly as they go;
/// - virtual pipelines (where `interleaved`) divide a stage's layers evenly, or those with the embedding and the loss as a layer
///   each, for as many microbatches as stages or multiples;
/// - context divides the sequence; it is tried from 32,768 positions on, or where fixed, or into parts of 2,048 at least where
///   there are no more sequences than cards;
/// - expert divides the experts and tensor x context x data: whole experts share all cards of a stage;
/// - data x microbatch divides the global batch; a default batch is rounded to it instead, to a sample for each rank at
///   least;
/// - microbatches are powers of two, or all of a rank's share, up to 8,192 tokens (1,024 samples without a shape)
///   unless fixed;
/// - ZeRO 1 with pipelines; 1, 2 and 3 without; 0 on a card of its own; ZeRO-3 over all replicas, or, without expert parallelism,
///   within groups: those of one fast domain, of two, of four, ….
///
/// Before the layouts of one split of the cards, `wanted` is shown a layout of it with the most microbatches, the lowest
/// ZeRO stage, no recomputation (unless fixed) and no expert parallelism; they are left out if it returns false.
void ForEachLayout(const LayoutSpace& space, int64_t gpus, absl::FunctionRef<bool(const BatchedLayout&)> wanted,
                   absl::FunctionRef<void(const BatchedLayout&)> visit);
/// All of them.
void ForEachLayout(const LayoutSpace& space, int64_t gpus, absl::FunctionRef<void(const BatchedLayout&)> visit);

/// Whether ForEachLayout has anything to visit; much faster.
bool HasLayout(const LayoutSpace& space, int64_t gpus);

}  // namespace planner::parallel
