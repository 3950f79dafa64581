#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace planner::plannerctl {

/// `-o`.
enum class OutputFormat { kTable, kJson, kYaml };

/// INVALID_ARGUMENT for anything but "table", "json" and "yaml".
absl::StatusOr<OutputFormat> ParseOutputFormat(std::string_view text);

/// The proto3 JSON mapping of an answer, indented, with a final newline. Defaults are printed, and so
/// are messages that are not set, as if they were set to their defaults, so that a reader finds
/// every field; exceptions are times (1970 would be a lie), alternatives of a oneof, and all that
/// requests hold.
std::string ToJson(const google::protobuf::Message& message);

/// The same tree in YAML. Strings that would read as another type (64-bit integers, "true") are
/// quoted.
std::string ToYaml(const google::protobuf::Message& message);

/// Turns JSON text of ours into YAML. The text must be valid.
std::string JsonToYaml(const std::string& json);

}  // namespace planner::plannerctl
