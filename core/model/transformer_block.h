#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model/module.h"
#include "core/model/module_tree.h"

namespace planner::model {

// One block of a transformer, as data: what families differ in, and the names that their published
// weights have. Decoders, encoders and both sides of encoder-decoders are rows of such blocks.
// Names are dotted paths; an empty name means that the part does not exist.

/// Extra norms on queries and keys.
enum class QueryKeyNorm {
  kNone,
  kHead,      ///< One scale of a head's size for all heads (qwen3, gemma3).
  kAllHeads,  ///< One norm over all heads together (olmo2).
  kEachHead,  ///< A scale for every head (stablelm-2-12b).
};

/// Multi-head latent attention (DeepSeek-V2): queries, keys and values come from narrow latents.
struct LatentAttention {
  int64_t query_rank = 0;  ///< 0: queries come straight from the hidden state.
  int64_t key_value_rank = 1;
  int64_t rotary_dim = 1;  ///< Of a head's query; shared by the keys of all heads.
};

struct AttentionLayer {
  std::string path = "self_attn";
  std::string query = "q_proj";
  std::string key = "k_proj";
  std::string value = "v_proj";
  std::string fused;  ///< One product for all three instead, "c_attn".
  std::string output = "o_proj";
  int64_t heads = 1;
  int64_t kv_heads = 1;  ///< Divides heads.
  int64_t qk_dim = 1;    ///< Per head.
  int64_t v_dim = 1;     ///< Per head.
  bool query_bias = false;
  bool key_bias = false;
  bool value_bias = false;
  bool output_bias = false;
  QueryKeyNorm qk_norm = QueryKeyNorm::kNone;
  NormStyle qk_norm_style = kRmsNorm;
  std::string query_norm = "q_norm";
  std::string key_norm = "k_norm";
  int64_t rotary_dim = 0;  ///< Of a head's qk_dim, what rotary positions turn. 0: none.
  bool causal = true;
  int64_t window = 0;            ///< Sliding window or chunk; 0: none.
  bool chunked = false;          ///< The window is a chunk.
  bool score_bias = false;       ///< ALiBi or relative positions: one addition a score.
  bool softcap = false;          ///< c tanh(score / c).
  std::string sinks;             ///< A learned logit a head ("sinks", gpt_oss).
  int64_t relative_entries = 0;  ///< Buckets x heads of a table of its own in every block (umt5).
  std::optional<LatentAttention> latent;

  void SetBias(bool qkv, bool out) {
    query_bias = key_bias = value_bias = qkv;
    output_bias = out;
  }
};

struct FeedForward {
  std::string path = "mlp";
  std::string gate = "gate_proj";  ///< Only of gated ones.
  std::string up = "up_proj";
  std::string fused;  ///< Gate and up as one product, "gate_up_proj".
  std::string down = "down_proj";
  int64_t width = 1;
  bool gated = true;
  bool up_bias = false;
  bool down_bias = false;
  std::string activation = "silu";
};

/// A mixture of experts in place of the feed-forward layer.
struct Experts {
  std::string path = "mlp";
  std::string router = "gate";
  std::string experts = "experts";
  FeedForward expert;  ///< One routed expert; its path is ignored.
  int64_t count = 1;
  int64_t per_token = 1;
  bool router_bias = false;
  std::string router_score = "softmax";
  std::string correction_bias;        ///< A value an expert that steers the choice,
                                      ///< "gate.e_score_correction_bias".
  std::optional<FeedForward> shared;  ///< Runs for every token; its path lies below `path`.
  std::string shared_gate;            ///< hidden -> 1, "shared_expert_gate".
};

struct Block {
  std::string kind = "DecoderLayer";
  int64_t hidden = 1;
  NormStyle norm;
  std::string attention_norm = "input_layernorm";
  std::string after_attention_norm;
  std::string cross_attention_norm;
  std::string feed_forward_norm = "post_attention_layernorm";
  std::string after_feed_forward_norm;
  AttentionLayer attention;
  std::optional<AttentionLayer> cross_attention;
  int64_t memory_width = 0;  ///< Width of what the cross-attention looks at; 0: hidden.
  FeedForward feed_forward;
  std::optional<Experts> experts;  ///< Instead of feed_forward.
};

/// The block over a batch: `positions` of each sample, which cross-attention compares with
/// `memory_positions`. Elementwise work that is in it: rotary positions, softmax (over the keys
/// that a query can see), score biases and caps, activations, gates, residual additions. Not in it,
/// because kernels and every peer fuse them away: the scale of the scores, masks, and dropout.
Module MakeBlock(const Block& block, int64_t batch, int64_t positions, int64_t memory_positions, CheckedSizes& sizes);

/// A gated or plain feed-forward layer, below `parent` at `layer.path`.
void AddFeedForward(Module& parent, const FeedForward& layer, int64_t rows, int64_t hidden, CheckedSizes& sizes);

}  // namespace planner::model
