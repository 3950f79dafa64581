// The families from before Llama: GPT-2 and everything that grew from it and from GPT-NeoX.

#include <string>
#include <utility>

#include "core/base/checked.h"
#include "core/base/status_macros.h"
#include "core/model/family.h"

namespace planner::model {
namespace {

/// The parts that all of them read alike.
DecoderArchitecture ReadBase(FamilyInput& input, bool tied) {
  DecoderArchitecture a;
  a.family = input.model_type;
  a.trunk = "transformer";
  a.vocab = input.fields.Size({"vocab_size"});
  a.norm = kLayerNorm;
  a.tied = input.fields.Flag({"tie_word_embeddings"}, tied);
  a.head = ReadDecoderHead(input.architecture, a.warnings);
  a.labels = ReadLabels(input.fields);
  return a;
}

void SetHeads(AttentionLayer& attention, const HeadSizes& heads) {
  attention.heads = heads.heads;
  attention.kv_heads = heads.kv_heads;
  attention.qk_dim = attention.v_dim = heads.head_dim;
}

/// A feed-forward layer of two products.
void SetPlain(FeedForward& layer, int64_t width, const char* up, const char* down, bool bias) {
  layer.gated = false;
  layer.width = width;
  layer.up = up;
  layer.down = down;
  layer.up_bias = layer.down_bias = bias;
}

absl::StatusOr<ModelDescription> Finish(FamilyInput& input, DecoderArchitecture a, Block block, int64_t layers) {
  RETURN_IF_ERROR(input.fields.status());
  block.hidden = a.hidden;
  block.norm = a.norm;
  a.groups = GroupBlocks(
      layers, [](int64_t) { return LayerVariant{}; }, [&](const LayerVariant&) { return block; });
  return DescribeDecoder(std::move(a));
}

/// GPT-2's names, which GPT-BigCode, GPT-J and CodeGen share.
DecoderArchitecture ReadGpt2Base(FamilyInput& input, bool tied) {
  DecoderArchitecture a = ReadBase(input, tied);
  a.hidden = input.fields.Size({"n_embd", "hidden_size"});
  a.max_positions = input.fields.Count({"n_positions", "max_position_embeddings", "n_ctx"}, 0);
  a.embedding = "wte";
  a.blocks = "h";
  a.final_norm = "ln_f";
  return a;
}

void SetPositionTable(FamilyInput& input, DecoderArchitecture& a) {
  a.position_table = "wpe";
  a.position_rows = a.max_positions;
  if (a.max_positions == 0) input.fields.Fail("n_positions", "is missing");
}

absl::StatusOr<ModelDescription> ReadGpt2Like(FamilyInput input, bool multi_query, const char* kind) {
  Fields& f = input.fields;
  DecoderArchitecture a = ReadGpt2Base(input, true);
  SetPositionTable(input, a);
  Block block;
  block.kind = kind;
  block.attention_norm = "ln_1";
  block.feed_forward_norm = "ln_2";
  SetHeads(block.attention, ReadHeads(f, a.hidden, {"n_head", "num_attention_heads"}, {}, {}));
  if (multi_query) block.attention.kv_heads = 1;
  if (f.Flag({"summary_use_proj"}, true)) {
    a.summary_width = f.Flag({"summary_proj_to_labels"}, true) ? 1 : a.hidden;
  }
  block.attention.path = "attn";
  block.attention.fused = "c_attn";
  block.attention.output = "c_proj";
  block.attention.SetBias(true, true);
  SetPlain(block.feed_forward, f.Size({"n_inner", "intermediate_size"}, 4 * a.hidden), "c_fc", "c_proj", true);
  block.feed_forward.activation = ReadActivation(f, {"activation_function", "hidden_act"}, "gelu_new");
  return Finish(input, std::move(a), block, f.Layers({"n_layer", "num_hidden_layers"}));
}

absl::StatusOr<ModelDescription> ReadGpt2(FamilyInput input) {
  // SantaCoder's files, from before there was a gpt_bigcode.
  const bool multi_query = input.fields.TextIs("attention_head_type", "multiquery");
  return ReadGpt2Like(std::move(input), multi_query, "GPT2Block");
}

absl::StatusOr<ModelDescription> ReadGptBigCode(FamilyInput input) {
  const bool multi_query = input.fields.Flag({"multi_query"}, true);
  return ReadGpt2Like(std::move(input), multi_query, "GPTBigCodeBlock");
}

/// GPT-J and CodeGen: one norm feeds attention and feed-forward layer, the head has a bias.
absl::StatusOr<ModelDescription> ReadGptJLike(FamilyInput input, const char* kind, const char* fused) {
  Fields& f = input.fields;
  DecoderArchitecture a = ReadGpt2Base(input, false);
  a.head_bias = true;
  a.question_outputs = a.labels;
  Block block;
  block.kind = kind;
  block.attention_norm = "ln_1";
  block.feed_forward_norm.clear();
  AttentionLayer& attention = block.attention;
  SetHeads(attention, ReadHeads(f, a.hidden, {"n_head", "num_attention_heads"}, {}, {}));
  attention.path = "attn";
  attention.fused = fused;
  attention.output = "out_proj";
  attention.rotary_dim = f.Size({"rotary_dim"}, attention.qk_dim);
  SetPlain(block.feed_forward, f.Size({"n_inner", "intermediate_size"}, 4 * a.hidden), "fc_in", "fc_out", true);
  block.feed_forward.activation = ReadActivation(f, {"activation_function", "hidden_act"}, "gelu_new");
  return Finish(input, std::move(a), block, f.Layers({"n_layer", "num_hidden_layers"}));
}

absl::StatusOr<ModelDescription> ReadGptJ(FamilyInput input) { return ReadGptJLike(std::move(input), "GPTJBlock", ""); }

absl::StatusOr<ModelDescription> ReadCodeGen(FamilyInput input) {
  return ReadGptJLike(std::move(input), "CodeGenBlock", "qkv_proj");
}

absl::StatusOr<ModelDescription> ReadGptNeoX(FamilyInput input) {
  Fields& f = input.fields;
  DecoderArchitecture a = ReadBase(input, false);
  a.trunk = "gpt_neox";
  a.hidden = f.Size({"hidden_size"});
  a.max_positions = f.Count({"max_position_embeddings"}, 0);
  a.embedding = "embed_in";
  a.final_norm = "final_layer_norm";
  a.head_name = "embed_out";
  Block block;
  block.kind = "GPTNeoXLayer";
  AttentionLayer& attention = block.attention;
  SetHeads(attention, ReadHeads(f, a.hidden, {"num_attention_heads"}, {}, {}));
  attention.path = "attention";
  attention.fused = "query_key_value";
  attention.output = "dense";
  attention.rotary_dim = ReadRotaryDim(f, {"rotary_pct", "partial_rotary_factor"}, attention.qk_dim, 0.25);
  const bool bias = f.Flag({"attention_bias"}, true);
  attention.SetBias(bias, bias);
  SetPlain(block.feed_forward, f.Size({"intermediate_size"}), "dense_h_to_4h", "dense_4h_to_h", true);
  block.feed_forward.activation = ReadActivation(f, {"hidden_act"}, "gelu");
  return Finish(input, std::move(a), block, f.Layers({"num_hidden_layers"}));
}

absl::StatusOr<ModelDescription> ReadOpt(FamilyInput input) {
  Fields& f = input.fields;
  DecoderArchitecture a = ReadBase(input, true);
  a.trunk = "model";
  a.hidden = f.Size({"hidden_size"});
  a.embedding = "decoder.embed_tokens";
  a.embedding_width = f.Size({"word_embed_proj_dim"}, a.hidden);
  a.max_positions = f.Size({"max_position_embeddings"});
  a.position_table = "decoder.embed_positions";
  // The table begins with two rows that no position uses.
  a.position_rows = a.max_positions + 2;
  a.blocks = "decoder.layers";
  const bool norm_first = f.Flag({"do_layer_norm_before"}, true);
  const bool last_norm = norm_first && !f.Flag({"_remove_final_layer_norm"}, false);
  a.final_norm = last_norm ? "decoder.final_layer_norm" : "";
  if (!f.Flag({"layer_norm_elementwise_affine"}, true)) a.norm = kBareLayerNorm;
  const bool bias = f.Flag({"enable_bias"}, true);
  Block block;
  block.kind = "OPTDecoderLayer";
  (norm_first ? block.attention_norm : block.after_attention_norm) = "self_attn_layer_norm";
  (norm_first ? block.feed_forward_norm : block.after_feed_forward_norm) = "final_layer_norm";
  if (!norm_first) {
    block.attention_norm.clear();
    block.feed_forward_norm.clear();
  }
  SetHeads(block.attention, ReadHeads(f, a.hidden, {"num_attention_heads"}, {}, {}));
  block.attention.output = "out_proj";
  block.attention.SetBias(bias, bias);
  SetPlain(block.feed_forward, f.Size({"ffn_dim"}), "fc1", "fc2", bias);
  block.feed_forward.path.clear();
  block.feed_forward.activation = ReadActivation(f, {"activation_function"}, "relu");
  return Finish(input, std::move(a), block, f.Layers({"num_hidden_layers"}));
}

/// Names that BLOOM and Falcon share.
Block BloomNames(const char* kind) {
  Block block;
  block.kind = kind;
  block.attention.path = "self_attention";
  block.attention.fused = "query_key_value";
  block.attention.output = "dense";
  block.feed_forward.activation = "gelu";
  return block;
}

absl::StatusOr<ModelDescription> ReadBloom(FamilyInput input) {
  Fields& f = input.fields;
  DecoderArchitecture a = ReadBase(input, true);
  a.hidden = f.Size({"hidden_size", "n_embed", "n_embd"});
  // ALiBi has no longest position; seq_length is what the model was trained with.
  a.max_positions = f.Count({"seq_length"}, 0);
  a.embedding = "word_embeddings";
  a.embedding_norm = "word_embeddings_layernorm";
  a.blocks = "h";
  a.final_norm = "ln_f";
  Block block = BloomNames("BloomBlock");
  SetHeads(block.attention, ReadHeads(f, a.hidden, {"n_head", "num_attention_heads"}, {}, {}));
  block.attention.SetBias(true, true);
  block.attention.score_bias = true;
  SetPlain(block.feed_forward, 4 * a.hidden, "dense_h_to_4h", "dense_4h_to_h", true);
  return Finish(input, std::move(a), block, f.Layers({"n_layer", "num_hidden_layers"}));
}

absl::StatusOr<ModelDescription> ReadFalcon(FamilyInput input) {
  Fields& f = input.fields;
  DecoderArchitecture a = ReadBase(input, true);
  a.hidden = f.Size({"hidden_size"});
  a.max_positions = f.Count({"max_position_embeddings"}, 2048);
  a.embedding = "word_embeddings";
  a.blocks = "h";
  a.final_norm = "ln_f";
  Block block = BloomNames("FalconDecoderLayer");
  AttentionLayer& attention = block.attention;
  HeadSizes heads = ReadHeads(f, a.hidden, {"num_attention_heads", "n_head"}, {"num_kv_heads", "n_head_kv"}, {});
  // Old files of the 40B say RefinedWeb and n_head_kv instead of new_decoder_architecture.
  const bool new_architecture = f.Flag({"new_decoder_architecture"}, f.Has({"n_head_kv"}));
  if (!new_architecture) {
    heads.kv_heads = f.Flag({"multi_query"}, true) ? 1 : heads.heads;
  }
  SetHeads(attention, heads);
  const bool bias = f.Flag({"bias"}, false);
  attention.SetBias(bias, bias);
  attention.score_bias = f.Flag({"alibi"}, false);
  attention.rotary_dim = attention.score_bias ? 0 : heads.head_dim;
  const bool parallel = f.Flag({"parallel_attn"}, true);
  const int64_t norms = f.Size({"num_ln_in_parallel_attn"}, new_architecture ? 2 : 1);
  if (new_architecture && norms == 2) {
    block.attention_norm = "ln_attn";
    block.feed_forward_norm = "ln_mlp";
  } else if (parallel) {
    block.feed_forward_norm.clear();
  }
  SetPlain(block.feed_forward, f.Size({"ffn_hidden_size"}, 4 * a.hidden), "dense_h_to_4h", "dense_4h_to_h", bias);
  block.feed_forward.activation = ReadActivation(f, {"activation"}, "gelu");
  // Every published file of the family holds the head beside the embedding that it shares: 7B 7,217,189,760 numbers.
  if (a.tied && a.head == DecoderHead::kLanguageModel) a.extra_stored_parameters = (base::Checked(a.vocab) * a.hidden).ValueOrZero();
  return Finish(input, std::move(a), block, f.Layers({"num_hidden_layers", "n_layer"}));
}

absl::StatusOr<ModelDescription> ReadMpt(FamilyInput input) {
  Fields& f = input.fields;
  DecoderArchitecture a = ReadBase(input, true);
  a.hidden = f.Size({"d_model", "hidden_size"});
  a.max_positions = f.Count({"max_seq_len"}, 2048);
  a.embedding = "wte";
  a.final_norm = "norm_f";
  const bool bias = !f.Flag({"no_bias"}, true);
  a.norm = bias ? kLayerNorm : kLayerNormWithoutShift;
  Block block;
  block.kind = "MptBlock";
  block.attention_norm = "norm_1";
  block.feed_forward_norm = "norm_2";
  HeadSizes heads = ReadHeads(f, a.hidden, {"n_heads"}, {}, {});
  Fields attention_fields = f.Object("attn_config");
  const bool grouped = attention_fields.Has({"kv_n_heads"});
  const std::string type =
      attention_fields.Text({"attn_type"}, grouped ? "grouped_query_attention" : "multihead_attention");
  if (type == "multiquery_attention") heads.kv_heads = 1;
  if (type == "grouped_query_attention") {
    heads.kv_heads = attention_fields.Size({"kv_n_heads"}, heads.heads);
  }
  if (heads.heads % heads.kv_heads != 0) {
    attention_fields.Fail("kv_n_heads", "does not divide the number of heads: kv_heads=" +
                                            std::to_string(heads.kv_heads) + " heads=" + std::to_string(heads.heads));
  }
  // transformers' own class has ALiBi unless told otherwise, and never a table of positions.
  block.attention.score_bias = attention_fields.Flag({"alibi"}, true);
  if (attention_fields.Flag({"rope"}, false)) block.attention.rotary_dim = heads.head_dim;
  SetHeads(block.attention, heads);
  block.attention.path = "attn";
  block.attention.fused = "Wqkv";
  block.attention.output = "out_proj";
  block.attention.SetBias(bias, bias);
  // Whole in every published file, but a fraction is allowed.
  double width = f.Number({"expansion_ratio"}, 4) * static_cast<double>(a.hidden);
  if (width < 1 || width > static_cast<double>(kMaxSize)) {
    f.Fail("expansion_ratio", "makes a feed-forward layer of no sensible width: width=" + std::to_string(width));
    width = 1;
  }
  SetPlain(block.feed_forward, static_cast<int64_t>(width), "up_proj", "down_proj", bias);
  block.feed_forward.path = "ffn";
  block.feed_forward.activation = "gelu";
  f.Check(attention_fields.status());
  return Finish(input, std::move(a), block, f.Layers({"n_layers", "num_hidden_layers"}));
}

absl::StatusOr<ModelDescription> ReadPhi(FamilyInput input) {
  Fields& f = input.fields;
  DecoderArchitecture a = ReadBase(input, false);
  a.trunk = "model";
  a.hidden = f.Size({"hidden_size", "n_embd"});
  a.max_positions = f.Count({"max_position_embeddings", "n_positions"}, 0);
  a.final_norm = "final_layernorm";
  a.head_bias = true;
  Block block;
  block.kind = "PhiDecoderLayer";
  block.feed_forward_norm.clear();  // Attention and feed-forward layer share one norm.
  AttentionLayer& attention = block.attention;
  SetHeads(attention,
           ReadHeads(f, a.hidden, {"num_attention_heads", "n_head"}, {"num_key_value_heads", "n_head_kv"}, {}));
  attention.output = "dense";
  attention.SetBias(true, true);
  attention.rotary_dim = ReadRotaryDim(f, {"partial_rotary_factor"}, attention.qk_dim, 0.5);
  if (f.Flag({"qk_layernorm"}, false)) {
    attention.qk_norm = QueryKeyNorm::kHead;
    attention.qk_norm_style = kLayerNorm;
    attention.query_norm = "q_layernorm";
    attention.key_norm = "k_layernorm";
  }
  SetPlain(block.feed_forward, f.Size({"intermediate_size", "n_inner"}, 4 * a.hidden), "fc1", "fc2", true);
  block.feed_forward.activation = ReadActivation(f, {"hidden_act", "activation_function"}, "gelu_new");
  return Finish(input, std::move(a), block, f.Layers({"num_hidden_layers", "n_layer"}));
}

/// ChatGLM-6B, the first one: GLM blocks with LayerNorm and biases, and a tied head.
absl::StatusOr<ModelDescription> ReadChatGlm1(FamilyInput input) {
  Fields& f = input.fields;
  DecoderArchitecture a = ReadBase(input, true);
  a.hidden = f.Size({"hidden_size"});
  a.max_positions = f.Count({"max_sequence_length"}, 0);
  a.embedding = "word_embeddings";
  a.final_norm = "final_layernorm";
  Block block;
  block.kind = "GLMBlock";
  AttentionLayer& attention = block.attention;
  SetHeads(attention, ReadHeads(f, a.hidden, {"num_attention_heads"}, {}, {}));
  attention.path = "attention";
  attention.fused = "query_key_value";
  attention.output = "dense";
  attention.rotary_dim = attention.qk_dim;
  attention.SetBias(true, true);
  SetPlain(block.feed_forward, f.Size({"inner_hidden_size"}, 4 * a.hidden), "dense_h_to_4h", "dense_4h_to_h", true);
  block.feed_forward.activation = "gelu";
  return Finish(input, std::move(a), block, f.Layers({"num_layers", "num_hidden_layers"}));
}

absl::StatusOr<ModelDescription> ReadChatGlm(FamilyInput input) {
  Fields& f = input.fields;
  if (f.Has({"inner_hidden_size"})) return ReadChatGlm1(std::move(input));
  DecoderArchitecture a;
  a.family = input.model_type;
  a.trunk = "transformer";
  a.vocab = f.Size({"padded_vocab_size", "vocab_size"});
  a.hidden = f.Size({"hidden_size"});
  a.max_positions = f.Count({"seq_length"}, 0);
  a.norm = f.Flag({"rmsnorm"}, true) ? kRmsNorm : kLayerNorm;
  a.tied = f.Flag({"tie_word_embeddings"}, false);
  // ChatGLMModel is the class that its files name for the whole model.
  a.head = input.architecture == "ChatGLMModel" ? DecoderHead::kLanguageModel
                                                : ReadDecoderHead(input.architecture, a.warnings);
  a.labels = ReadLabels(f);
  a.embedding = "embedding.word_embeddings";
  a.blocks = "encoder.layers";
  a.final_norm = f.Flag({"post_layer_norm"}, true) ? "encoder.final_layernorm" : "";
  a.head_name = "transformer.output_layer";
  Block block;
  block.kind = "GLMBlock";
  const bool multi_query = f.Flag({"multi_query_attention"}, false);
  HeadSizes heads = ReadHeads(f, a.hidden, {"num_attention_heads"}, {"multi_query_group_num"}, {"kv_channels"});
  if (!multi_query) heads.kv_heads = heads.heads;
  AttentionLayer& attention = block.attention;
  SetHeads(attention, heads);
  attention.path = "self_attention";
  attention.fused = "query_key_value";
  attention.output = "dense";
  attention.rotary_dim = heads.head_dim / 2;
  const bool bias = f.Flag({"add_bias_linear"}, true);
  attention.SetBias(bias || f.Flag({"add_qkv_bias"}, false), bias);
  FeedForward& feed_forward = block.feed_forward;
  feed_forward.width = f.Size({"ffn_hidden_size"});
  feed_forward.fused = "dense_h_to_4h";
  feed_forward.down = "dense_4h_to_h";
  feed_forward.up_bias = feed_forward.down_bias = bias;
  return Finish(input, std::move(a), block, f.Layers({"num_layers", "num_hidden_layers"}));
}

constexpr Family kFamilies[] = {
    {"gpt2", "GPT2", ReadGpt2},       {"gpt_bigcode", "GPTBigCode", ReadGptBigCode},
    {"gptj", "GPTJ", ReadGptJ},       {"codegen", "CodeGen", ReadCodeGen},
    {"moss", "Moss", ReadCodeGen},    {"gpt_neox", "GPTNeoX", ReadGptNeoX},
    {"opt", "OPT", ReadOpt},          {"bloom", "Bloom", ReadBloom},
    {"falcon", "Falcon", ReadFalcon}, {"mpt", "Mpt", ReadMpt},
    {"phi", "Phi", ReadPhi},          {"chatglm", "ChatGLM", ReadChatGlm},
};

}  // namespace

std::span<const Family> GptFamilies() { return kFamilies; }

}  // namespace planner::model
