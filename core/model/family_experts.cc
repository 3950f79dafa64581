// Mixtures of experts: Mixtral, Qwen's, DeepSeek's, gpt-oss, Llama 4.

#include <algorithm>
#include <utility>

#include "core/base/checked.h"
#include "core/base/status_macros.h"
#include "core/model/family_llama.h"

namespace planner::model {
namespace {

/// Which layers have experts, and which window each has.
struct Layout {
  std::vector<bool> experts;
  std::vector<int64_t> windows;
  std::vector<bool> rotary;
};

Layout PlainLayout(int64_t layers) {
  const size_t count = static_cast<size_t>(layers);
  return {std::vector<bool>(count, true), std::vector<int64_t>(count, 0), std::vector<bool>(count, true)};
}

/// `reading.block` has both the dense layer and the experts; each group keeps what is its own.
absl::StatusOr<ModelDescription> Finish(FamilyInput& input, LlamaReading reading, const Layout& layout) {
  RETURN_IF_ERROR(input.fields.status());
  DecoderArchitecture& a = reading.architecture;
  a.groups = GroupBlocks(
      reading.layers,
      [&](int64_t layer) {
        const size_t i = static_cast<size_t>(layer);
        return LayerVariant{layout.experts[i], layout.windows[i], layout.rotary[i]};
      },
      [&](const LayerVariant& variant) {
        Block block = reading.block;
        block.attention.window = variant.window;
        if (!variant.rotary) block.attention.rotary_dim = 0;
        if (!variant.experts) block.experts.reset();
        return block;
      });
  return DescribeDecoder(std::move(a));
}

/// Experts like the block's dense layer, `width` wide.
Experts MakeExperts(const Block& block, int64_t width) {
  Experts experts;
  experts.expert = block.feed_forward;
  experts.expert.width = width;
  return experts;
}

void ReadCounts(Fields& fields, Experts& experts, Fields::Names count, Fields::Names per_token) {
  experts.count = fields.Size(count);
  experts.per_token = fields.Size(per_token);
  if (experts.per_token > experts.count) {
    fields.Fail(fields.NameOf(per_token),
                "is more than there are experts: experts_per_token=" + std::to_string(experts.per_token) +
                    " experts=" + std::to_string(experts.count));
  }
}

absl::StatusOr<ModelDescription> ReadMixtral(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "Mixtral", .reads_attention_bias = false});
  Experts experts = MakeExperts(r.block, r.block.feed_forward.width);
  ReadCounts(input.fields, experts, {"num_local_experts"}, {"num_experts_per_tok"});
  experts.path = "block_sparse_moe";
  experts.expert.gate = "w1";
  experts.expert.up = "w3";
  experts.expert.down = "w2";
  r.block.experts = experts;
  Layout layout = PlainLayout(r.layers);
  const int64_t window = input.fields.Count({"sliding_window"}, 0);
  std::fill(layout.windows.begin(), layout.windows.end(), window);
  return Finish(input, std::move(r), layout);
}

/// decoder_sparse_step and mlp_only_layers, of both Qwen families.
Layout QwenLayout(Fields& fields, int64_t layers) {
  Layout layout = PlainLayout(layers);
  const int64_t step = fields.Size({"decoder_sparse_step"}, 1);
  const std::vector<int64_t> dense = fields.Counts({"mlp_only_layers"});
  for (size_t i = 0; i < layout.experts.size(); ++i) {
    layout.experts[i] = (static_cast<int64_t>(i) + 1) % step == 0;
  }
  for (const int64_t layer : dense) {
    if (layer < layers) layout.experts[static_cast<size_t>(layer)] = false;
  }
  const bool slides = fields.Flag({"use_sliding_window"}, false);
  layout.windows = ReadWindows(
      fields, layers, slides ? fields.Count({"sliding_window"}, 4096) : 0,
      [](int64_t layer, int64_t first) { return layer >= first; }, fields.Count({"max_window_layers"}, 28));
  return layout;
}

