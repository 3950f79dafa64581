#include "core/model/hugging_face.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/family.h"
#include "core/model/json_fields.h"

namespace planner::model {
namespace {

using nlohmann::json;

/// Other names that a family goes by. Those of wrappers are for files that keep the language part's
/// fields at the top (qwen2_vl) or whose text_config has no model_type of its own.
struct Alias {
  std::string_view model_type;
  std::string_view family;
  bool wrapper = false;                ///< Has parts beside the language model.
  std::string_view class_prefix = {};  ///< Where its classes are not named after the family's.
};
constexpr Alias kAliases[] = {
    {"RefinedWeb", "falcon", false, "RW"},
    {"RefinedWebModel", "falcon"},
    {"xlm-roberta", "roberta", false, "XLMRoberta"},
    {"camembert", "roberta", false, "Camembert"},
    {"mosaic_gpt", "mpt", false, "MosaicGPT"},
    {"stablelm_epoch", "stablelm", false, "StableLMEpoch"},
    {"Yi", "llama", false, "Yi"},
    {"ministral3", "mistral"},
    {"mixformer-sequential", "phi", false, "MixFormerSequential"},
    {"phi-msft", "phi"},
    {"qwen2_vl_text", "qwen2"},
    {"qwen2_5_vl_text", "qwen2"},
    {"qwen3_vl_text", "qwen3"},
    {"qwen3_vl_moe_text", "qwen3_moe"},
    {"qwen2_vl", "qwen2", true},
    {"qwen2_5_vl", "qwen2", true},
    {"qwen3_vl", "qwen3", true},
    {"qwen3_vl_moe", "qwen3_moe", true},
    {"gemma3", "gemma3_text", true},
    {"llama4", "llama4_text", true},
    {"llava", "llama", true},
    {"llava_next", "llama", true},
    {"mistral3", "mistral", true},
    {"paligemma", "gemma", true},
    {"kimi_k25", "kimi_k2", true},
};

std::vector<const Family*> AllFamilies() {
  std::vector<const Family*> all;
  for (const std::span<const Family> families : {LlamaFamilies(), GptFamilies(), ExpertFamilies(), EncoderFamilies(),
                                                 EncoderDecoderFamilies(), VisionFamilies(), StateSpaceFamilies()}) {
    for (const Family& family : families) all.push_back(&family);
  }
  return all;
}

const std::vector<const Family*>& Families() {
  static const auto* const families = new std::vector<const Family*>(AllFamilies());
  return *families;
}

const Family* FindFamily(std::string_view model_type) {
  for (const Family* family : Families()) {
    if (family->model_type == model_type) return family;
  }
  return nullptr;
}

const Alias* FindAlias(std::string_view model_type) {
  const auto* it = std::find_if(std::begin(kAliases), std::end(kAliases),
                                [&](const Alias& alias) { return alias.model_type == model_type; });
  return it == std::end(kAliases) ? nullptr : it;
}

/// The family that goes by `model_type`, under its own name or another.
const Family* FindFamilyByAnyName(std::string_view model_type) {
  if (const Family* family = FindFamily(model_type)) return family;
  const Alias* alias = FindAlias(model_type);
  return alias == nullptr ? nullptr : FindFamily(alias->family);
}

/// What class names add to a family's prefix: without it "Qwen2" would claim "Qwen2MoeForCausalLM".
/// Case does not matter: there are files that say LLaMAForCausalLM and BaiChuanForCausalLM.
bool IsClassOf(std::string_view architecture, std::string_view prefix) {
  if (prefix.empty() || !absl::StartsWithIgnoreCase(absl::string_view(architecture.data(), architecture.size()),
                                                    absl::string_view(prefix.data(), prefix.size()))) {
    return false;
  }
  const std::string_view rest = architecture.substr(prefix.size());
  return rest.starts_with("For") || rest.starts_with("Model") || rest.starts_with("LMHead") ||
         rest.starts_with("DoubleHeads") || rest.starts_with("Encoder");
}

const Family* FindFamilyOfClass(std::string_view architecture) {
  for (const Family* family : Families()) {
    if (IsClassOf(architecture, family->class_prefix)) return family;
  }
  for (const Alias& alias : kAliases) {
    if (IsClassOf(architecture, alias.class_prefix)) return FindFamily(alias.family);
  }
  return nullptr;
}

std::string TextOf(const json& config, const char* name) {
  const auto it = config.find(name);
  return it != config.end() && it->is_string() ? it->get<std::string>() : "";
}

/// Null counts as absent, as everywhere.
bool IsAbsent(const json& config, const std::string& name) {
  const auto it = config.find(name);
  return it == config.end() || it->is_null();
}

std::string ArchitectureOf(const json& config) {
  const auto it = config.find("architectures");
  if (it == config.end() || !it->is_array() || it->empty() || !it->front().is_string()) return "";
  return it->front().get<std::string>();
}

/// Google's BERT files: neither model_type nor architectures, but fields that only BERT has.
bool LooksLikeBert(const json& config) {
  return config.contains("type_vocab_size") && config.contains("num_hidden_layers") && config.contains("vocab_size") &&
         config.contains("max_position_embeddings");
}

absl::Status Unsupported(std::string_view model_type, const std::string& field) {
  std::string list;
  for (const std::string& name : SupportedModelTypes()) list += (list.empty() ? "" : ", ") + name;
  const std::string type(model_type.substr(0, 60));
  return base::InvalidField(field,
                            (type.empty() ? std::string("is missing, and architectures names no supported class")
                                          : "is not supported: value=\"" + type + "\"") +
                                "; supported: " + list +
                                "; --assume-architecture TYPE (assume_architecture) plans it as one of these",
                            "UNSUPPORTED_MODEL_TYPE", {{"model_type", type}});
}

/// A configuration to read, and the family that reads it.
struct Resolved {
  json config;
  std::string path;  ///< "text_config" or empty.
  const Family* family = nullptr;
  std::string architecture;
  std::vector<std::string> warnings;
};

const Family* FamilyOf(const json& config, bool& is_wrapper) {
  const std::string model_type = TextOf(config, "model_type");
  if (const Family* family = FindFamily(model_type)) return family;
  if (const Alias* alias = FindAlias(model_type)) {
    is_wrapper = alias->wrapper;
    return FindFamily(alias->family);
  }
  if (const Family* family = FindFamilyOfClass(ArchitectureOf(config))) return family;
  if (model_type.empty() && ArchitectureOf(config).empty() && LooksLikeBert(config)) {
    return FindFamily("bert");
  }
  if (model_type.empty() && config.contains("ssm_cfg")) return FindFamily("mamba");  // The original Mamba's files.
  return nullptr;
}

/// The nested configuration with what it inherits: simple fields of the outer one, then the defaults
/// of its class.
absl::StatusOr<Resolved> ResolveNested(const json& outer, const HuggingFaceOptions& options,
                                       const Family* outer_family) {
  Resolved resolved;
  resolved.path = "text_config";
  resolved.config = outer["text_config"];
  if (!resolved.config.is_object()) {
    return base::InvalidField("text_config", "must be an object");
  }
  const std::string model_type = TextOf(resolved.config, "model_type");
  bool is_wrapper = false;
  resolved.family = FamilyOf(resolved.config, is_wrapper);
  if (resolved.family == nullptr && model_type.empty()) resolved.family = outer_family;
  if (resolved.family == nullptr && !options.assume_architecture.empty()) {
    resolved.family = FindFamilyByAnyName(options.assume_architecture);
    resolved.warnings.push_back("model_type \"" + model_type.substr(0, 60) + "\" is not supported: planned as " +
                                options.assume_architecture);
  }
  if (resolved.family == nullptr) return Unsupported(model_type, "text_config.model_type");
  for (const auto& [name, value] : outer.items()) {
    const bool own = name == "model_type" || name == "architectures" || value.is_structured();
    if (!own && IsAbsent(resolved.config, name)) resolved.config[name] = value;
  }
  if (!resolved.family->nested_defaults.empty()) {
    std::string taken;
    const json defaults = json::parse(resolved.family->nested_defaults, nullptr, false);
    for (const auto& [name, value] : defaults.items()) {
      if (!IsAbsent(resolved.config, name)) continue;
      resolved.config[name] = value;
      taken += (taken.empty() ? "" : ", ") + name;
    }
    if (!taken.empty()) {
      resolved.warnings.push_back("text_config leaves out " + taken + ": taken from the defaults of " +
                                  std::string(resolved.family->model_type));
    }
  }
  // The language model keeps its head whatever the wrapper's own class is called.
  resolved.architecture = ArchitectureOf(resolved.config);
  resolved.warnings.push_back(
      "only the language model (text_config) is planned: other parts, such as a vision tower, are "
      "left out");
  return resolved;
}

absl::StatusOr<Resolved> Resolve(const json& config, const HuggingFaceOptions& options) {
  bool is_wrapper = false;
  const Family* family = FamilyOf(config, is_wrapper);
  const auto text = config.find("text_config");
  const bool nested = text != config.end() && !text->is_null();
  // CLIP is itself made of a text_config and a vision_config; every other family that has one is a
  // wrapper.
  if (nested && (family == nullptr || is_wrapper || family->model_type != "clip")) {
    return ResolveNested(config, options, family);
  }
  Resolved resolved;
  resolved.config = config;
  resolved.architecture = ArchitectureOf(config);
  const std::string model_type = TextOf(config, "model_type");
  if (family == nullptr) {
    if (options.assume_architecture.empty()) return Unsupported(model_type, "model_type");
    family = FindFamilyByAnyName(options.assume_architecture);
    resolved.warnings.push_back("model_type \"" + model_type.substr(0, 60) + "\" is not supported: planned as " +
                                options.assume_architecture);
    // The unknown class says nothing about a known family's heads.
    resolved.architecture.clear();
  } else if (is_wrapper) {
    resolved.architecture.clear();
    resolved.warnings.push_back(
        "only the language model is planned: other parts, such as a vision tower, are left out");
  }
  resolved.family = family;
  return resolved;
}

}  // namespace

absl::StatusOr<ModelDescription> ParseHuggingFaceConfig(std::string_view text, const HuggingFaceOptions& options) {
  if (!options.assume_architecture.empty() && FindFamilyByAnyName(options.assume_architecture) == nullptr) {
    return Unsupported(options.assume_architecture, "assume_architecture");
  }
  ASSIGN_OR_RETURN(const json config, ParseJsonObject(text, "config"));
  if (const auto type = config.find("model_type"); type != config.end() && !type->is_null() && !type->is_string()) {
    return base::InvalidField("model_type", "must be a string");
  }
  ASSIGN_OR_RETURN(const Resolved resolved, Resolve(config, options));
  ASSIGN_OR_RETURN(ModelDescription description,
                   resolved.family->read({Fields(resolved.config, resolved.path),
                                          std::string(resolved.family->model_type), resolved.architecture}));
  for (const std::string& name :
       {options.name, TextOf(config, "_name_or_path"), ArchitectureOf(config), TextOf(config, "model_type"), description.family}) {
    if (description.name.empty()) description.name = name;
  }
  description.warnings.insert(description.warnings.begin(), resolved.warnings.begin(), resolved.warnings.end());
  for (const std::string& key : RepeatedKeys(text)) {
    description.warnings.push_back("the configuration has \"" + key.substr(0, 60) + "\" more than once: the last one holds, as in Python");
  }
  return description;
}

std::vector<std::string> SupportedModelTypes() {
  std::vector<std::string> types;
  for (const Family* family : Families()) types.emplace_back(family->model_type);
  for (const Alias& alias : kAliases) types.emplace_back(alias.model_type);
  std::sort(types.begin(), types.end());
  return types;
}

}  // namespace planner::model
