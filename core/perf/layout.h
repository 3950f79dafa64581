#pragma once

#include <cstdint>

namespace planner::perf {

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

}  // namespace planner::perf