absl::StatusOr<ModelDescription> ReadQwen2Moe(FamilyInput input) {
  Fields& f = input.fields;
  LlamaReading r = ReadLlama(input, {.class_prefix = "Qwen2Moe", .qkv_bias = true, .reads_attention_bias = false});
  const bool bias = f.Flag({"qkv_bias"}, true);
  r.block.attention.SetBias(bias, false);
  Experts experts = MakeExperts(r.block, f.Size({"moe_intermediate_size"}));
  ReadCounts(f, experts, {"num_experts"}, {"num_experts_per_tok"});
  experts.shared = r.block.feed_forward;
  experts.shared->path = "shared_expert";
  experts.shared->width = f.Size({"shared_expert_intermediate_size"});
  experts.shared_gate = "shared_expert_gate";
  r.block.experts = experts;
  return Finish(input, r, QwenLayout(f, r.layers));
}

absl::StatusOr<ModelDescription> ReadQwen3Moe(FamilyInput input) {
  Fields& f = input.fields;
  LlamaReading r = ReadLlama(input, {.class_prefix = "Qwen3Moe"});
  r.block.attention.qk_norm = QueryKeyNorm::kHead;
  Experts experts = MakeExperts(r.block, f.Size({"moe_intermediate_size"}));
  ReadCounts(f, experts, {"num_experts"}, {"num_experts_per_tok"});
  r.block.experts = experts;
  return Finish(input, r, QwenLayout(f, r.layers));
}

// ---- DeepSeek ----

/// Elements that a stored layer adds: its weights, and with `scale_block` > 0 the scales of weights
/// that are quantized by squares of that size.
struct StoredElements {
  int64_t scale_block = 0;

  base::Checked Of(const Module& module) const {
    base::Checked own = 0;
    if (const auto* linear = std::get_if<Linear>(&module.operation)) {
      own = base::Checked(linear->in_features) * linear->out_features;
      if (linear->bias) own += linear->out_features;
      // Routers stay as they are.
      if (scale_block > 0 && module.name != "gate") {
        own +=
            base::Checked((linear->in_features - 1) / scale_block + 1) * ((linear->out_features - 1) / scale_block + 1);
      }
    } else if (const auto* norm = std::get_if<Norm>(&module.operation)) {
      own = norm->width;
    } else if (const auto* tensor = std::get_if<ParameterTensor>(&module.operation)) {
      own = tensor->elements;
    }
    for (const Module& child : module.children) own += Of(child);
    return own * module.instances;
  }
};

/// The square that fp8 weights share a scale in, 0 for files that have none.
int64_t ReadScaleBlock(Fields& fields) {
  Fields quantization = fields.Object("quantization_config");
  const std::string method = quantization.Text({"quant_method"});
  const std::vector<int64_t> block = quantization.Counts({"weight_block_size"});
  fields.Check(quantization.status());
  return method == "fp8" && block.size() == 2 && block[0] == block[1] ? block[0] : 0;
}

/// What DeepSeek's files store beside the model: layers that predict further tokens (each with its own
/// copy of the embedding and head, two norms, one before its head, a projection of two hidden states to
/// one, and a block with experts), and the scales of fp8 weights. DeepSeek-V3: 684,531,386,000 stored
/// for 671,026,419,200 parameters.
int64_t ReadDeepSeekExtra(Fields& fields, const LlamaReading& reading, const Layout& layout) {
  const StoredElements stored{ReadScaleBlock(fields)};
  const StoredElements plain;
  const DecoderArchitecture& a = reading.architecture;
  CheckedSizes sizes;
  Block sparse = reading.block;
  Block dense = reading.block;
  dense.experts.reset();
  const Module sparse_module = MakeBlock(sparse, 1, 1, 1, sizes);
  const Module dense_module = MakeBlock(dense, 1, 1, 1, sizes);
  base::Checked extra = 0;
  for (const bool experts : layout.experts) {
    const Module& module = experts ? sparse_module : dense_module;
    extra += stored.Of(module) - plain.Of(module);
    if (stored.scale_block == 0) break;  // No layer has any scales.
  }
  const base::Checked hidden = a.hidden;
  extra += (hidden * a.vocab * 2 + hidden * hidden * 2 + hidden * 3 + stored.Of(sparse_module)) *
           fields.Count({"num_nextn_predict_layers"}, 0);
  if (extra.overflowed() || !sizes.status().ok()) {
    fields.Fail("num_nextn_predict_layers", "makes a model whose size does not fit 64 bits");
  }
  return extra.ValueOrZero();
}

