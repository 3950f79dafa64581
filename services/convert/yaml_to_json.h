#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace planner::convert {

/// Bounds of a YAML document.
struct YamlLimits {
  size_t max_bytes = size_t{4} << 20;  ///< Of the text, and of the JSON that it comes to, aliases written out.
  int max_depth = 100;                 ///< Maps and lists within one another.
};

/// One YAML document as JSON text. Plain scalars are typed by YAML's core schema (null, booleans, decimal integers, floats;
/// else text), quoted ones are text. INVALID_ARGUMENT with line and column: malformed YAML, more than one document, keys that
/// are no scalars or occur twice, merge keys, and documents beyond the limits, so that aliases cannot multiply.
absl::StatusOr<std::string> YamlToJson(std::string_view yaml, const YamlLimits& limits);

}  // namespace planner::convert
