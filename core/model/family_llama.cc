#include "core/model/family_llama.h"

#include <utility>

#include "core/base/status_macros.h"

namespace planner::model {
namespace {

// Rules for which layers slide, by the layer's index.
bool AllSlide(int64_t, int64_t) { return true; }
bool EvenSlide(int64_t layer, int64_t) { return layer % 2 == 0; }
bool AllButEveryNth(int64_t layer, int64_t period) { return (layer + 1) % period != 0; }
bool FromNth(int64_t layer, int64_t first) { return layer >= first; }

/// Published files that store a head which is tied: sizes that the file cannot tell. (safetensors of
/// Qwen3-0.6B hold 751,632,384 elements for 596,049,920 unique parameters.)
struct StoredTwice {
  std::string_view model_type;
  int64_t hidden;
  int64_t layers;
  int64_t vocab;
};
constexpr StoredTwice kStoredTwice[] = {
    {"qwen3", 1024, 28, 151936},  // Qwen3-0.6B
    {"qwen3", 2048, 28, 151936},  // Qwen3-1.7B
    {"qwen2", 1024, 24, 151936},  // Qwen1.5-0.5B
};

int64_t StoredHead(const LlamaReading& reading) {
  const DecoderArchitecture& a = reading.architecture;
  if (!a.tied || a.head != DecoderHead::kLanguageModel) return 0;
  for (const StoredTwice& published : kStoredTwice) {
    if (published.model_type == a.family && published.hidden == a.hidden && published.layers == reading.layers &&
        published.vocab == a.vocab) {
      return a.vocab * a.hidden;
    }
  }
  return 0;
}

absl::StatusOr<ModelDescription> ReadLlamaFamily(FamilyInput input) { return FinishLlama(input, ReadLlama(input, {})); }

absl::StatusOr<ModelDescription> ReadMistral(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "Mistral", .reads_attention_bias = false});
  const int64_t window = input.fields.Count({"sliding_window"}, 0);
  return FinishLlama(input, r, ReadWindows(input.fields, r.layers, window, AllSlide, 1));
}

std::vector<int64_t> QwenWindows(Fields& fields, int64_t layers) {
  const bool slides = fields.Flag({"use_sliding_window"}, false);
  const int64_t window = slides ? fields.Count({"sliding_window"}, 4096) : 0;
  return ReadWindows(fields, layers, window, FromNth, fields.Count({"max_window_layers"}, 28));
}

absl::StatusOr<ModelDescription> ReadQwen2(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "Qwen2", .qkv_bias = true, .reads_attention_bias = false});
  return FinishLlama(input, r, QwenWindows(input.fields, r.layers));
}

absl::StatusOr<ModelDescription> ReadQwen3(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "Qwen3"});
  r.block.attention.qk_norm = QueryKeyNorm::kHead;
  return FinishLlama(input, r, QwenWindows(input.fields, r.layers));
}

LlamaReading ReadGemmaBase(FamilyInput& input, std::string prefix) {
  LlamaReading r =
      ReadLlama(input, {.class_prefix = std::move(prefix), .tied = true, .activation = "gelu_pytorch_tanh"});
  // Gemma's heads do not share out the hidden size.
  if (!input.fields.Has({"head_dim"})) input.fields.Fail("head_dim", "is missing");
  r.architecture.scaled_embedding = true;
  return r;
}

void AddGemmaNorms(Block& block) {
  block.after_attention_norm = "post_attention_layernorm";
  block.feed_forward_norm = "pre_feedforward_layernorm";
  block.after_feed_forward_norm = "post_feedforward_layernorm";
}

absl::StatusOr<ModelDescription> ReadGemma(FamilyInput input) {
  return FinishLlama(input, ReadGemmaBase(input, "Gemma"));
}

absl::StatusOr<ModelDescription> ReadGemma2(FamilyInput input) {
  LlamaReading r = ReadGemmaBase(input, "Gemma2");
  AddGemmaNorms(r.block);
  r.block.attention.softcap = input.fields.Has({"attn_logit_softcapping"});
  r.architecture.logit_softcap = input.fields.Has({"final_logit_softcapping"});
  const int64_t window = input.fields.Count({"sliding_window"}, 4096);
  return FinishLlama(input, r, ReadWindows(input.fields, r.layers, window, EvenSlide, 2));
}

