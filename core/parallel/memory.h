#pragma once

#include <cstdint>
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
  /// Bytes of a second copy of the gradients that is kept whole below ZeRO-2, the optimizer being sharded whatever the
  /// stage: Megatron-DeepSpeed (GPT 1.3B on eight V100 16 GiB in all, less than 16 bytes a parameter; BLOOM's 20B on eight
  /// A100 67 GiB, 23 more than 16 bytes a parameter). 0: none.
  double gradient_copy_bytes = 0;
  /// Weights are updated during the backward pass, gradients never kept together: recipes for a single card (torchtune).
  bool updates_in_backward = false;
  double logit_bytes = 2 + 4;  ///< Of one logit: activations' type, and fp32, in which the loss leaves the gradient.
  double allocator_fraction = 0.04;  ///< Reserved beyond what is allocated (SimuMax: 1.03 to 1.09).
  double context_bytes = 1 << 30;    ///< Driver context 0.5 to 0.8 GiB, cuBLAS and other workspaces.
  bool unfused_blocks = false;       ///< Norms keep fp32 copies (8 h a token), activations their halves (2 f).
  double score_gradient_bytes = 0;   ///< Eager attention: of each score of the block whose backward pass runs.
  bool offloads_block_inputs = false;  ///< Full recomputation keeps the inputs of blocks in the host's memory (MaxText on TPUs).
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
/// layers; the last one has the logits; recomputation needs the working set of one block at a time. States as
/// ShardedState over data x context parallel cards (experts over those that hold the same experts). Overhead: 1 GiB of
/// context and library workspaces, 0.5 GiB of communication buffers per dimension that is used, what ZeRO-3 gathers
/// (two blocks; all of a pipeline stage, with its gradients) and ZeRO-2 reduces (the gradients of one), and 4 % of the allocator (SimuMax: reserved over allocated
/// 1.03 to 1.09). Safe for concurrent use; no allocation.
MemoryPerGpu PeakMemory(const MemoryInputs& inputs, const Layout& layout, double micro_batches);

}  // namespace planner::parallel
