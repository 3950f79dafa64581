#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "core/hardware/precision.h"
#include "core/model/description.h"
#include "core/parallel/layout.h"

namespace planner::parallel {

/// Bytes of weights, gradients and optimizer of `parameters` that a card owns, ZeRO-sharded over `shards` cards
/// (1910.02054): stage 1 shards the optimizer, 2 also the gradients, 3 also the weights. 7.5e9 parameters, 2 + 2 + 12
/// bytes, 64 cards: 120 GB; stage 1 31.4 GB, stage 2 16.6 GB, stage 3 1.9 GB.
struct StateBytes {
  double weights = 0;
  double gradients = 0;
  double optimizer = 0;
  double total() const { return weights + gradients + optimizer; }
};
StateBytes ShardedState(double parameters, const hardware::Recipe& recipe, int zero_stage, double shards);

/// What frameworks do differently with memory. The defaults are Megatron-core's and FSDP's.
struct MemoryHabits {
  /// Gradients of Megatron-DeepSpeed, which shards the optimizer whatever the stage: `gradient_bytes` of the 16-bit ones
  /// whatever the recipe says, `gradient_copy_bytes` of an fp32 copy that is whole below ZeRO-2, and `gradient_part_bytes` of
  /// what was reduced, sharded like the optimizer. 2 + 2 + 4 whole and 12 + 2 sharded: BLOOM's 20B on eight A100 22 bytes a
  /// parameter (67 GiB in fp16, 68 in bf16), its 200B on 80 and 160 22 and 15 (73 to 75 and 53 GiB), GPT 1.3B on eight V100
  /// 9.75 (16 GiB). All 0: the recipe's gradients and nothing else.
  double gradient_bytes = 0;
  double gradient_copy_bytes = 0;
  double gradient_part_bytes = 0;
  /// Weights are updated during the backward pass, gradients never kept together: recipes for a single card (torchtune).
  bool updates_in_backward = false;
  double logit_bytes = 2 + 4;  ///< Of one logit: activations' type, and fp32, in which the loss leaves the gradient.
  double allocator_fraction = 0.04;  ///< Reserved beyond what is allocated (SimuMax: 1.03 to 1.09).
  double context_bytes = 1 << 30;    ///< Driver context 0.5 to 0.8 GiB, cuBLAS and other workspaces.
  bool unfused_blocks = false;       ///< Norms keep fp32 copies (8 h a token), activations their halves (2 f).
  double score_gradient_bytes = 0;   ///< Eager attention: of each score of the block whose backward pass runs.
  /// ZeRO-3 keeps the shard of the weights in one copy, the fp32 one that the optimizer updates, and casts what it gathers:
  /// FSDP's 4 + 4 + 8 = 16 bytes a parameter with bf16 and Adam. DeepSpeed keeps a 16-bit shard beside it.
  bool shards_master_weights = true;
  /// What ZeRO-3 gathers at once, and reduces at once, in parameters: FSDP whole blocks, the next one ahead of its use;
  /// DeepSpeed at most stage3_max_live_parameters and one reduce_bucket_size (its documentation's defaults: 1e9, 5e8).
  double most_live_parameters = std::numeric_limits<double>::infinity();
  double most_reduced_parameters = std::numeric_limits<double>::infinity();
  /// With ZeRO-3 the checkpoints of full recomputation are kept in the host's memory: DeepSpeed's launch scripts of Megatron
  /// with ZeRO-3 (--checkpoint-in-cpu), MaxText's recipes for TPUs.
  bool checkpoints_on_host = false;
  double selective_share = 1;        ///< Selective recomputation with fused attention keeps this share (PyTorch: 0.4).
};

/// What memory depends on beside the layout. Parameters are counts; doubles, so that nothing can overflow.
struct MemoryInputs {
  /// Absent: the model is split by data parallelism alone, and `sample_activation_bytes` holds.
  std::optional<model::TransformerShape> shape;
  double parameters = 0;               ///< Unique, all.
  double embedding_parameters = 0;     ///< Of them: tables and the head onto the vocabulary.
  double expert_parameters = 0;        ///< Of them: routed experts.
  hardware::Recipe recipe;             ///< Bytes per trained parameter.
  double activation_bytes = 2;         ///< Of one element.
  double positions = 1;                ///< Sequence length; of a ViT, its patches.
  bool has_logits = true;              ///< The loss is over the vocabulary at every position.
  bool flash_attention = true;         ///< No scores are kept.
  double sample_activation_bytes = 0;  ///< Kept between forward and backward for one sample, if there is no shape.
  // Fine-tuning with adapters: `recipe` holds for the adapters only.
  bool frozen_base = false;
  double frozen_bytes = 2;  ///< Per frozen parameter: 2 in bf16, 0.516 in nf4.
  double adapter_parameters = 0;
  /// Bytes that adapters keep beyond the block's own, of each token: LoRA's dropped-out inputs 8 h, outputs that are scaled
  /// (adapters of version 2) 2 bytes each.
  double adapter_token_bytes = 0;
  std::optional<bool> dropout;  ///< Absent: of ungated blocks.
  MemoryHabits habits;
};

/// Bytes of one block's activations for one microbatch on one card. Ungated blocks as K22 (2205.05198, table 2), with
/// dropout masks: bare s b h (34 + 5 a s/h), tensor parallel s b h (10 + 24/t + 5 a s/(h t)), with sequence parallelism
/// all / t, selective without the scores. Gated blocks without dropout: 8 h + 2 (q + k + v + o) + 6 f per token. Flash
/// attention keeps 4 a per token in place of scores. GPT-3 (h 12288, a 96, s 2048), b 1, t 8, sequence parallel,
/// selective: 34 s h / 8 = 106,954,752 bytes.
double BlockActivationBytes(const MemoryInputs& inputs, const Layout& layout);

/// Bytes of states that the fullest card has at least: those of blocks and experts, shared out evenly. A lower bound of
/// PeakMemory that takes a fraction of its time.
double LeastStateBytes(const MemoryInputs& inputs, const Layout& layout);

/// Peak memory of the fullest card. The first pipeline stage keeps the activations of min(m, p) microbatches of its
/// layers; the last one has the logits; recomputation needs the working set of one block at a time, when the logits are
/// gone: beside what is kept, the larger of the two counts. States as ShardedState over data x context parallel cards
/// (experts over those that hold the same experts, Layout::expert_shards). Overhead: 1 GiB of context and library workspaces, 0.5 GiB of
/// communication buffers per dimension that is used, a pipeline's microbatches on their way in and out, what ZeRO-3 gathers
/// (two blocks; all of a pipeline stage, with its gradients) and ZeRO-2 reduces (the gradients of one), and 4 % of the
/// allocator (SimuMax: reserved over allocated 1.03 to 1.09). Safe for concurrent use; no allocation.
MemoryPerGpu PeakMemory(const MemoryInputs& inputs, const Layout& layout, double micro_batches);

}  // namespace planner::parallel
