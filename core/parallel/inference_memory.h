#pragma once

#include <cstdint>
#include <optional>

#include "core/model/description.h"

namespace planner::parallel {

/// What the memory of a served model depends on. Parameters are counts.
struct InferenceMemoryInputs {
  std::optional<model::TransformerShape> shape;  ///< Absent: a model with a state alone.
  model::RecurrentState state;
  double parameters = 0;            ///< Unique, all.
  double embedding_parameters = 0;  ///< Of them: tables and the head, which stay in 16 bits where weights are narrower.
  double weight_bytes = 2;          ///< Of one parameter.
  double cache_bytes = 2;           ///< Of one cached element.
};

/// Bytes that all cards together keep of one sequence of `tokens`: in each block its keys and values, 2 x kv_heads x head size, or what
/// multi-head latent attention keeps of them (DeepSeek-V2, 2405.04434: 512 + 64 elements), of blocks with a sliding window no more
/// than the window. Llama-3-8B, 16 bits: 32 blocks x 8 heads x 256 x 2 = 131,072 bytes a token; DeepSeek-V3: 61 x 576 x 2 = 70,272.
double CacheBytes(const InferenceMemoryInputs& inputs, double tokens);
/// Bytes of the state that a sequence has whatever its length. Mamba-130M (24 blocks, 1,536 channels, 16 states and 4 inputs of the
/// convolution), 16 bits: 1,474,560.
double RecurrentBytes(const InferenceMemoryInputs& inputs);
/// Of either, what one of `tensor_parallel` cards holds: heads are shared out, fewer than cards are copied, and so is what latent
/// attention keeps, which belongs to all heads. Llama-3-8B on 16 cards: 1/8.
double CacheShare(const InferenceMemoryInputs& inputs, int64_t tensor_parallel);

/// Bytes on one card.
struct InferenceMemory {
  double weights = 0;
  double cache = 0;
  double activations = 0;
  double overhead = 0;
  double total() const { return weights + cache + activations + overhead; }
};

/// Memory of one of `tensor_parallel` cards that serve `batch` sequences of `prompt` + `output` tokens. Activations are those of a chunk of
/// at most 8,192 tokens of prompts (vLLM's default), one block at a time, and fp32 logits of the batch; overhead 1 GiB of context and
/// workspaces, 0.5 GiB of captured graphs, 0.5 GiB of communication buffers, 2 % of the weights that allocators lose. Llama-3-8B in bf16 on
/// one card, one sequence of 1,024 + 256: 16.06 GB of weights, 0.17 GB of cache.
InferenceMemory MemoryOfServing(const InferenceMemoryInputs& inputs, int64_t tensor_parallel, double batch,
                                double prompt, double output);

/// Sequences that fit at most; 0: not one.
int64_t MostSequences(const InferenceMemoryInputs& inputs, int64_t tensor_parallel, double prompt, double output,
                      double capacity_bytes);

}  // namespace planner::parallel
