#include "core/parallel/inference_memory.h"

#include <algorithm>
#include <cmath>

namespace planner::parallel {
namespace {

constexpr double kMib = 1024.0 * 1024.0;
constexpr double kContextBytes = 1024 * kMib;
constexpr double kGraphBytes = 512 * kMib;
constexpr double kCommunicatorBytes = 512 * kMib;
constexpr double kAllocatorShare = 0.02;
constexpr double kChunkTokens = 8192;
constexpr double kActivationBytes = 2;
constexpr double kLogitBytes = 4;
constexpr int64_t kMostSequences = 1'000'000;

double ToDouble(int64_t value) { return static_cast<double>(value); }

double ElementsOfToken(const model::TransformerShape& shape) {
  return shape.cached_elements > 0 ? ToDouble(shape.cached_elements)
                                   : ToDouble(shape.kv_heads) * (ToDouble(shape.qk_dim) + ToDouble(shape.v_dim));
}

/// Of one block, the widest at a time: the residual, its norm, queries, keys and values, or both halves of the feed-forward layer.
double ActivationBytesOfToken(const model::TransformerShape& shape, double tensor) {
  const double hidden = ToDouble(shape.hidden);
  const double attention = ToDouble(shape.heads) * (ToDouble(shape.qk_dim) + ToDouble(shape.v_dim)) +
                           ToDouble(shape.kv_heads) * (ToDouble(shape.qk_dim) + ToDouble(shape.v_dim));
  const double dense = (shape.gated ? 3 : 2) * ToDouble(shape.ffn);
  const double routed =
      ToDouble(shape.experts_per_token) * ((shape.gated ? 3 : 2) * ToDouble(shape.expert_ffn) + hidden);
  return kActivationBytes * (3 * hidden + std::max({attention, dense, routed}) / tensor);
}

}  // namespace

double CacheBytes(const InferenceMemoryInputs& inputs, double tokens) {
  if (!inputs.shape) return 0;
  const model::TransformerShape& shape = *inputs.shape;
  const double windowed = std::min(ToDouble(shape.window_layers), ToDouble(shape.layers));
  const double kept = shape.window > 0 ? std::min(tokens, ToDouble(shape.window)) : tokens;
  return ElementsOfToken(shape) * inputs.cache_bytes * ((ToDouble(shape.layers) - windowed) * tokens + windowed * kept);
}

double RecurrentBytes(const InferenceMemoryInputs& inputs) {
  return ToDouble(inputs.state.elements) * std::max(inputs.cache_bytes, kActivationBytes);
}

double CacheShare(const InferenceMemoryInputs& inputs, int64_t tensor_parallel) {
  if (!inputs.shape) return 1 / ToDouble(tensor_parallel);
  if (inputs.shape->cached_elements > 0) return 1;
  return 1 / ToDouble(std::min(tensor_parallel, std::max<int64_t>(1, inputs.shape->kv_heads)));
}

InferenceMemory MemoryOfServing(const InferenceMemoryInputs& inputs, int64_t tensor_parallel, double batch,
                                double prompt, double output) {
  const double tensor = ToDouble(tensor_parallel);
  InferenceMemory memory;
  const double tables = std::min(inputs.embedding_parameters, inputs.parameters);
  memory.weights =
      ((inputs.parameters - tables) * inputs.weight_bytes + tables * std::max(inputs.weight_bytes, kActivationBytes)) /
      tensor;
  memory.cache =
      batch * (CacheBytes(inputs, prompt + output) + RecurrentBytes(inputs)) * CacheShare(inputs, tensor_parallel);
  const double tokens = std::min(kChunkTokens, std::max(batch, prompt));
  if (inputs.shape) {
    memory.activations = tokens * ActivationBytesOfToken(*inputs.shape, tensor) +
                         kLogitBytes * batch * ToDouble(inputs.shape->vocab) / tensor;
  } else if (inputs.state.blocks > 0) {
    // Of one block: its channels, each with a few copies.
    const double channels = ToDouble(inputs.state.elements) / ToDouble(inputs.state.blocks);
    memory.activations = kActivationBytes * tokens * channels / tensor;
  }
  memory.overhead =
      kContextBytes + kGraphBytes + (tensor_parallel > 1 ? kCommunicatorBytes : 0) + kAllocatorShare * memory.weights;
  return memory;
}

int64_t MostSequences(const InferenceMemoryInputs& inputs, int64_t tensor_parallel, double prompt, double output,
                      double capacity_bytes) {
  const auto fits = [&](int64_t batch) {
    return MemoryOfServing(inputs, tensor_parallel, ToDouble(batch), prompt, output).total() <= capacity_bytes;
  };
  if (!fits(1)) return 0;
  int64_t most = 1;
  int64_t too_many = 2;
  while (too_many < kMostSequences && fits(too_many)) {
    most = too_many;
    too_many *= 2;
  }
  if (too_many >= kMostSequences) return kMostSequences;
  while (too_many - most > 1) {
    const int64_t middle = most + (too_many - most) / 2;
    (fits(middle) ? most : too_many) = middle;
  }
  return most;
}

}  // namespace planner::parallel
