#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "planner/v1/layer_graph.pb.h"

namespace planner::convert {

/// The spellings of a layer graph's file. JSON is the proto3 JSON mapping; YAML is the same tree, its plain scalars typed
/// by YAML's core schema.
enum class GraphFormat { kTextproto, kYaml, kJson };

inline constexpr size_t kMaxGraphTextBytes = size_t{4}
                                             << 20;  ///< Of one file, and of a YAML file with its aliases written out.
inline constexpr int kMaxGraphTextNesting = 100;  ///< Maps and lists within one another; three make one nested layer.

/// The format that a file name's ending stands for: .textproto, .yaml, .yml, .json. Absent for others.
std::optional<GraphFormat> GraphFormatOf(std::string_view file_name);

/// Parses the text of a layer graph. INVALID_ARGUMENT says where: the line and column, or the field's path, for malformed
/// text, for unknown fields, and for text that is too large or nested too deeply.
absl::StatusOr<v1::LayerGraph> ParseLayerGraphText(std::string_view text, GraphFormat format);

}  // namespace planner::convert