absl::StatusOr<ModelDescription> ReadGemma3(FamilyInput input) {
  LlamaReading r = ReadGemmaBase(input, "Gemma3");
  AddGemmaNorms(r.block);
  r.block.attention.qk_norm = QueryKeyNorm::kHead;
  r.block.attention.softcap = input.fields.Has({"attn_logit_softcapping"});
  r.architecture.logit_softcap = input.fields.Has({"final_logit_softcapping"});
  const int64_t window = input.fields.Count({"sliding_window"}, 4096);
  const int64_t period = input.fields.Size({"sliding_window_pattern", "_sliding_window_pattern"}, 6);
  return FinishLlama(input, r, ReadWindows(input.fields, r.layers, window, AllButEveryNth, period));
}

absl::StatusOr<ModelDescription> ReadPhi3(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "Phi3", .reads_attention_bias = false});
  AttentionLayer& attention = r.block.attention;
  attention.fused = "qkv_proj";
  r.block.feed_forward.fused = "gate_up_proj";
  const int64_t window = input.fields.Count({"sliding_window"}, 0);
  return FinishLlama(input, r, ReadWindows(input.fields, r.layers, window, AllSlide, 1));
}

absl::StatusOr<ModelDescription> ReadBaichuan(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "Baichuan", .reads_attention_bias = false});
  r.block.attention.fused = "W_pack";
  if (!input.fields.Has({"max_position_embeddings"})) {
    // The 13B models have ALiBi, and say how long they were trained for in model_max_length.
    r.block.attention.rotary_dim = 0;
    r.block.attention.score_bias = true;
    r.architecture.max_positions = input.fields.Count({"model_max_length"}, 0);
  }
  return FinishLlama(input, r);
}

absl::StatusOr<ModelDescription> ReadInternLm(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "InternLM", .reads_attention_bias = false});
  const bool bias = input.fields.Flag({"bias"}, true);
  r.block.attention.SetBias(bias, bias);
  return FinishLlama(input, r);
}

absl::StatusOr<ModelDescription> ReadInternLm2(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "InternLM2", .reads_attention_bias = false});
  const bool bias = input.fields.Flag({"bias"}, true);
  AttentionLayer& attention = r.block.attention;
  attention.path = "attention";
  attention.fused = "wqkv";
  attention.output = "wo";
  attention.SetBias(bias, bias);
  FeedForward& feed_forward = r.block.feed_forward;
  feed_forward.path = "feed_forward";
  feed_forward.gate = "w1";
  feed_forward.up = "w3";
  feed_forward.down = "w2";
  r.block.attention_norm = "attention_norm";
  r.block.feed_forward_norm = "ffn_norm";
  r.architecture.embedding = "tok_embeddings";
  r.architecture.head_name = "output";
  return FinishLlama(input, r);
}

absl::StatusOr<ModelDescription> ReadOlmo(FamilyInput input) {
  // Norms without any parameters.
  return FinishLlama(input, ReadLlama(input, {.class_prefix = "Olmo", .norm = kBareLayerNorm}));
}

LlamaReading ReadOlmo2Base(FamilyInput& input, std::string prefix) {
  LlamaReading r = ReadLlama(input, {.class_prefix = std::move(prefix)});
  r.block.attention_norm.clear();
  r.block.after_attention_norm = "post_attention_layernorm";
  r.block.feed_forward_norm.clear();
  r.block.after_feed_forward_norm = "post_feedforward_layernorm";
  r.block.attention.qk_norm = QueryKeyNorm::kAllHeads;
  return r;
}

absl::StatusOr<ModelDescription> ReadOlmo2(FamilyInput input) {
  return FinishLlama(input, ReadOlmo2Base(input, "Olmo2"));
}

absl::StatusOr<ModelDescription> ReadOlmo3(FamilyInput input) {
  LlamaReading r = ReadOlmo2Base(input, "Olmo3");
  const int64_t window = input.fields.Count({"sliding_window"}, 4096);
  return FinishLlama(input, r, ReadWindows(input.fields, r.layers, window, AllButEveryNth, 4));
}

