#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/layer_graph_layers.h"
#include "core/model/module_tree.h"
#include "core/model/transformer_block.h"

namespace planner::model {
namespace {

struct HeadSizes {
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t head_dim = 1;
};

absl::StatusOr<HeadSizes> HeadsOf(int64_t heads, std::optional<int64_t> kv_heads, std::optional<int64_t> head_dim,
                                  int64_t hidden) {
  RETURN_IF_ERROR(CheckSize("heads", heads));
  HeadSizes sizes{.heads = heads, .kv_heads = kv_heads.value_or(heads)};
  RETURN_IF_ERROR(CheckSize("kv_heads", sizes.kv_heads));
  if (heads % sizes.kv_heads != 0) {
    return base::InvalidField("kv_heads",
                              absl::StrCat("must divide heads: kv_heads=", sizes.kv_heads, " heads=", heads));
  }
  if (head_dim.has_value()) {
    RETURN_IF_ERROR(CheckSize("head_dim", *head_dim));
    sizes.head_dim = *head_dim;
  } else if (hidden % heads != 0) {
    return base::InvalidField("heads", absl::StrCat("must divide hidden: heads=", heads, " hidden=", hidden));
  } else {
    sizes.head_dim = hidden / heads;
  }
  return sizes;
}

/// Batch, positions and width of an input.
absl::Status CheckTokens(const Shape& input) {
  if (input.size() == 3) return absl::OkStatus();
  return Mismatch(absl::StrCat("expects an input of batch, positions and hidden: shape=", ShapeText(input)));
}

absl::Status CheckSameBatch(const std::vector<Shape>& inputs) {
  for (const Shape& input : inputs) {
    RETURN_IF_ERROR(CheckTokens(input));
    if (input[0] != inputs[0][0]) {
      return Mismatch(absl::StrCat("expects inputs of one batch: ", ShapeText(inputs[0]), " and ", ShapeText(input)));
    }
  }
  return absl::OkStatus();
}

FeedForward FeedForwardOf(const graph::TransformerBlocks& blocks, std::string path, int64_t width) {
  FeedForward layer;
  layer.path = std::move(path);
  layer.gate = "gate";
  layer.up = blocks.gated ? "up" : "linear1";
  layer.down = blocks.gated ? "down" : "linear2";
  layer.width = width;
  layer.gated = blocks.gated;
  layer.up_bias = layer.down_bias = blocks.bias;
  layer.activation = ActivationOf(blocks.activation, 1).kind;
  return layer;
}

AttentionLayer AttentionOf(const graph::TransformerBlocks& blocks, const BlockSizes& sizes, bool cross) {
  AttentionLayer layer;
  layer.path = cross ? "multihead_attn" : "self_attn";
  layer.output = "out_proj";
  layer.heads = sizes.heads;
  layer.kv_heads = sizes.kv_heads;
  layer.qk_dim = layer.v_dim = sizes.head_dim;
  layer.SetBias(blocks.qkv_bias.value_or(blocks.bias), blocks.bias);
  layer.rotary_dim = blocks.rotary && !cross ? sizes.head_dim : 0;
  layer.causal = !cross && blocks.causal.value_or(blocks.decoder);
  layer.window = cross ? 0 : blocks.window;
  return layer;
}

Block BlockOf(const graph::TransformerBlocks& blocks, const BlockSizes& sizes, int64_t hidden, int64_t memory_width) {
  const bool cross = memory_width > 0;
  Block block;
  block.kind = blocks.decoder ? "TransformerDecoderLayer" : "TransformerEncoderLayer";
  block.hidden = hidden;
  block.norm = blocks.norm == NormKind::kRmsNorm ? kRmsNorm : blocks.bias ? kLayerNorm : kLayerNormWithoutShift;
  // The names of torch.nn's layers. Where the norm stands changes neither sizes nor work.
  block.attention_norm = "norm1";
  block.feed_forward_norm = cross ? "norm3" : "norm2";
  if (cross) {
    block.cross_attention_norm = "norm2";
    block.cross_attention = AttentionOf(blocks, sizes, /*cross=*/true);
    block.memory_width = memory_width;
  }
  block.attention = AttentionOf(blocks, sizes, /*cross=*/false);
  block.feed_forward = FeedForwardOf(blocks, blocks.gated ? "ffn" : "", sizes.ffn);
  if (blocks.moe.has_value()) {
    Experts experts;
    experts.path = "moe";
    experts.router = "router";
    experts.expert = FeedForwardOf(blocks, "", sizes.expert_ffn);
    experts.count = blocks.moe->experts;
    experts.per_token = blocks.moe->top_k;
    if (blocks.moe->shared_ffn > 0) experts.shared = FeedForwardOf(blocks, "shared", blocks.moe->shared_ffn);
    block.experts = std::move(experts);
  }
  return block;
}

absl::Status CheckExperts(const graph::MixtureOfExperts& moe) {
  RETURN_IF_ERROR(CheckSize("moe.experts", moe.experts));
  if (moe.experts > kMaxLayers) {
    return base::InvalidField("moe.experts", absl::StrCat("must be at most 100000: experts=", moe.experts));
  }
  RETURN_IF_ERROR(CheckSize("moe.top_k", moe.top_k));
  if (moe.top_k > moe.experts) {
    return base::InvalidField("moe.top_k",
                              absl::StrCat("must be at most experts: top_k=", moe.top_k, " experts=", moe.experts));
  }
  return CheckSizeOrZero("moe.shared_ffn", moe.shared_ffn);
}

}  // namespace

absl::StatusOr<BlockSizes> SizesOf(const graph::TransformerBlocks& blocks, int64_t hidden) {
  ASSIGN_OR_RETURN(const HeadSizes heads, HeadsOf(blocks.heads, blocks.kv_heads, blocks.head_dim, hidden));
  BlockSizes sizes{.heads = heads.heads, .kv_heads = heads.kv_heads, .head_dim = heads.head_dim};
  if (blocks.ffn.has_value()) RETURN_IF_ERROR(CheckSize("ffn", *blocks.ffn));
  if (blocks.moe.has_value()) {
    RETURN_IF_ERROR(CheckExperts(*blocks.moe));
    const std::optional<int64_t> expert = blocks.moe->expert_ffn.has_value() ? blocks.moe->expert_ffn : blocks.ffn;
    if (!expert.has_value()) return base::InvalidField("moe.expert_ffn", "is required, or else ffn");
    RETURN_IF_ERROR(CheckSize("moe.expert_ffn", *expert));
    sizes.expert_ffn = *expert;
  } else if (!blocks.ffn.has_value()) {
    return base::InvalidField("ffn", "is required");
  }
  sizes.ffn = blocks.ffn.value_or(sizes.expert_ffn);
  return sizes;
}

absl::StatusOr<Expansion> ExpandTransformer(const graph::TransformerBlocks& blocks, const std::vector<Shape>& inputs) {
  RETURN_IF_ERROR(CheckSameBatch(inputs));
  const Shape& input = inputs[0];
  RETURN_IF_ERROR(CheckStated("hidden", blocks.hidden, input[2], "hidden features", input));
  RETURN_IF_ERROR(CheckSize("layers", blocks.layers));
  if (blocks.layers > kMaxLayers) {
    return base::InvalidField("layers", absl::StrCat("must be at most 100000: layers=", blocks.layers));
  }
  RETURN_IF_ERROR(CheckSizeOrZero("window", blocks.window));
  if (blocks.norm != NormKind::kLayerNorm && blocks.norm != NormKind::kRmsNorm) {
    return base::InvalidField("norm", "must be LAYER_NORM or RMS_NORM");
  }
  if (blocks.activation == graph::ActivationKind::kGlu || blocks.activation == graph::ActivationKind::kPrelu) {
    return base::InvalidField("activation", "cannot be one with sizes or parameters of its own, GLU or PRELU");
  }
  ASSIGN_OR_RETURN(const BlockSizes sizes, SizesOf(blocks, input[2]));
  const bool cross = inputs.size() == 2;
  CheckedSizes checked;
  Module block = MakeBlock(BlockOf(blocks, sizes, input[2], cross ? inputs[1][2] : 0), input[0], input[1],
                           cross ? inputs[1][1] : input[1], checked);
  block.instances = block.calls = blocks.layers;
  block.role = Role::kBlock;
  Module module;
  module.kind = blocks.decoder ? "TransformerDecoder" : "TransformerEncoder";
  AddModule(module, "layers", std::move(block));
  if (blocks.final_norm) {
    const NormStyle style = blocks.norm == NormKind::kRmsNorm ? kRmsNorm
                            : blocks.bias                     ? kLayerNorm
                                                              : kLayerNormWithoutShift;
    ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(input));
    AddModule(module, "norm", NormModule(style, elements, input[2]));
  }
  if (!checked.status().ok()) return Mismatch("is too large for this batch: a size does not fit 64 bits");
  return Expansion{std::move(module), input};
}

