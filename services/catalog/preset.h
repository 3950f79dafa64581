#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/embedded_file.h"
#include "core/model/description.h"

namespace planner::catalog {

/// What a preset's file says about the model beside its architecture. In a config.json it is the
/// member "_planner": {"aliases": [...], "parameters": 6738415616, "note": "..."}; in a layer graph
/// (.textproto) lines of the comment that the file begins with: "# aliases: a, b",
/// "# parameters: 25557032", "# note: ...".
struct PresetNotes {
  std::vector<std::string> aliases;  ///< Other names: the Hugging Face paths of models of exactly these sizes.
  int64_t parameters = 0;            ///< Published unique parameters; 0 where no exact figure is known.
  std::string note;                  ///< Source of the figures, and what to know of them.
};

/// "models/llama-7b.json" -> "llama-7b".
std::string PresetName(const base::EmbeddedFile& file);

/// Names are equal if their folded forms are: lower case; '-', '_' and ' ' stand for one another
/// and only matter between two digits. "llama-2-7b", "Llama2-7B", "LLAMA_2_7 B" -> "llama2-7b", but
/// "llama-27b" -> "llama27b".
std::string FoldName(std::string_view name);

/// The notes alone. INVALID_ARGUMENT: malformed text, an alias that is no text, parameters that are
/// no positive whole number, or a note that has no such name.
absl::StatusOr<PresetNotes> ReadNotes(const base::EmbeddedFile& file);

/// The model: a Hugging Face configuration (.json) or a layer graph (.textproto). INVALID_ARGUMENT
/// as their parsers say.
absl::StatusOr<model::ModelDescription> DescribePreset(const base::EmbeddedFile& file);

}  // namespace planner::catalog
