#pragma once

#include <algorithm>
#include <cstdint>

namespace planner::perf {

/// Activations that are computed again in the backward pass, by rising cost.
enum class Recompute { kNone, kSelective, kFull };

/// How a training job is split. Cards: tensor x pipeline x context x data. The layers of experts have the same cards of a stage
/// (tensor x context x data) as expert tensor x expert x copies of them.
struct Layout {
  int64_t data_parallel = 1;
  int64_t tensor_parallel = 1;
  int64_t pipeline_parallel = 1;
  int64_t virtual_pipeline = 1;  ///< Model chunks per pipeline stage.
  int64_t context_parallel = 1;
  int64_t expert_parallel = 1;
  int64_t expert_tensor_parallel = 0;  ///< Cards that share the matrices of each expert; 0: as expert_tensor() says.
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
  /// Cards that share the matrices of each expert. Unless it is told, experts that are spread over cards are whole, as tuned runs
  /// have them: NVIDIA's Grok-1 on 512 H100 takes 15.9 s a step with whole experts, and took 21.0 s a release before, with experts
  /// over its 4 tensor-parallel cards. Where each card would have all of them, they are split as every other matrix is. torchtitan
  /// does both untold (expert_tensor_parallel_degree), Megatron-LM splits (--expert-tensor-parallel-size), Megatron-DeepSpeed does
  /// not (--enable-expert-tensor-parallelism): launch flags say what these would not do by themselves.
  int64_t expert_tensor() const {
    if (expert_tensor_parallel > 0) return expert_tensor_parallel;
    return expert_parallel > 1 ? 1 : tensor_parallel;
  }
  /// Cards of a stage that have all of its experts once. Tensor 4, experts over 8: 8 of whole experts, 32 of experts over 4.
  int64_t expert_cards() const { return expert_tensor() * expert_parallel; }
  /// Cards that share the states of the same experts, as far as the ZeRO stage shards them, at least 1. Tensor 4, 64 shards,
  /// experts over 8: 32 of whole experts, 8 of experts over 4.
  double expert_shards() const {
    return std::max(1.0, static_cast<double>(shards() * tensor_parallel) / static_cast<double>(expert_cards()));
  }
  friend bool operator==(const Layout&, const Layout&) = default;
};

}  // namespace planner::perf