absl::StatusOr<Expansion> ExpandAttention(const graph::MultiHeadAttention& layer, const std::vector<Shape>& inputs) {
  RETURN_IF_ERROR(CheckSameBatch(inputs));
  const Shape& query = inputs[0];
  const Shape& key = inputs.size() > 1 ? inputs[1] : query;
  const Shape& value = inputs.size() > 2 ? inputs[2] : key;
  RETURN_IF_ERROR(CheckStated("hidden", layer.hidden, query[2], "hidden features", query));
  RETURN_IF_ERROR(CheckSizeOrZero("window", layer.window));
  if (key[1] != value[1]) {
    return Mismatch(absl::StrCat("expects as many keys as values: ", ShapeText(key), " and ", ShapeText(value)));
  }
  ASSIGN_OR_RETURN(const HeadSizes sizes, HeadsOf(layer.heads, layer.kv_heads, layer.head_dim, query[2]));
  const int64_t width = sizes.heads * sizes.head_dim;  // Both below 2^31.
  const int64_t kv_width = sizes.kv_heads * sizes.head_dim;
  CheckedSizes checked;
  const int64_t query_rows = checked.Product({query[0], query[1]});
  const int64_t key_rows = checked.Product({key[0], key[1]});
  Module module;
  module.kind = "MultiheadAttention";
  AddModule(module, "q_proj", LinearModule(query_rows, query[2], width, layer.bias));
  AddModule(module, "k_proj", LinearModule(key_rows, key[2], kv_width, layer.bias));
  AddModule(module, "v_proj", LinearModule(key_rows, value[2], kv_width, layer.bias));
  // What one projection keeps of a shared input, the others need not keep again.
  std::get<Linear>(module.children[1].operation).shared_input = inputs.size() == 1;
  std::get<Linear>(module.children[2].operation).shared_input = inputs.size() <= 2;
  if (layer.rotary) {
    AddModule(module, "rotary",
              ElementwiseModule("rotary", checked.Sum({checked.Product({query_rows, width}),
                                                       checked.Product({key_rows, kv_width})})));
  }
  Module core;
  core.kind = "Attention";
  core.operation = Attention{.batch = query[0],
                             .heads = sizes.heads,
                             .kv_heads = sizes.kv_heads,
                             .queries = query[1],
                             .keys = key[1],
                             .qk_dim = sizes.head_dim,
                             .v_dim = sizes.head_dim,
                             .causal = layer.causal,
                             .window = layer.window};
  AddModule(module, "core", std::move(core));
  const int64_t visible = layer.window > 0 && layer.window < key[1] ? layer.window : key[1];
  AddModule(module, "softmax",
            ElementwiseModule("softmax", checked.Product({query[0], sizes.heads, query[1], visible})));
  AddModule(module, "out_proj", LinearModule(query_rows, width, query[2], layer.bias));
  if (!checked.status().ok()) return Mismatch("is too large for this batch: a size does not fit 64 bits");
  return Expansion{std::move(module), query};
}

}  // namespace planner::model
