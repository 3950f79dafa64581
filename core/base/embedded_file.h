#pragma once

#include <string_view>

namespace planner::base {

/// A data file of the source tree that the build compiled into a library (CMake:
/// `planner_library(... EMBED a.json)`). `std::span<const EmbeddedFile> EmbeddedFiles_<target>()`,
/// declared by its one user, lists them.
struct EmbeddedFile {
  std::string_view name;     ///< Path relative to the folder of the target, "models/llama-7b.json".
  std::string_view content;  ///< The whole text.
};

}  // namespace planner::base
