#include "core/model/decoder.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/base/checked.h"
#include "core/base/status_macros.h"
#include "core/model/batch_sizes.h"

namespace planner::model {
namespace {

std::string LabelOf(const LayerVariant& variant, const LayerVariant& first, bool experts_vary, bool windows_vary,
                    bool rotary_varies) {
  std::string label;
  const auto append = [&](const char* word) { label += (label.empty() ? "" : "_") + std::string(word); };
  if (experts_vary) append(variant.experts ? "moe" : "dense");
  if (windows_vary) {
    const bool other_size = variant.window > 0 && first.window > 0 && variant.window != first.window;
    append(variant.window == 0 ? "full" : "sliding");
    if (other_size) append(std::to_string(variant.window).c_str());
  }
  if (rotary_varies && !windows_vary) append(variant.rotary ? "rotary" : "unrotated");
  return label;
}

Module LanguageModelHead(const DecoderArchitecture& a, int64_t rows) {
  const int64_t width = a.embedding_width > 0 ? a.embedding_width : a.hidden;
  Module head = LinearModule(rows, width, a.vocab, a.head_bias);
  Linear& linear = std::get<Linear>(head.operation);
  linear.head = true;
  linear.tied = a.tied;
  return head;
}

absl::StatusOr<Module> ExpandDecoder(const DecoderArchitecture& a, int64_t default_positions, const BatchShape& shape) {
  ASSIGN_OR_RETURN(const TokenBatch tokens,
                   ResolveTokens(shape, default_positions, a.position_table.empty() ? 0 : a.max_positions));
  CheckedSizes sizes;
  const int64_t rows = sizes.Product({tokens.batch, tokens.positions});
  const int64_t elements = sizes.Product({rows, a.hidden});
  const int64_t embedding_width = a.embedding_width > 0 ? a.embedding_width : a.hidden;
  // A bare model's weights have no prefix.
  const std::string trunk = a.head == DecoderHead::kNone ? "" : a.trunk;
  Module model;
  model.kind = a.family;
  const auto add = [&](const std::string& name, Role role, Module module) {
    module.role = role;
    AddModule(model, Joined(trunk, name), std::move(module));
  };
  add(a.embedding, Role::kEmbedding, EmbeddingModule(rows, a.vocab, embedding_width));
  if (a.scaled_embedding) {
    add("embedding_scale", Role::kEmbedding, ElementwiseModule("scale", elements));
  }
  const std::string beside = a.embedding.substr(0, a.embedding.rfind('.') + 1);
  if (embedding_width != a.hidden) {
    add(beside + "project_in", Role::kEmbedding, LinearModule(rows, embedding_width, a.hidden, false));
  }
  if (!a.position_table.empty()) {
    add(a.position_table, Role::kEmbedding, EmbeddingModule(tokens.positions, a.position_rows, a.hidden));
    add("position_add", Role::kEmbedding, ElementwiseModule("add", elements));
  }
  if (!a.embedding_norm.empty()) {
    add(a.embedding_norm, Role::kEmbedding, NormModule(a.norm, elements, a.hidden));
  }
  AddBlocks(model, Joined(trunk, a.blocks), a.groups, tokens.batch, tokens.positions, tokens.positions, sizes);
  if (!a.final_norm.empty()) {
    add(a.final_norm, Role::kHead, NormModule(a.norm, elements, a.hidden));
  }
  if (embedding_width != a.hidden) {
    add(beside + "project_out", Role::kHead, LinearModule(rows, a.hidden, embedding_width, false));
  }
  const auto add_head = [&](const std::string& name, Module module) {
    module.role = Role::kHead;
    AddModule(model, name, std::move(module));
  };
  switch (a.head) {
    case DecoderHead::kNone:
      break;
    case DecoderHead::kLanguageModel:
      add_head(a.head_name, LanguageModelHead(a, rows));
      if (a.logit_softcap) {
        add_head("logit_softcap", ElementwiseModule("softcap", sizes.Product({rows, a.vocab})));
      }
      break;
    case DecoderHead::kDoubleHeads:
      add_head(a.head_name, LanguageModelHead(a, rows));
      if (a.summary_width > 0) {
        add_head("multiple_choice_head.summary", LinearModule(tokens.batch, a.hidden, a.summary_width, true));
      }
      break;
    case DecoderHead::kSequenceClassification:
      add_head("score", LinearModule(rows, embedding_width, a.labels, false));
      break;
    case DecoderHead::kTokenClassification:
      add_head("score", LinearModule(rows, embedding_width, a.labels, true));
      break;
    case DecoderHead::kQuestionAnswering:
      add_head("qa_outputs", LinearModule(rows, embedding_width, a.question_outputs, true));
      break;
  }
  RETURN_IF_ERROR(sizes.status());
  return model;
}

}  // namespace

std::vector<BlockGroup> GroupBlocks(int64_t layers, const std::function<LayerVariant(int64_t)>& variant_of,
                                    const std::function<Block(const LayerVariant&)>& make_block) {
  std::vector<BlockGroup> groups;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const LayerVariant variant = variant_of(layer);
    const auto it =
        std::find_if(groups.begin(), groups.end(), [&](const BlockGroup& group) { return group.variant == variant; });
    if (it != groups.end()) {
      ++it->count;
    } else {
      groups.push_back({variant, make_block(variant), 1, ""});
    }
  }
  if (groups.size() < 2) return groups;
  const LayerVariant first = groups.front().variant;
  bool experts_vary = false;
  bool windows_vary = false;
  bool rotary_varies = false;
  for (const BlockGroup& group : groups) {
    experts_vary = experts_vary || group.variant.experts != first.experts;
    windows_vary = windows_vary || group.variant.window != first.window;
    rotary_varies = rotary_varies || group.variant.rotary != first.rotary;
  }
  for (BlockGroup& group : groups) {
    group.label = LabelOf(group.variant, first, experts_vary, windows_vary, rotary_varies);
  }
  return groups;
}

