#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/model/description.h"

namespace planner::model {

struct HuggingFaceOptions {
  /// The model_type to read an unsupported one as, with a warning; empty: unsupported ones are errors.
  std::string assume_architecture;
  /// Name of the description; empty: `_name_or_path` of the file, or else its class or model_type.
  std::string name;
};

/// Reads a Hugging Face config.json. The family goes by `model_type`, else by `architectures`, else by
/// the field names that Google's BERT files have. A wrapper of several models ("llava", "gemma3") is
/// planned by its `text_config`, with a warning that the rest is left out.
/// INVALID_ARGUMENT with the field's path for everything that is wrong with the text; an unsupported
/// type at "model_type", with a list of the supported ones. Pure, thread-safe.
absl::StatusOr<ModelDescription> ParseHuggingFaceConfig(std::string_view json, const HuggingFaceOptions& options = {});

/// Every model_type that ParseHuggingFaceConfig reads without text_config, alphabetically.
std::vector<std::string> SupportedModelTypes();

}  // namespace planner::model