absl::StatusOr<ModelDescription> ReadStableLm(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "StableLm", .reads_attention_bias = false, .norm = kLayerNorm});
  AttentionLayer& attention = r.block.attention;
  attention.SetBias(input.fields.Flag({"use_qkv_bias"}, false), false);
  attention.rotary_dim = ReadRotaryDim(input.fields, {"partial_rotary_factor", "rope_pct"}, attention.qk_dim, 0.25);
  if (input.fields.Flag({"qk_layernorm"}, false)) {
    attention.qk_norm = QueryKeyNorm::kEachHead;
    attention.qk_norm_style = kLayerNormWithoutShift;
    attention.query_norm = "q_layernorm";
    attention.key_norm = "k_layernorm";
  }
  // Parallel blocks feed both halves from one norm.
  if (input.fields.Flag({"use_parallel_residual"}, false)) r.block.feed_forward_norm.clear();
  return FinishLlama(input, r);
}

absl::StatusOr<ModelDescription> ReadStarcoder2(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "Starcoder2",
                                     .reads_attention_bias = false,
                                     .tied = true,
                                     .norm = kLayerNorm,
                                     .activation = "gelu_pytorch_tanh"});
  const bool bias = input.fields.Flag({"use_bias"}, true);
  r.block.attention.SetBias(bias, bias);
  FeedForward& feed_forward = r.block.feed_forward;
  feed_forward.gated = false;
  feed_forward.up = "c_fc";
  feed_forward.down = "c_proj";
  feed_forward.up_bias = feed_forward.down_bias = bias;
  const int64_t window = input.fields.Count({"sliding_window"}, 0);
  return FinishLlama(input, r, ReadWindows(input.fields, r.layers, window, AllSlide, 1));
}

LlamaReading ReadCohereBase(FamilyInput& input, std::string prefix) {
  LlamaReading r = ReadLlama(input, {.class_prefix = std::move(prefix), .tied = true, .norm = kLayerNormWithoutShift});
  r.block.feed_forward_norm.clear();
  return r;
}

absl::StatusOr<ModelDescription> ReadCohere(FamilyInput input) {
  LlamaReading r = ReadCohereBase(input, "Cohere");
  if (input.fields.Flag({"use_qk_norm"}, false)) {
    r.block.attention.qk_norm = QueryKeyNorm::kEachHead;
    r.block.attention.qk_norm_style = kLayerNormWithoutShift;
  }
  return FinishLlama(input, r);
}

absl::StatusOr<ModelDescription> ReadCohere2(FamilyInput input) {
  LlamaReading r = ReadCohereBase(input, "Cohere2");
  const int64_t window = input.fields.Count({"sliding_window"}, 4096);
  const int64_t period = input.fields.Size({"sliding_window_pattern", "_sliding_window_pattern"}, 4);
  return FinishLlama(input, r, ReadWindows(input.fields, r.layers, window, AllButEveryNth, period));
}

absl::StatusOr<ModelDescription> ReadGranite(FamilyInput input) {
  return FinishLlama(input, ReadLlama(input, {.class_prefix = "Granite"}));
}

LlamaReading ReadGlmBase(FamilyInput& input, std::string prefix) {
  LlamaReading r = ReadLlama(input, {.class_prefix = std::move(prefix), .bias_spares_output = true});
  r.block.feed_forward.fused = "gate_up_proj";
  AttentionLayer& attention = r.block.attention;
  attention.rotary_dim = ReadRotaryDim(input.fields, {"partial_rotary_factor"}, attention.qk_dim, 0.5);
  return r;
}

absl::StatusOr<ModelDescription> ReadGlm(FamilyInput input) { return FinishLlama(input, ReadGlmBase(input, "Glm")); }

absl::StatusOr<ModelDescription> ReadGlm4(FamilyInput input) {
  LlamaReading r = ReadGlmBase(input, "Glm4");
  r.block.after_attention_norm = "post_self_attn_layernorm";
  r.block.after_feed_forward_norm = "post_mlp_layernorm";
  return FinishLlama(input, r);
}

absl::StatusOr<ModelDescription> ReadNemotron(FamilyInput input) {
  LlamaReading r = ReadLlama(input, {.class_prefix = "Nemotron", .norm = kLayerNorm, .activation = "relu2"});
  r.block.feed_forward.gated = false;
  AttentionLayer& attention = r.block.attention;
  attention.rotary_dim =
      ReadRotaryDim(input.fields, {"partial_rotary_factor", "rope_percent", "rope_percentage"}, attention.qk_dim, 0.5);
  return FinishLlama(input, r);
}