void AddBlocks(Module& stack, const std::string& path, const std::vector<BlockGroup>& groups, int64_t batch,
               int64_t positions, int64_t memory_positions, CheckedSizes& sizes) {
  for (const BlockGroup& group : groups) {
    Module block = MakeBlock(group.block, batch, positions, memory_positions, sizes);
    block.instances = group.count;
    block.calls = group.count;
    block.role = Role::kBlock;
    AddModule(stack, Joined(path, group.label), std::move(block));
  }
}

/// Weights of latent attention: queries down and up, keys and values down and up, output. DeepSeek-V3: 7168 x 1536 + 1536 x
/// 24,576 + 7168 x 576 + 512 x 32,768 + 16,384 x 7168 = 187,105,280.
/// Saturates at 1e18: sizes may be hostile.
int64_t LatentProjection(const AttentionLayer& attention, int64_t hidden_size) {
  const auto real = [](int64_t value) { return static_cast<double>(value); };
  const LatentAttention& latent = *attention.latent;
  const double hidden = real(hidden_size);
  const double rank = real(latent.key_value_rank);
  const double heads = real(attention.heads);
  const double queries = heads * real(attention.qk_dim);
  const double values = heads * real(attention.v_dim);
  const double query_weights = latent.query_rank > 0 ? real(latent.query_rank) * (hidden + queries) : hidden * queries;
  const double weights = query_weights + hidden * (rank + real(latent.rotary_dim)) +
                         rank * (queries - heads * real(latent.rotary_dim) + values) + values * hidden;
  return static_cast<int64_t>(std::clamp(weights, 1.0, 1e18));
}

TransformerShape ShapeOf(const std::vector<BlockGroup>& groups) {
  TransformerShape shape;
  shape.layers = 0;
  for (const BlockGroup& group : groups) {
    const Block& block = group.block;
    const AttentionLayer& attention = block.attention;
    shape.layers += group.count;
    shape.hidden = block.hidden;
    shape.heads = attention.heads;
    shape.kv_heads = attention.kv_heads;
    shape.qk_dim = attention.qk_dim;
    shape.v_dim = attention.v_dim;
    shape.ffn = block.feed_forward.width;
    shape.gated = block.feed_forward.gated;
    shape.causal = attention.causal;
    shape.window = std::max(shape.window, attention.window);
    if (attention.window > 0) shape.window_layers += group.count;
    if (attention.latent.has_value()) {
      shape.attention_projection = LatentProjection(attention, block.hidden);
      shape.cached_elements =
          (base::Checked(attention.latent->key_value_rank) + attention.latent->rotary_dim).ValueOrZero();
    }
    if (!block.experts.has_value()) continue;
    shape.experts = block.experts->count;
    shape.experts_per_token = block.experts->per_token;
    shape.expert_ffn = block.experts->expert.width;
    shape.shared_expert_ffn = block.experts->shared.has_value() ? block.experts->shared->width : 0;
    shape.moe_layers += group.count;
  }
  return shape;
}

int64_t DefaultPositions(int64_t max_positions) {
  constexpr int64_t kLongestDefault = 4096;
  constexpr int64_t kUnlimitedDefault = 2048;
  return max_positions > 0 ? std::min(max_positions, kLongestDefault) : kUnlimitedDefault;
}

ModelDescription DescribeDecoder(DecoderArchitecture architecture) {
  ModelDescription description;
  description.family = architecture.family;
  description.kind = ModelKind::kDecoder;
  description.max_seq_len = architecture.max_positions;
  description.default_seq_len = DefaultPositions(architecture.max_positions);
  description.inputs = {{.sequence_dimension = 1}};
  description.transformer = ShapeOf(architecture.groups);
  description.transformer->vocab = architecture.vocab;
  description.transformer->tied_embeddings = architecture.tied;
  description.extra_stored_parameters = architecture.extra_stored_parameters;
  description.warnings = architecture.warnings;
  const auto shared = std::make_shared<const DecoderArchitecture>(std::move(architecture));
  description.expand = [shared, positions = description.default_seq_len](const BatchShape& shape) {
    return ExpandDecoder(*shared, positions, shape);
  };
  return description;
}

}  // namespace planner::model
