#include "clients/plannerctl/output.h"

#include <google/protobuf/util/json_util.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <vector>

#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

/// Whether an unset field of this type is printed with its defaults.
bool IsPrintedUnset(const FieldDescriptor& field) {
  if (field.real_containing_oneof() != nullptr) return false;
  const std::string& type = field.message_type()->full_name();
  if (type == "google.protobuf.Duration") return true;
  return type.starts_with("planner.v1.") && !type.ends_with("Request");
}

/// Sets what ToJson promises to print.
void Complete(Message& message) {
  const std::string& type = message.GetDescriptor()->full_name();
  if (!type.starts_with("planner.v1.") || type.ends_with("Request")) return;
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field.is_map()) continue;
    if (field.is_repeated()) {
      for (int j = 0; j < reflection.FieldSize(message, &field); ++j) {
        Complete(*reflection.MutableRepeatedMessage(&message, &field, j));
      }
    } else if (reflection.HasField(message, &field) || IsPrintedUnset(field)) {
      Complete(*reflection.MutableMessage(&message, &field));
    }
  }
}

/// Whether YAML 1.1 or 1.2 would read a plain `text` as something else than a string.
bool ReadsAsAnotherType(const std::string& text) {
  if (text.empty() || text.size() > 64) return text.empty();
  static const std::regex other_type(
      "[-+]?(\\.?[0-9][0-9_,.:]*([eE][-+]?[0-9]+)?|0[xob][0-9a-fA-F_]+|\\.inf|\\.nan)|~|null|true|"
      "false|yes|no|on|off|y|n|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*",
      std::regex::icase | std::regex::optimize);
  return std::regex_match(text, other_type);
}

void Emit(const nlohmann::ordered_json& value, YAML::Emitter& out) {
  if (value.is_object()) {
    if (value.empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, member] : value.items()) {
      out << YAML::Key << key << YAML::Value;
      Emit(member, out);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    if (value.empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const auto& element : value) Emit(element, out);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (ReadsAsAnotherType(text)) out << YAML::DoubleQuoted;
    out << text;
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << value.dump();  // Numbers and booleans are written alike in both.
  }
}

}  // namespace

absl::StatusOr<OutputFormat> ParseOutputFormat(std::string_view text) {
  if (text == "table") return OutputFormat::kTable;
  if (text == "json") return OutputFormat::kJson;
  if (text == "yaml") return OutputFormat::kYaml;
  return absl::InvalidArgumentError(
      fmt::format("is not an output format: value=\"{}\"; write table, json or yaml", text));
}

std::string ToJson(const Message& message) {
  const std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  Complete(*copy);
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(*copy, &json, options);
  // Only messages that no answer of ours contains (an Any of an unknown type) can fail.
  if (!status.ok()) return "{}\n";
  if (!json.ends_with('\n')) json += '\n';
  return json;
}

std::string JsonToYaml(const std::string& json) {
  const auto tree = nlohmann::ordered_json::parse(json, nullptr, false);
  YAML::Emitter out;
  Emit(tree, out);
  return std::string(out.c_str()) + "\n";
}

std::string ToYaml(const Message& message) { return JsonToYaml(ToJson(message)); }

}  // namespace planner::plannerctl
