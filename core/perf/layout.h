#pragma once

#include <algorithm>
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
  int zero_stage = 1;       ///< 0 to 3; FSDP is 3.
  int64_t shard_group = 0;  ///< ZeRO-3: replicas that share one copy of the states (hybrid sharding); 0: all of them.
  Recompute recompute = Recompute::kNone;
  bool sequence_parallel = true;

  int64_t gpus() const { return data_parallel * tensor_parallel * pipeline_parallel * context_parallel; }
  /// Cards with the same weights, without sharding.
  int64_t replicas() const { return data_parallel * context_parallel; }
  /// Replicas that share one copy of the states, as far as the ZeRO stage shards them: 64 replicas, ZeRO-3 in groups of 8: 8.
  int64_t shards() const {
    return zero_stage >= 3 && shard_group > 0 ? std::min(shard_group, replicas()) : replicas();
  }
  friend bool operator==(const Layout&, const Layout&) = default;
};

}  // namespace planner::perf
