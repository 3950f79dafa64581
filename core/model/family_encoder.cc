// BERT and its kin.

#include <array>
#include <utility>

#include "core/base/status_macros.h"
#include "core/model/encoder.h"
#include "core/model/family.h"

namespace planner::model {
namespace {

/// The head that a class has, by the end of its name; the bare model with its pooler for none.
EncoderHead ReadHead(const std::string& architecture, std::vector<std::string>& warnings) {
  static constexpr std::array<std::pair<std::string_view, EncoderHead>, 11> kEndings = {{
      {"ForMaskedLM", EncoderHead::kMaskedLanguageModel},
      {"ForCausalLM", EncoderHead::kMaskedLanguageModel},
      {"LMHeadModel", EncoderHead::kMaskedLanguageModel},
      {"ForPreTraining", EncoderHead::kPreTraining},
      {"ForNextSentencePrediction", EncoderHead::kNextSentence},
      {"ForSequenceClassification", EncoderHead::kSequenceClassification},
      {"ForTokenClassification", EncoderHead::kTokenClassification},
      {"ForQuestionAnswering", EncoderHead::kQuestionAnswering},
      {"ForMultipleChoice", EncoderHead::kMultipleChoice},
      {"Model", EncoderHead::kNone},
      {"", EncoderHead::kNone},
  }};
  for (const auto& [ending, head] : kEndings) {
    if (!architecture.ends_with(ending)) continue;
    if (ending == "Model" && NamesTask(architecture)) continue;  // BertForRewardModel is not bare.
    if (ending.empty() && !architecture.empty()) {
      warnings.push_back("architectures names " + architecture +
                         ", whose head is not known: planned as the bare model");
    }
    return head;
  }
  return EncoderHead::kNone;
}

struct Reading {
  EncoderArchitecture architecture;
  std::vector<std::string> warnings;
};

/// The fields that BERT's kin share. `fields` may be spelled as DistilBERT does.
Reading ReadBase(FamilyInput& input) {
  Fields& f = input.fields;
  Reading r;
  EncoderArchitecture& a = r.architecture;
  a.family = input.model_type;
  a.vocab = f.Size({"vocab_size"});
  a.hidden = f.Size({"hidden_size", "dim"});
  a.position_rows = f.Size({"max_position_embeddings"});
  a.max_positions = a.position_rows;
  a.tied = f.Flag({"tie_word_embeddings"}, true);
  a.head = ReadHead(input.architecture, r.warnings);
  a.causal = f.Flag({"is_decoder"}, false);
  a.labels = ReadLabels(f);
  // These have tensors that are not counted; a wrong count would look like a right one.
  if (f.Flag({"add_cross_attention"}, false)) f.Fail("add_cross_attention", "is not supported");
  if (const std::string kind = f.Text({"position_embedding_type"}, "absolute"); kind != "absolute") {
    f.Fail("position_embedding_type", "is not supported (absolute is): value=\"" + kind.substr(0, 60) + "\"");
  }
  a.activation = ReadActivation(f, {"hidden_act", "activation"}, "gelu");
  a.block_calls = a.block_instances = f.Layers({"num_hidden_layers", "n_layers"});
  Block& block = a.block;
  block.hidden = a.hidden;
  block.norm = kLayerNorm;
  block.attention_norm.clear();
  block.feed_forward_norm.clear();
  const HeadSizes heads = ReadHeads(f, a.hidden, {"num_attention_heads", "n_heads"}, {}, {});
  AttentionLayer& attention = block.attention;
  attention.heads = attention.kv_heads = heads.heads;
  attention.qk_dim = attention.v_dim = heads.head_dim;
  attention.SetBias(true, true);
  FeedForward& feed_forward = block.feed_forward;
  feed_forward.gated = false;
  feed_forward.width = f.Size({"intermediate_size", "hidden_dim"});
  feed_forward.up_bias = feed_forward.down_bias = true;
  feed_forward.activation = a.activation;
  return r;
}

void SetBertNames(Block& block) {
  block.kind = "BertLayer";
  block.attention.path = "attention";
  block.attention.query = "self.query";
  block.attention.key = "self.key";
  block.attention.value = "self.value";
  block.attention.output = "output.dense";
  block.after_attention_norm = "attention.output.LayerNorm";
  block.feed_forward.path.clear();
  block.feed_forward.up = "intermediate.dense";
  block.feed_forward.down = "output.dense";
  block.after_feed_forward_norm = "output.LayerNorm";
}

absl::StatusOr<ModelDescription> Finish(FamilyInput& input, Reading reading) {
  RETURN_IF_ERROR(input.fields.status());
  ModelDescription description = DescribeEncoder(std::move(reading.architecture));
  description.warnings = std::move(reading.warnings);
  return description;
}

absl::StatusOr<ModelDescription> ReadBert(FamilyInput input) {
  Reading r = ReadBase(input);
  r.architecture.type_rows = input.fields.Count({"type_vocab_size"}, 2);
  SetBertNames(r.architecture.block);
  return Finish(input, std::move(r));
}

absl::StatusOr<ModelDescription> ReadRoberta(FamilyInput input) {
  Reading r = ReadBase(input);
  EncoderArchitecture& a = r.architecture;
  a.trunk = "roberta";
  a.type_rows = input.fields.Count({"type_vocab_size"}, 2);
  // Positions are counted from after the padding's.
  const int64_t padding = input.fields.Count({"pad_token_id"}, 1);
  if (a.position_rows <= padding + 1) {
    input.fields.Fail("max_position_embeddings",
                      "leaves no position: max_position_embeddings=" + std::to_string(a.position_rows) +
                          " pad_token_id=" + std::to_string(padding));
  }
  a.max_positions = a.position_rows - padding - 1;
  SetBertNames(a.block);
  a.block.kind = "RobertaLayer";
  a.mask_dense = "lm_head.dense";
  a.mask_norm = "lm_head.layer_norm";
  a.mask_decoder = "lm_head.decoder";
  a.classifier_dense = "classifier.dense";
  a.classifier = "classifier.out_proj";
  return Finish(input, std::move(r));
}

absl::StatusOr<ModelDescription> ReadAlbert(FamilyInput input) {
  Fields& f = input.fields;
  Reading r = ReadBase(input);
  EncoderArchitecture& a = r.architecture;
  a.trunk = "albert";
  a.type_rows = f.Count({"type_vocab_size"}, 2);
  a.embedding_width = f.Size({"embedding_size"}, 128);
  a.embedding_projection = "encoder.embedding_hidden_mapping_in";
  a.blocks = "encoder.albert_layer_groups.albert_layers";
  // One block's weights, or those of a few groups, serve all layers.
  const int64_t inner = f.Layers({"inner_group_num"}, 1);
  const int64_t groups = f.Layers({"num_hidden_groups"}, 1);
  if (groups > a.block_calls) {
    f.Fail("num_hidden_groups", "is more than there are layers: groups=" + std::to_string(groups) +
                                    " layers=" + std::to_string(a.block_calls));
  }
  a.block_instances = groups * inner;
  a.block_calls *= inner;
  Block& block = a.block;
  block.kind = "AlbertLayer";
  block.attention.path = "attention";
  block.attention.query = "query";
  block.attention.key = "key";
  block.attention.value = "value";
  block.attention.output = "dense";
  block.after_attention_norm = "attention.LayerNorm";
  block.feed_forward.path.clear();
  block.feed_forward.up = "ffn";
  block.feed_forward.down = "ffn_output";
  block.after_feed_forward_norm = "full_layer_layer_norm";
  a.pooler = "pooler";
  a.mask_dense = "predictions.dense";
  a.mask_norm = "predictions.LayerNorm";
  a.mask_decoder = "predictions.decoder";
  a.pair_label = "sop_classifier.classifier";
  a.pair_labels = a.labels;
  return Finish(input, std::move(r));
}

absl::StatusOr<ModelDescription> ReadDistilBert(FamilyInput input) {
  Reading r = ReadBase(input);
  EncoderArchitecture& a = r.architecture;
  a.trunk = "distilbert";
  a.blocks = "transformer.layer";
  a.pooler.clear();
  Block& block = a.block;
  block.kind = "TransformerBlock";
  block.attention.path = "attention";
  block.attention.query = "q_lin";
  block.attention.key = "k_lin";
  block.attention.value = "v_lin";
  block.attention.output = "out_lin";
  block.after_attention_norm = "sa_layer_norm";
  block.feed_forward.path = "ffn";
  block.feed_forward.up = "lin1";
  block.feed_forward.down = "lin2";
  block.after_feed_forward_norm = "output_layer_norm";
  a.mask_dense = "vocab_transform";
  a.mask_norm = "vocab_layer_norm";
  a.mask_decoder = "vocab_projector";
  a.classifier_dense = "pre_classifier";
  a.choice_dense = "pre_classifier";
  return Finish(input, std::move(r));
}

absl::StatusOr<ModelDescription> ReadElectra(FamilyInput input) {
  Reading r = ReadBase(input);
  EncoderArchitecture& a = r.architecture;
  a.trunk = "electra";
  a.type_rows = input.fields.Count({"type_vocab_size"}, 2);
  a.embedding_width = input.fields.Size({"embedding_size"}, 128);
  if (a.embedding_width != a.hidden) a.embedding_projection = "embeddings_project";
  a.pooler.clear();
  if (a.head == EncoderHead::kPreTraining) a.head = EncoderHead::kReplacedToken;
  SetBertNames(a.block);
  a.block.kind = "ElectraLayer";
  if (input.fields.Flag({"summary_use_proj"}, true)) {
    a.choice_dense = "sequence_summary.summary";
    a.choice_activation = "gelu";
  }
  a.mask_dense = "generator_predictions.dense";
  a.mask_norm = "generator_predictions.LayerNorm";
  a.mask_decoder = "generator_lm_head";
  a.classifier_dense = "classifier.dense";
  a.classifier = "classifier.out_proj";
  return Finish(input, std::move(r));
}

constexpr Family kFamilies[] = {
    {"bert", "Bert", ReadBert},          {"roberta", "Roberta", ReadRoberta},
    {"albert", "Albert", ReadAlbert},    {"distilbert", "DistilBert", ReadDistilBert},
    {"electra", "Electra", ReadElectra},
};

}  // namespace

std::span<const Family> EncoderFamilies() { return kFamilies; }

}  // namespace planner::model