absl::StatusOr<ModelDescription> ReadQwen1(FamilyInput input) {
  Fields& f = input.fields;
  LlamaReading r = ReadLlama(input, {.class_prefix = "QWen", .reads_attention_bias = false});
  DecoderArchitecture& a = r.architecture;
  a.trunk = "transformer";
  a.embedding = "wte";
  a.blocks = "h";
  a.final_norm = "ln_f";
  a.max_positions = f.Count({"seq_length", "max_position_embeddings"}, 0);
  const bool bias = !f.Flag({"no_bias"}, true);
  AttentionLayer& attention = r.block.attention;
  attention.path = "attn";
  attention.fused = "c_attn";
  attention.output = "c_proj";
  attention.qk_dim = attention.v_dim = f.Size({"kv_channels"}, attention.qk_dim);
  attention.rotary_dim = ReadRotaryDim(f, {"rotary_pct"}, attention.qk_dim, 1.0);
  attention.SetBias(true, bias);
  FeedForward& feed_forward = r.block.feed_forward;
  // Its intermediate_size is that of both halves together.
  if (feed_forward.width % 2 != 0) {
    f.Fail("intermediate_size", "must be even: intermediate_size=" + std::to_string(feed_forward.width));
  }
  feed_forward.width = std::max<int64_t>(feed_forward.width / 2, 1);
  feed_forward.gate = "w2";
  feed_forward.up = "w1";
  feed_forward.down = "c_proj";
  feed_forward.up_bias = feed_forward.down_bias = bias;
  r.block.attention_norm = "ln_1";
  r.block.feed_forward_norm = "ln_2";
  return FinishLlama(input, r);
}

constexpr std::string_view kLlamaDefaults =
    R"({"hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,
        "intermediate_size":11008,"vocab_size":32000,"max_position_embeddings":2048})";
constexpr std::string_view kMistralDefaults =
    R"({"hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,
        "intermediate_size":14336,"vocab_size":32000,"max_position_embeddings":131072,
        "sliding_window":4096})";
constexpr std::string_view kGemmaDefaults =
    R"({"hidden_size":3072,"num_hidden_layers":28,"num_attention_heads":16,
        "num_key_value_heads":16,"head_dim":256,"intermediate_size":24576,"vocab_size":256000,
        "max_position_embeddings":8192})";
constexpr std::string_view kGemma2Defaults =
    R"({"hidden_size":2304,"num_hidden_layers":26,"num_attention_heads":8,"num_key_value_heads":4,
        "head_dim":256,"intermediate_size":9216,"vocab_size":256000,"sliding_window":4096,
        "attn_logit_softcapping":50.0,"final_logit_softcapping":30.0,
        "max_position_embeddings":8192})";
constexpr std::string_view kGemma3Defaults =
    R"({"hidden_size":2304,"num_hidden_layers":26,"num_attention_heads":8,"num_key_value_heads":4,
        "head_dim":256,"intermediate_size":9216,"vocab_size":262208,"sliding_window":4096,
        "max_position_embeddings":131072})";
constexpr std::string_view kQwen2Defaults =
    R"({"hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,
        "num_key_value_heads":32,"intermediate_size":22016,"vocab_size":151936,
        "max_position_embeddings":32768})";

constexpr Family kFamilies[] = {
    {"llama", "Llama", ReadLlamaFamily, kLlamaDefaults},
    {"mistral", "Mistral", ReadMistral, kMistralDefaults},
    {"qwen", "QWen", ReadQwen1},
    {"qwen2", "Qwen2", ReadQwen2, kQwen2Defaults},
    {"qwen3", "Qwen3", ReadQwen3},
    {"gemma", "Gemma", ReadGemma, kGemmaDefaults},
    {"gemma2", "Gemma2", ReadGemma2, kGemma2Defaults},
    {"gemma3_text", "Gemma3", ReadGemma3, kGemma3Defaults},
    {"phi3", "Phi3", ReadPhi3},
    {"baichuan", "Baichuan", ReadBaichuan},
    {"internlm", "InternLM", ReadInternLm},
    {"internlm2", "InternLM2", ReadInternLm2},
    {"olmo", "Olmo", ReadOlmo},
    {"olmo2", "Olmo2", ReadOlmo2},
    {"olmo3", "Olmo3", ReadOlmo3},
    {"stablelm", "StableLm", ReadStableLm},
    {"starcoder2", "Starcoder2", ReadStarcoder2},
    {"cohere", "Cohere", ReadCohere},
    {"cohere2", "Cohere2", ReadCohere2},
    {"granite", "Granite", ReadGranite},
    {"glm", "Glm", ReadGlm},
    {"glm4", "Glm4", ReadGlm4},
    {"nemotron", "Nemotron", ReadNemotron},
};

}  // namespace