absl::StatusOr<ModelDescription> ReadDeepSeek(FamilyInput input, const char* prefix, bool corrected_by_default) {
  Fields& f = input.fields;
  LlamaReading r = ReadLlama(input, {.class_prefix = prefix});
  AttentionLayer& attention = r.block.attention;
  LatentAttention latent;
  latent.query_rank = f.Count({"q_lora_rank"}, 0);
  latent.key_value_rank = f.Size({"kv_lora_rank"});
  latent.rotary_dim = f.Size({"qk_rope_head_dim"});
  attention.latent = latent;
  attention.kv_heads = attention.heads;  // What the file says of them means nothing here.
  attention.qk_dim = f.Size({"qk_nope_head_dim"}) + latent.rotary_dim;
  attention.v_dim = f.Size({"v_head_dim"});
  Layout layout = PlainLayout(r.layers);
  std::fill(layout.experts.begin(), layout.experts.end(), false);
  if (f.Has({"n_routed_experts"})) {
    const int64_t width = f.Size({"moe_intermediate_size"});
    Experts experts = MakeExperts(r.block, width);
    ReadCounts(f, experts, {"n_routed_experts"}, {"num_experts_per_tok"});
    experts.router_score = f.Text({"scoring_func"}, "softmax") == "sigmoid" ? "sigmoid" : "softmax";
    const std::string method = f.Text({"topk_method"}, corrected_by_default ? "noaux_tc" : "greedy");
    if (method == "noaux_tc") experts.correction_bias = "gate.e_score_correction_bias";
    if (const int64_t shared = f.Count({"n_shared_experts"}, 0); shared > 0) {
      experts.shared = r.block.feed_forward;
      experts.shared->path = "shared_experts";
      experts.shared->width = base::Checked(base::Checked(shared) * width).ValueOrZero();
      if (experts.shared->width == 0) f.Fail("n_shared_experts", "is too large");
    }
    r.block.experts = experts;
    const int64_t dense = f.Count({"first_k_dense_replace"}, 0);
    const int64_t frequency = f.Size({"moe_layer_freq"}, 1);
    for (int64_t i = dense; i < r.layers; ++i) {
      layout.experts[static_cast<size_t>(i)] = i % frequency == 0;
    }
  }
  if (!f.ok()) return f.status();
  r.architecture.extra_stored_parameters = ReadDeepSeekExtra(f, r, layout);
  return Finish(input, std::move(r), layout);
}

absl::StatusOr<ModelDescription> ReadDeepSeekV2(FamilyInput input) {
  return ReadDeepSeek(std::move(input), "DeepseekV2", false);
}

absl::StatusOr<ModelDescription> ReadDeepSeekV3(FamilyInput input) {
  return ReadDeepSeek(std::move(input), "DeepseekV3", true);
}

// ---- gpt-oss and Llama 4 ----

absl::StatusOr<ModelDescription> ReadGptOss(FamilyInput input) {
  Fields& f = input.fields;
  LlamaReading r = ReadLlama(input, {.class_prefix = "GptOss", .qkv_bias = true, .output_bias = true});
  r.block.attention.sinks = "sinks";
  r.block.feed_forward.fused = "gate_up_proj";
  r.block.feed_forward.up_bias = r.block.feed_forward.down_bias = true;
  Experts experts = MakeExperts(r.block, r.block.feed_forward.width);
  ReadCounts(f, experts, {"num_local_experts", "num_experts"}, {"num_experts_per_tok", "experts_per_token"});
  experts.router = "router";
  experts.router_bias = true;
  r.block.experts = experts;
  Layout layout = PlainLayout(r.layers);
  layout.windows = ReadWindows(
      f, r.layers, f.Count({"sliding_window"}, 128), [](int64_t layer, int64_t) { return layer % 2 == 0; }, 2);
  return Finish(input, std::move(r), layout);
}

