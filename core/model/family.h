#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/model/decoder.h"
#include "core/model/description.h"
#include "core/model/json_fields.h"

namespace planner::model {

/// What a family's reader is given.
struct FamilyInput {
  Fields fields;
  std::string model_type;    ///< The table's name of the family.
  std::string architecture;  ///< `architectures[0]`, empty if absent.
};

/// One row of the table of families: how a Hugging Face configuration of a `model_type` is read.
struct Family {
  std::string_view model_type;
  /// Class names of the family begin with it, "Llama" of "LlamaForCausalLM": for old files that have
  /// no model_type. Empty: not found that way.
  std::string_view class_prefix;
  absl::StatusOr<ModelDescription> (*read)(FamilyInput input);
  /// A JSON object with the fields that nested configurations leave out, because transformers writes
  /// those as differences from the class's defaults. Empty: none are known.
  std::string_view nested_defaults = "";
};

std::span<const Family> LlamaFamilies();           ///< Llama and its many kin.
std::span<const Family> GptFamilies();             ///< GPT-2 and what came before Llama.
std::span<const Family> ExpertFamilies();          ///< Mixtures of experts.
std::span<const Family> EncoderFamilies();         ///< BERT and its kin.
std::span<const Family> EncoderDecoderFamilies();  ///< T5, BART, Whisper.
std::span<const Family> VisionFamilies();          ///< ViT, CLIP.
std::span<const Family> StateSpaceFamilies();      ///< Mamba.

/// heads, kv_heads and the size of a head, checked: kv_heads divides heads, and where `head_dim` is
/// absent heads divide hidden. `default_heads` where the file has none; 0: it must have.
struct HeadSizes {
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t head_dim = 1;
};
HeadSizes ReadHeads(Fields& fields, int64_t hidden, Fields::Names heads, Fields::Names kv_heads, Fields::Names head_dim,
                    int64_t default_heads = 0);

/// An activation by the name that configurations use ("gelu_new"), as elementwise.h calls it
/// ("gelu"). Unknown ones are errors at the field.
std::string ReadActivation(Fields& fields, Fields::Names names, std::string fallback);

/// Whether a class is for a task, "LlamaForCausalLM", and so has a head: "LlamaModel" is not.
bool NamesTask(std::string_view architecture);

/// What `architecture` puts on a decoder: by the end of its name; a language-model head for none.
/// A class that is not known gets one too, with a warning.
DecoderHead ReadDecoderHead(const std::string& architecture, std::vector<std::string>& warnings);

/// Labels of a classifier: the entries of id2label, else num_labels, else `fallback`.
int64_t ReadLabels(Fields& fields, int64_t fallback = 2);

/// The size of the part of a head that rotary positions turn: `head_dim` times the fraction, which
/// newer files keep in rope_parameters.
int64_t ReadRotaryDim(Fields& fields, Fields::Names fraction, int64_t head_dim, double fallback);

}  // namespace planner::model
