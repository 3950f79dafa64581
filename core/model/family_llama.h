#pragma once

#include <string>
#include <vector>

#include "core/model/family.h"

namespace planner::model {

/// What Llama's kin differ in where the file says nothing.
struct LlamaTraits {
  std::string class_prefix = "Llama";  ///< For the kinds of modules: "LlamaDecoderLayer".
  bool qkv_bias = false;               ///< Default of attention_bias, for queries, keys and values.
  bool output_bias = false;            ///< The same for the output projection.
  bool reads_attention_bias = true;    ///< Whether attention_bias means anything to the family.
  bool bias_spares_output = false;     ///< attention_bias means queries, keys and values only.
  bool tied = false;
  NormStyle norm = kRmsNorm;
  std::string activation = "silu";
};

/// A decoder with one pattern of block, before its layers are grouped.
struct LlamaReading {
  DecoderArchitecture architecture;
  Block block;
  int64_t layers = 1;
};

/// Reads hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim,
/// intermediate_size, vocab_size, max_position_embeddings, attention_bias, mlp_bias, hidden_act,
/// tie_word_embeddings. Errors stay in `input.fields`.
LlamaReading ReadLlama(FamilyInput& input, const LlamaTraits& traits);

/// The window of each layer (0: none): by layer_types if the file has them, else by `slides(layer, period)`.
std::vector<int64_t> ReadWindows(Fields& fields, int64_t layers, int64_t window,
                                 bool (*slides)(int64_t layer, int64_t period), int64_t period);

/// Groups the layers and makes the description, or returns the first error.
absl::StatusOr<ModelDescription> FinishLlama(FamilyInput& input, LlamaReading reading,
                                             const std::vector<int64_t>& windows = {});

}  // namespace planner::model