/// Every n-th layer has experts, unless moe_layers lists them.
std::vector<bool> Llama4Experts(Fields& fields, int64_t layers) {
  std::vector<bool> experts(static_cast<size_t>(layers), false);
  const int64_t step = fields.Size({"interleave_moe_layer_step"}, 1);
  if (!fields.Has({"moe_layers"})) {
    for (int64_t i = step - 1; i < layers; i += step) experts[static_cast<size_t>(i)] = true;
    return experts;
  }
  for (const int64_t layer : fields.Counts({"moe_layers"})) {
    if (layer < layers) {
      experts[static_cast<size_t>(layer)] = true;
    } else {
      fields.Fail("moe_layers", "names a layer that does not exist: layer=" + std::to_string(layer) +
                                    " layers=" + std::to_string(layers));
    }
  }
  return experts;
}

absl::StatusOr<ModelDescription> ReadLlama4(FamilyInput input) {
  Fields& f = input.fields;
  LlamaReading r = ReadLlama(input, {.class_prefix = "Llama4Text"});
  const int64_t expert_width = r.block.feed_forward.width;
  r.block.feed_forward.path = "feed_forward";
  r.block.feed_forward.width = f.Size({"intermediate_size_mlp"}, 16384);
  r.block.attention.chunked = true;
  Experts experts = MakeExperts(r.block, expert_width);
  ReadCounts(f, experts, {"num_local_experts"}, {"num_experts_per_tok"});
  experts.path = "feed_forward";
  experts.router = "router";
  experts.router_score = "sigmoid";
  experts.expert.fused = "gate_up_proj";
  experts.shared = r.block.feed_forward;
  experts.shared->path = "shared_expert";
  experts.shared->width = expert_width;
  r.block.experts = experts;
  Layout layout = PlainLayout(r.layers);
  layout.experts = Llama4Experts(f, r.layers);
  // Layers with rotary positions look at their chunk only; every fourth has none and sees everything.
  const int64_t chunk = f.Count({"attention_chunk_size"}, 8192);
  const int64_t interval = f.Size({"no_rope_layer_interval"}, 4);
  layout.windows = ReadWindows(
      f, r.layers, chunk, [](int64_t layer, int64_t period) { return (layer + 1) % period != 0; }, interval);
  const std::vector<int64_t> rotary = f.Counts({"no_rope_layers"});
  if (!rotary.empty() && static_cast<int64_t>(rotary.size()) != r.layers) {
    f.Fail("no_rope_layers", "must have one entry a layer: entries=" + std::to_string(rotary.size()) +
                                 " layers=" + std::to_string(r.layers));
    return f.status();
  }
  for (size_t i = 0; i < layout.rotary.size(); ++i) {
    layout.rotary[i] = rotary.empty() ? (static_cast<int64_t>(i) + 1) % interval != 0 : rotary[i] != 0;
    if (!rotary.empty() && !f.Has({"layer_types"})) layout.windows[i] = rotary[i] != 0 ? chunk : 0;
  }
  return Finish(input, std::move(r), layout);
}

constexpr std::string_view kLlama4Defaults =
    R"({"hidden_size":5120,"num_hidden_layers":48,"num_attention_heads":40,"num_key_value_heads":8,
        "head_dim":128,"intermediate_size":8192,"intermediate_size_mlp":16384,"vocab_size":202048,
        "num_local_experts":16,"num_experts_per_tok":1,"interleave_moe_layer_step":1,
        "max_position_embeddings":131072})";

constexpr Family kFamilies[] = {
    {"mixtral", "Mixtral", ReadMixtral},
    {"qwen2_moe", "Qwen2Moe", ReadQwen2Moe},
    {"qwen3_moe", "Qwen3Moe", ReadQwen3Moe},
    {"deepseek_v2", "DeepseekV2", ReadDeepSeekV2},
    {"deepseek_v3", "DeepseekV3", ReadDeepSeekV3},
    {"kimi_k2", "KimiK2", ReadDeepSeekV3},
    {"gpt_oss", "GptOss", ReadGptOss},
    {"llama4_text", "Llama4", ReadLlama4, kLlama4Defaults},
};

}  // namespace

std::span<const Family> ExpertFamilies() { return kFamilies; }

}  // namespace planner::model
