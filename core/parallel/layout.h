#pragma once

#include <cstdint>
#include <optional>

namespace planner::parallel {

/// Activations that are computed again in the backward pass, by rising cost.
enum class Recompute { kNone, kSelective, kFull };

/// How a training job is split. Cards: tensor x pipeline x context x data; expert parallelism
/// shares the data-parallel (and context) cards.
struct Layout {
  int64_t data_parallel = 1;
  int64_t tensor_parallel = 1;
  int64_t pipeline_parallel = 1;
  int64_t virtual_pipeline = 1;  ///< Model chunks per pipeline stage.
  int64_t context_parallel = 1;
  int64_t expert_parallel = 1;
  int64_t micro_batch_size = 1;
  int zero_stage = 1;  ///< 0 to 3; FSDP is 3.
  Recompute recompute = Recompute::kNone;
  bool sequence_parallel = true;

  int64_t gpus() const { return data_parallel * tensor_parallel * pipeline_parallel * context_parallel; }
  friend bool operator==(const Layout&, const Layout&) = default;
};

/// The degrees that the caller fixed; absent ones are searched.
struct LayoutConstraints {
  std::optional<int64_t> data_parallel, tensor_parallel, pipeline_parallel, virtual_pipeline, context_parallel,
      expert_parallel, micro_batch_size;
  std::optional<int> zero_stage;
  std::optional<bool> sequence_parallel;
  std::optional<Recompute> recompute;
};

/// Peak bytes on the fullest card.
struct MemoryPerGpu {
  int64_t parameter_bytes = 0;
  int64_t gradient_bytes = 0;
  int64_t optimizer_bytes = 0;
  int64_t activation_bytes = 0;
  int64_t overhead_bytes = 0;  ///< Context, communication buffers, allocator.
  int64_t total_bytes() const {
    return parameter_bytes + gradient_bytes + optimizer_bytes + activation_bytes + overhead_bytes;
  }
};

}  // namespace planner::parallel
