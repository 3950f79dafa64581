// T5 and its kin, BART, Whisper.

#include <algorithm>
#include <utility>

#include "core/base/checked.h"
#include "core/base/status_macros.h"
#include "core/model/encoder_decoder.h"
#include "core/model/family.h"

namespace planner::model {
namespace {

EncoderDecoderHead ReadHead(const std::string& architecture, std::vector<std::string>& warnings) {
  const std::string_view name = architecture;
  if (name.ends_with("ForSequenceClassification")) return EncoderDecoderHead::kSequenceClassification;
  if (name.ends_with("ForTokenClassification")) return EncoderDecoderHead::kTokenClassification;
  if (name.ends_with("ForQuestionAnswering")) return EncoderDecoderHead::kQuestionAnswering;
  if (name.ends_with("EncoderModel")) return EncoderDecoderHead::kEncoderOnly;
  if (name.empty() || name.ends_with("ForConditionalGeneration") || name.ends_with("LMHeadModel")) {
    return EncoderDecoderHead::kLanguageModel;
  }
  if (name.ends_with("Model") && !NamesTask(name)) return EncoderDecoderHead::kNone;
  warnings.push_back("architectures names " + architecture +
                     ", whose head is not known: planned with a language-model head");
  return EncoderDecoderHead::kLanguageModel;
}

absl::StatusOr<ModelDescription> Finish(FamilyInput& input, EncoderDecoderArchitecture a,
                                        std::vector<std::string> warnings) {
  RETURN_IF_ERROR(input.fields.status());
  ModelDescription description = DescribeEncoderDecoder(std::move(a));
  description.warnings = std::move(warnings);
  return description;
}

// ---- T5 ----

void SetAttention(AttentionLayer& attention, const char* path, int64_t heads, int64_t head_dim, bool causal) {
  attention.path = path;
  attention.query = "q";
  attention.key = "k";
  attention.value = "v";
  attention.output = "o";
  attention.heads = attention.kv_heads = heads;
  attention.qk_dim = attention.v_dim = head_dim;
  attention.causal = causal;
}

TransformerStack T5Stack(FamilyInput& input, int64_t hidden, bool decoder) {
  Fields& f = input.fields;
  TransformerStack stack;
  stack.path = decoder ? "decoder" : "encoder";
  stack.blocks = "block";
  stack.final_norm = "final_layer_norm";
  const int64_t encoder_layers = f.Layers({"num_layers"});
  stack.layers = decoder ? f.Layers({"num_decoder_layers"}, encoder_layers) : encoder_layers;
  const int64_t heads = f.Size({"num_heads"});
  const int64_t head_dim = f.Size({"d_kv"});
  Block& block = stack.block;
  block.kind = "T5Block";
  block.hidden = hidden;
  block.norm = kRmsNorm;
  SetAttention(block.attention, "layer.0.SelfAttention", heads, head_dim, decoder);
  block.attention.score_bias = true;
  block.attention_norm = "layer.0.layer_norm";
  if (decoder) {
    block.cross_attention.emplace();
    SetAttention(*block.cross_attention, "layer.1.EncDecAttention", heads, head_dim, false);
    block.cross_attention_norm = "layer.1.layer_norm";
  }
  const std::string last = decoder ? "layer.2" : "layer.1";
  block.feed_forward_norm = last + ".layer_norm";
  FeedForward& feed_forward = block.feed_forward;
  feed_forward.path = last + ".DenseReluDense";
  feed_forward.width = f.Size({"d_ff"});
  const std::string projection = f.Text({"feed_forward_proj"}, "relu");
  const std::string_view gated = "gated-";
  feed_forward.gated = projection.starts_with(gated);
  feed_forward.gate = "wi_0";
  feed_forward.up = feed_forward.gated ? "wi_1" : "wi";
  feed_forward.down = "wo";
  const std::string activation = feed_forward.gated ? projection.substr(gated.size()) : projection;
  feed_forward.activation = ReadActivation(f, {"dense_act_fn"}, activation);
  const int64_t buckets = f.Size({"relative_attention_num_buckets"}, 32);
  const int64_t entries = base::Checked(base::Checked(buckets) * heads).ValueOrZero();
  if (entries == 0) f.Fail("relative_attention_num_buckets", "is too large");
  if (input.model_type == "umt5") {
    block.attention.relative_entries = entries;  // A table in every block.
  } else {
    stack.relative_table = "relative_attention_bias";
    stack.relative_entries = entries;
  }
  return stack;
}

absl::StatusOr<ModelDescription> ReadT5(FamilyInput input) {
  Fields& f = input.fields;
  std::vector<std::string> warnings;
  EncoderDecoderArchitecture a;
  a.family = input.model_type;
  a.vocab = f.Size({"vocab_size"});
  a.hidden = f.Size({"d_model"});
  a.encoder = T5Stack(input, a.hidden, false);
  a.decoder = T5Stack(input, a.hidden, true);
  // mT5 is a v1.1 model: its head has weights of its own.
  a.tied = f.Flag({"tie_word_embeddings"}, input.model_type != "mt5");
  a.scaled_output = true;
  a.head = ReadHead(input.architecture, warnings);
  a.labels = ReadLabels(f);
  a.max_positions = f.Count({"n_positions"}, 0);
  a.default_positions = a.max_positions > 0 ? std::min<int64_t>(a.max_positions, 4096) : 512;
  return Finish(input, std::move(a), std::move(warnings));
}

// ---- BART and Whisper ----

/// A side with BART's names. `heads` and `width` are spelled by side.
TransformerStack BartStack(Fields& f, int64_t hidden, bool decoder, bool norm_first) {
  TransformerStack stack;
  stack.path = decoder ? "decoder" : "encoder";
  stack.layers =
      decoder ? f.Layers({"decoder_layers", "num_hidden_layers"}) : f.Layers({"encoder_layers", "num_hidden_layers"});
  stack.position_table = "embed_positions";
  const HeadSizes heads = decoder ? ReadHeads(f, hidden, {"decoder_attention_heads"}, {}, {})
                                  : ReadHeads(f, hidden, {"encoder_attention_heads"}, {}, {});
  Block& block = stack.block;
  block.kind = decoder ? "DecoderLayer" : "EncoderLayer";
  block.hidden = hidden;
  block.norm = kLayerNorm;
  AttentionLayer attention;
  attention.output = "out_proj";
  attention.heads = attention.kv_heads = heads.heads;
  attention.qk_dim = attention.v_dim = heads.head_dim;
  attention.causal = decoder;
  attention.SetBias(true, true);
  block.attention = attention;
  if (decoder) {
    attention.path = "encoder_attn";
    attention.causal = false;
    block.cross_attention = attention;
    block.cross_attention_norm = "encoder_attn_layer_norm";
  }
  block.attention_norm.clear();
  block.feed_forward_norm.clear();
  (norm_first ? block.attention_norm : block.after_attention_norm) = "self_attn_layer_norm";
  (norm_first ? block.feed_forward_norm : block.after_feed_forward_norm) = "final_layer_norm";
  FeedForward& feed_forward = block.feed_forward;
  feed_forward.path.clear();
  feed_forward.gated = false;
  feed_forward.width = decoder ? f.Size({"decoder_ffn_dim"}) : f.Size({"encoder_ffn_dim"});
  feed_forward.up = "fc1";
  feed_forward.down = "fc2";
  feed_forward.up_bias = feed_forward.down_bias = true;
  feed_forward.activation = ReadActivation(f, {"activation_function"}, "gelu");
  return stack;
}

absl::StatusOr<ModelDescription> ReadBartLike(FamilyInput input, bool norm_first) {
  Fields& f = input.fields;
  std::vector<std::string> warnings;
  EncoderDecoderArchitecture a;
  a.family = input.model_type;
  a.trunk = "model";
  a.vocab = f.Size({"vocab_size"});
  a.hidden = f.Size({"d_model"});
  a.max_positions = f.Size({"max_position_embeddings"});
  a.default_positions = std::min<int64_t>(a.max_positions, 4096);
  for (TransformerStack* stack : {&a.encoder, &a.decoder}) {
    *stack = BartStack(f, a.hidden, stack == &a.decoder, norm_first);
    // The table begins with two rows that no position uses.
    stack->position_rows = a.max_positions + 2;
    stack->embedding_norm = "layernorm_embedding";
    if (norm_first) stack->final_norm = "layer_norm";
  }
  a.tied = f.Flag({"tie_word_embeddings"}, true);
  a.scaled_embedding = f.Flag({"scale_embedding"}, false);
  a.head = ReadHead(input.architecture, warnings);
  // BartConfig has three labels where nothing is said; the class for questions has two whatever is said.
  const int64_t labels = ReadLabels(f, input.model_type == "bart" ? 3 : 2);
  a.labels = a.head == EncoderDecoderHead::kQuestionAnswering ? 2 : labels;
  return Finish(input, std::move(a), std::move(warnings));
}

absl::StatusOr<ModelDescription> ReadBart(FamilyInput input) { return ReadBartLike(std::move(input), false); }
absl::StatusOr<ModelDescription> ReadMBart(FamilyInput input) { return ReadBartLike(std::move(input), true); }

absl::StatusOr<ModelDescription> ReadWhisper(FamilyInput input) {
  Fields& f = input.fields;
  std::vector<std::string> warnings;
  EncoderDecoderArchitecture a;
  a.family = input.model_type;
  a.trunk = "model";
  a.embedding = "decoder.embed_tokens";
  a.vocab = f.Size({"vocab_size"});
  a.hidden = f.Size({"d_model"});
  a.head_name = "proj_out";
  a.speech = SpeechInput{f.Size({"num_mel_bins"}, 80), f.Size({"max_source_positions"}, 1500)};
  a.max_positions = f.Size({"max_target_positions"}, 448);
  a.default_positions = a.max_positions;
  for (TransformerStack* stack : {&a.encoder, &a.decoder}) {
    const bool decoder = stack == &a.decoder;
    *stack = BartStack(f, a.hidden, decoder, true);
    stack->position_rows = decoder ? a.max_positions : a.speech->positions;
    stack->final_norm = "layer_norm";
    stack->block.attention.key_bias = false;
    if (decoder) stack->block.cross_attention->key_bias = false;
  }
  a.tied = f.Flag({"tie_word_embeddings"}, true);
  a.head = ReadHead(input.architecture, warnings);
  return Finish(input, std::move(a), std::move(warnings));
}

constexpr Family kFamilies[] = {
    {"t5", "T5", ReadT5},       {"mt5", "MT5", ReadT5},        {"umt5", "UMT5", ReadT5},
    {"bart", "Bart", ReadBart}, {"mbart", "MBart", ReadMBart}, {"whisper", "Whisper", ReadWhisper},
};

}  // namespace

std::span<const Family> EncoderDecoderFamilies() { return kFamilies; }

}  // namespace planner::model