LlamaReading ReadLlama(FamilyInput& input, const LlamaTraits& traits) {
  Fields& f = input.fields;
  LlamaReading r;
  r.layers = f.Layers({"num_hidden_layers", "num_layers", "n_layer"});
  DecoderArchitecture& a = r.architecture;
  a.family = input.model_type;
  a.vocab = f.Size({"vocab_size", "padded_vocab_size"});
  a.hidden = f.Size({"hidden_size", "n_embd"});
  a.max_positions = f.Count({"max_position_embeddings"}, 0);
  a.norm = traits.norm;
  a.tied = f.Flag({"tie_word_embeddings"}, traits.tied);
  a.head = ReadDecoderHead(input.architecture, a.warnings);
  a.labels = ReadLabels(f);
  Block& block = r.block;
  block.kind = traits.class_prefix + "DecoderLayer";
  block.hidden = a.hidden;
  block.norm = traits.norm;
  const HeadSizes heads =
      ReadHeads(f, a.hidden, {"num_attention_heads", "n_head"}, {"num_key_value_heads"}, {"head_dim"});
  AttentionLayer& attention = block.attention;
  attention.heads = heads.heads;
  attention.kv_heads = heads.kv_heads;
  attention.qk_dim = attention.v_dim = heads.head_dim;
  attention.rotary_dim = ReadRotaryDim(f, {"partial_rotary_factor"}, heads.head_dim, 1.0);
  attention.SetBias(traits.qkv_bias, traits.output_bias);
  if (traits.reads_attention_bias && f.Has({"attention_bias"})) {
    const bool bias = f.Flag({"attention_bias"}, false);
    attention.SetBias(bias, bias && !traits.bias_spares_output);
  }
  FeedForward& feed_forward = block.feed_forward;
  feed_forward.width = f.Size({"intermediate_size"});
  feed_forward.activation = ReadActivation(f, {"hidden_activation", "hidden_act"}, traits.activation);
  feed_forward.up_bias = feed_forward.down_bias = f.Flag({"mlp_bias"}, false);
  return r;
}

std::vector<int64_t> ReadWindows(Fields& fields, int64_t layers, int64_t window,
                                 bool (*slides)(int64_t layer, int64_t period), int64_t period) {
  std::vector<int64_t> windows(static_cast<size_t>(layers), 0);
  const std::vector<std::string> types = fields.Texts({"layer_types"}, layers);
  for (size_t i = 0; i < windows.size(); ++i) {
    bool slide = slides(static_cast<int64_t>(i), period);
    if (!types.empty()) {
      slide = types[i] == "sliding_attention" || types[i] == "chunked_attention";
      if (!slide && types[i] != "full_attention") {
        fields.Fail("layer_types[" + std::to_string(i) + "]",
                    "is not supported (full_attention, sliding_attention, chunked_attention are): "
                    "value=\"" +
                        types[i].substr(0, 60) + "\"");
      }
    }
    if (slide) windows[i] = window;
  }
  return windows;
}

absl::StatusOr<ModelDescription> FinishLlama(FamilyInput& input, LlamaReading reading,
                                             const std::vector<int64_t>& windows) {
  RETURN_IF_ERROR(input.fields.status());
  DecoderArchitecture& a = reading.architecture;
  a.extra_stored_parameters += StoredHead(reading);
  a.groups = GroupBlocks(
      reading.layers,
      [&](int64_t layer) {
        const size_t i = static_cast<size_t>(layer);
        return LayerVariant{.window = i < windows.size() ? windows[i] : 0};
      },
      [&](const LayerVariant& variant) {
        Block block = reading.block;
        block.attention.window = variant.window;
        return block;
      });
  return DescribeDecoder(std::move(a));
}

std::span<const Family> LlamaFamilies() { return kFamilies; }

}  // namespace planner::model
