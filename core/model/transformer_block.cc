#include "core/model/transformer_block.h"

#include <algorithm>
#include <utility>

namespace planner::model {
namespace {

/// A product whose input another product before it keeps already.
Module SharedLinearModule(int64_t rows, int64_t in_features, int64_t out_features, bool bias) {
  Module module = LinearModule(rows, in_features, out_features, bias);
  std::get<Linear>(module.operation).shared_input = true;
  return module;
}

/// Each row times one factor: the rows are kept, the factors are few.
Module RowScaleModule(int64_t elements) {
  Module module = ElementwiseModule("mul", elements);
  std::get<Elementwise>(module.operation).saved_elements = elements;
  return module;
}

/// The extra norm of queries or keys, `heads` of them.
void AddQueryKeyNorm(Module& parent, const AttentionLayer& layer, const std::string& name, int64_t rows, int64_t heads,
                     CheckedSizes& sizes) {
  if (layer.qk_norm == QueryKeyNorm::kNone) return;
  const int64_t elements = sizes.Product({rows, heads, layer.qk_dim});
  const int64_t width = layer.qk_norm == QueryKeyNorm::kHead ? layer.qk_dim : sizes.Product({heads, layer.qk_dim});
  AddModule(parent, name, NormModule(layer.qk_norm_style, elements, width));
}

void AddLatentProjections(Module& parent, const AttentionLayer& layer, int64_t rows, int64_t hidden,
                          CheckedSizes& sizes) {
  const LatentAttention& latent = *layer.latent;
  const int64_t queries = sizes.Product({layer.heads, layer.qk_dim});
  if (latent.query_rank > 0) {
    AddModule(parent, "q_a_proj", LinearModule(rows, hidden, latent.query_rank, layer.query_bias));
    AddModule(parent, "q_a_layernorm",
              NormModule(kRmsNorm, sizes.Product({rows, latent.query_rank}), latent.query_rank));
    AddModule(parent, "q_b_proj", LinearModule(rows, latent.query_rank, queries, false));
  } else {
    AddModule(parent, "q_proj", LinearModule(rows, hidden, queries, false));
  }
  AddModule(parent, "kv_a_proj_with_mqa",
            SharedLinearModule(rows, hidden, sizes.Sum({latent.key_value_rank, latent.rotary_dim}), layer.key_bias));
  AddModule(parent, "kv_a_layernorm",
            NormModule(kRmsNorm, sizes.Product({rows, latent.key_value_rank}), latent.key_value_rank));
  const int64_t unrotated = layer.qk_dim - latent.rotary_dim;
  AddModule(parent, "kv_b_proj",
            LinearModule(rows, latent.key_value_rank, sizes.Product({layer.heads, sizes.Sum({unrotated, layer.v_dim})}),
                         false));
  // The rotated part of the keys is one vector for all heads.
  AddModule(parent, "rotary",
            ElementwiseModule("rotary", sizes.Product({rows, sizes.Sum({layer.heads, 1}), latent.rotary_dim})));
}

void AddProjections(Module& parent, const AttentionLayer& layer, int64_t rows, int64_t memory_rows, int64_t hidden,
                    int64_t memory_width, bool cross, CheckedSizes& sizes) {
  const int64_t queries = sizes.Product({layer.heads, layer.qk_dim});
  const int64_t keys = sizes.Product({layer.kv_heads, layer.qk_dim});
  const int64_t values = sizes.Product({layer.kv_heads, layer.v_dim});
  if (!layer.fused.empty()) {
    AddModule(parent, layer.fused, LinearModule(rows, hidden, sizes.Sum({queries, keys, values}), layer.query_bias));
  } else {
    AddModule(parent, layer.query, LinearModule(rows, hidden, queries, layer.query_bias));
    // Keys of a cross-attention come from the memory, which the queries have not kept.
    Module key = LinearModule(memory_rows, memory_width, keys, layer.key_bias);
    std::get<Linear>(key.operation).shared_input = !cross;
    AddModule(parent, layer.key, std::move(key));
    AddModule(parent, layer.value, SharedLinearModule(memory_rows, memory_width, values, layer.value_bias));
  }
  AddQueryKeyNorm(parent, layer, layer.query_norm, rows, layer.heads, sizes);
  AddQueryKeyNorm(parent, layer, layer.key_norm, memory_rows, layer.kv_heads, sizes);
  if (layer.rotary_dim > 0) {
    AddModule(
        parent, "rotary",
        ElementwiseModule("rotary", sizes.Product({rows, sizes.Sum({layer.heads, layer.kv_heads}), layer.rotary_dim})));
  }
}

/// The core and its projections; `keys` and `memory_width` are those of what it looks at.
void AddAttention(Module& block, const AttentionLayer& layer, int64_t batch, int64_t positions, int64_t keys,
                  int64_t hidden, int64_t memory_width, bool cross, CheckedSizes& sizes) {
  // Built apart and hung at its path at the end, so that its parts need no prefix.
  Module attention;
  attention.kind = "Attention";
  const int64_t rows = sizes.Product({batch, positions});
  if (layer.latent.has_value()) {
    AddLatentProjections(attention, layer, rows, hidden, sizes);
  } else {
    AddProjections(attention, layer, rows, sizes.Product({batch, keys}), hidden, memory_width, cross, sizes);
  }
  if (!layer.sinks.empty()) AddModule(attention, layer.sinks, ParameterModule("sinks", layer.heads));
  if (layer.relative_entries > 0) {
    AddModule(attention, "relative_attention_bias", ParameterModule("relative_position_bias", layer.relative_entries));
  }
  const int64_t visible = layer.window > 0 ? std::min(layer.window, keys) : keys;
  const int64_t scores = sizes.Product({batch, layer.heads, positions, visible});
  Module core;
  core.kind = "Attention";
  core.operation = Attention{.batch = batch,
                             .heads = layer.heads,
                             .kv_heads = layer.kv_heads,
                             .queries = positions,
                             .keys = keys,
                             .qk_dim = layer.qk_dim,
                             .v_dim = layer.v_dim,
                             .causal = layer.causal,
                             .window = layer.window,
                             .chunked = layer.chunked};
  AddModule(attention, "core", std::move(core));
  if (layer.softcap) AddModule(attention, "softcap", ElementwiseModule("softcap", scores));
  if (layer.score_bias) AddModule(attention, "score_bias", ElementwiseModule("add", scores));
  AddModule(attention, "softmax", ElementwiseModule("softmax", scores));
  const int64_t mixed = sizes.Product({layer.heads, layer.v_dim});
  AddModule(attention, layer.output, LinearModule(rows, mixed, hidden, layer.output_bias));
  AddModule(block, layer.path, std::move(attention));
}

void AddExperts(Module& block, const Experts& layer, int64_t rows, int64_t hidden, CheckedSizes& sizes) {
  Module mixture;
  mixture.kind = "MixtureOfExperts";
  AddModule(mixture, layer.router, LinearModule(rows, hidden, layer.count, layer.router_bias));
  if (!layer.correction_bias.empty()) {
    AddModule(mixture, layer.correction_bias, ParameterModule("router_bias", layer.count));
  }
  AddModule(mixture, "router_score", ElementwiseModule(layer.router_score, sizes.Product({rows, layer.count})));
  Module expert;
  expert.kind = "Expert";
  expert.instances = layer.count;
  expert.calls = layer.per_token;
  expert.expert = true;
  FeedForward inner = layer.expert;
  inner.path.clear();
  AddFeedForward(expert, inner, rows, hidden, sizes);
  // Weighing an expert's output and adding it to the others'.
  AddModule(expert, "weight", RowScaleModule(sizes.Product({rows, hidden})));
  AddModule(expert, "combine", ElementwiseModule("add", sizes.Product({rows, hidden})));
  AddModule(mixture, layer.experts, std::move(expert));
  if (layer.shared.has_value()) {
    AddFeedForward(mixture, *layer.shared, rows, hidden, sizes);
    if (!layer.shared_gate.empty()) {
      AddModule(mixture, layer.shared_gate, SharedLinearModule(rows, hidden, 1, false));
      AddModule(mixture, "shared_gate_score", ElementwiseModule("sigmoid", rows));
      AddModule(mixture, "shared_weight", RowScaleModule(sizes.Product({rows, hidden})));
    }
    AddModule(mixture, "shared_combine", ElementwiseModule("add", sizes.Product({rows, hidden})));
  }
  AddModule(block, layer.path, std::move(mixture));
}

}  // namespace

void AddFeedForward(Module& parent, const FeedForward& layer, int64_t rows, int64_t hidden, CheckedSizes& sizes) {
  const auto path = [&](std::string_view name) { return Joined(layer.path, name); };
  const int64_t elements = sizes.Product({rows, layer.width});
  if (!layer.fused.empty()) {
    AddModule(parent, path(layer.fused), LinearModule(rows, hidden, sizes.Product({2, layer.width}), layer.up_bias));
  } else {
    if (layer.gated) {
      AddModule(parent, path(layer.gate), LinearModule(rows, hidden, layer.width, layer.up_bias));
    }
    Module up = LinearModule(rows, hidden, layer.width, layer.up_bias);
    std::get<Linear>(up.operation).shared_input = layer.gated;
    AddModule(parent, path(layer.up), std::move(up));
  }
  AddModule(parent, path("activation"), ElementwiseModule(layer.activation, elements));
  if (layer.gated) AddModule(parent, path("gated"), ElementwiseModule("mul", elements));
  AddModule(parent, path(layer.down), LinearModule(rows, layer.width, hidden, layer.down_bias));
}

Module MakeBlock(const Block& block, int64_t batch, int64_t positions, int64_t memory_positions, CheckedSizes& sizes) {
  Module module;
  module.kind = block.kind;
  const int64_t rows = sizes.Product({batch, positions});
  const int64_t elements = sizes.Product({rows, block.hidden});
  const auto add_norm = [&](const std::string& name) {
    if (!name.empty()) AddModule(module, name, NormModule(block.norm, elements, block.hidden));
  };
  const auto add_residual = [&](std::string_view name) { AddModule(module, name, ElementwiseModule("add", elements)); };
  add_norm(block.attention_norm);
  AddAttention(module, block.attention, batch, positions, positions, block.hidden, block.hidden, /*cross=*/false,
               sizes);
  add_norm(block.after_attention_norm);
  add_residual("attention_residual");
  if (block.cross_attention.has_value()) {
    add_norm(block.cross_attention_norm);
    AddAttention(module, *block.cross_attention, batch, positions, memory_positions, block.hidden,
                 block.memory_width > 0 ? block.memory_width : block.hidden, /*cross=*/true, sizes);
    add_residual("cross_attention_residual");
  }
  add_norm(block.feed_forward_norm);
  if (block.experts.has_value()) {
    AddExperts(module, *block.experts, rows, block.hidden, sizes);
  } else {
    AddFeedForward(module, block.feed_forward, rows, block.hidden, sizes);
  }
  add_norm(block.after_feed_forward_norm);
  add_residual("feed_forward_residual");
  return module;
}

}  // namespace planner::model
