#include "core/model/family.h"

#include <array>
#include <utility>

namespace planner::model {

HeadSizes ReadHeads(Fields& fields, int64_t hidden, Fields::Names heads, Fields::Names kv_heads, Fields::Names head_dim,
                    int64_t default_heads) {
  HeadSizes sizes;
  sizes.heads = fields.SizeOr(heads, default_heads);
  sizes.kv_heads = kv_heads.size() > 0 ? fields.Size(kv_heads, sizes.heads) : sizes.heads;
  const bool explicit_dim = head_dim.size() > 0 && fields.Has(head_dim);
  if (explicit_dim) {
    sizes.head_dim = fields.Size(head_dim);
  } else if (hidden % sizes.heads != 0) {
    fields.Fail(fields.NameOf(heads), "does not divide the hidden size: heads=" + std::to_string(sizes.heads) +
                                          " hidden=" + std::to_string(hidden));
  } else {
    sizes.head_dim = hidden / sizes.heads;
  }
  if (sizes.heads % sizes.kv_heads != 0) {
    fields.Fail(fields.NameOf(kv_heads), "does not divide the number of heads: kv_heads=" +
                                             std::to_string(sizes.kv_heads) + " heads=" + std::to_string(sizes.heads));
  }
  return sizes;
}

std::string ReadActivation(Fields& fields, Fields::Names names, std::string fallback) {
  // Spellings of transformers' ACT2FN.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 21> kSpellings = {{
      {"gelu", "gelu"},
      {"gelu_new", "gelu"},
      {"gelu_fast", "gelu"},
      {"gelu_python", "gelu"},
      {"gelu_10", "gelu"},
      {"gelu_accurate", "gelu"},
      {"gelu_pytorch_tanh", "gelu"},
      {"gelu_python_tanh", "gelu"},
      {"quick_gelu", "quick_gelu"},
      {"silu", "silu"},
      {"swish", "silu"},
      {"relu", "relu"},
      {"relu2", "squared_relu"},
      {"relu6", "relu6"},
      {"leaky_relu", "leaky_relu"},
      {"tanh", "tanh"},
      {"sigmoid", "sigmoid"},
      {"mish", "mish"},
      {"hardswish", "hardswish"},
      {"elu", "elu"},
      {"softplus", "softplus"},
  }};
  const std::string name = fields.Text(names, fallback);
  for (const auto& [spelling, kind] : kSpellings) {
    if (spelling == name) return std::string(kind);
  }
  fields.Fail(fields.NameOf(names), "is not a known activation: value=\"" + name.substr(0, 60) + "\"");
  return fallback;
}

bool NamesTask(std::string_view architecture) {
  for (size_t at = architecture.find("For"); at != std::string_view::npos; at = architecture.find("For", at + 1)) {
    // Not of "RoFormerModel" or "ForgeModel": a task begins with a capital letter.
    const size_t next = at + 3;
    if (at > 0 && next < architecture.size() && architecture[next] >= 'A' && architecture[next] <= 'Z') return true;
  }
  return false;
}

DecoderHead ReadDecoderHead(const std::string& architecture, std::vector<std::string>& warnings) {
  static constexpr std::array<std::pair<std::string_view, DecoderHead>, 9> kEndings = {{
      {"ForCausalLM", DecoderHead::kLanguageModel},
      {"LMHeadModel", DecoderHead::kLanguageModel},
      {"LMHeadCustomModel", DecoderHead::kLanguageModel},  // SantaCoder
      {"DoubleHeadsModel", DecoderHead::kDoubleHeads},
      {"ForConditionalGeneration", DecoderHead::kLanguageModel},
      {"ForSequenceClassification", DecoderHead::kSequenceClassification},
      {"ForTokenClassification", DecoderHead::kTokenClassification},
      {"ForQuestionAnswering", DecoderHead::kQuestionAnswering},
      {"Model", DecoderHead::kNone},
  }};
  if (architecture.empty()) return DecoderHead::kLanguageModel;
  for (const auto& [ending, head] : kEndings) {
    // "LlamaModel" is bare; "InternLM2ForRewardModel" is not.
    if (head == DecoderHead::kNone && NamesTask(architecture)) continue;
    if (architecture.ends_with(ending)) return head;
  }
  warnings.push_back("architectures names " + architecture +
                     ", whose head is not known: planned with a language-model head");
  return DecoderHead::kLanguageModel;
}

int64_t ReadLabels(Fields& fields, int64_t fallback) {
  const int64_t named = fields.EntriesOf("id2label");
  if (named > 0) return named;
  return fields.Size({"num_labels", "_num_labels"}, fallback);
}

int64_t ReadRotaryDim(Fields& fields, Fields::Names fraction, int64_t head_dim, double fallback) {
  Fields parameters = fields.Object("rope_parameters");
  const double nested = parameters.Number({"partial_rotary_factor"}, fallback);
  fields.Check(parameters.status());
  const double part = fields.Number(fraction, nested);
  if (part > 1) {
    fields.Fail(fields.NameOf(fraction), "must be 0 to 1: value=" + std::to_string(part));
    return head_dim;
  }
  return static_cast<int64_t>(static_cast<double>(head_dim) * part);
}

}  // namespace planner::model
