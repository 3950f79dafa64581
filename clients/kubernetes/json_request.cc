#include "clients/kubernetes/json_request.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "clients/kubernetes/bounded_json.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::kubernetes {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::json;

const FieldDescriptor* FindField(const Descriptor& message, const std::string& name) {
  const FieldDescriptor* const field = message.FindFieldByName(name);
  return field != nullptr ? field : message.FindFieldByCamelcaseName(name);
}

/// Sets "a.b" in the tree. The values stay texts, which is how the JSON of protobuf may write all scalars but bool.
absl::Status Set(const Descriptor& message, std::string_view path, const std::string& value, json& tree) {
  const Descriptor* type = &message;
  json* place = &tree;
  const FieldDescriptor* field = nullptr;
  const std::vector<std::string> parts = absl::StrSplit(std::string(path), '.');
  for (const std::string& part : parts) {
    if (field != nullptr) {
      if (field->is_repeated() || field->type() != FieldDescriptor::TYPE_MESSAGE) return base::InvalidField(path, "there is no such field");
      type = field->message_type();
      place = &(*place)[field->json_name()];
      if (!place->is_object()) *place = json::object();
    }
    field = FindField(*type, part);
    if (field == nullptr) return base::InvalidField(path, "there is no such field");
  }
  json leaf = value;
  if (field->type() == FieldDescriptor::TYPE_BOOL) {
    if (value != "true" && value != "false" && !value.empty()) return base::InvalidField(path, "is neither true nor false");
    leaf = value != "false";
  }
  if (field->name() != field->json_name()) place->erase(field->name());
  json& slot = (*place)[field->json_name()];
  if (field->is_repeated()) {
    if (!slot.is_array()) slot = json::array();
    slot.push_back(std::move(leaf));
  } else {
    slot = std::move(leaf);
  }
  return absl::OkStatus();
}

/// What protobuf says of a document: "(resources.min_gpus): invalid value …", "(cluster) nodes: Cannot find field.", "x: Cannot find field."
absl::Status ErrorOf(const std::string& text) {
  constexpr std::string_view kUnknown = ": Cannot find field.";
  const size_t close = text.starts_with('(') ? text.find(')') : std::string::npos;
  const std::string path = close == std::string::npos ? "" : text.substr(1, close - 1);
  const std::string rest = close == std::string::npos ? text : text.substr(close + 1);
  if (rest.starts_with(": ") && !path.empty()) return base::InvalidField(path, rest.substr(2));
  if (rest.ends_with(kUnknown)) {
    const std::string name = rest.substr(0, rest.size() - kUnknown.size());
    return base::InvalidField(path.empty() ? name : path + "." + name.substr(name.starts_with(' ') ? 1 : 0), "there is no such field");
  }
  return base::InvalidField("body", text);
}

}  // namespace

absl::Status FillRequest(const HttpRequest& http, const std::vector<std::pair<std::string, std::string>>& variables,
                         std::string_view body_field, google::protobuf::Message& request) {
  const Descriptor& type = *request.GetDescriptor();
  json tree = json::object();
  if (body_field.empty()) {
    if (!http.body.empty()) return base::InvalidField("body", "must be empty");
  } else if (!http.body.empty()) {
    ASSIGN_OR_RETURN(json body, ParseObject(http.body, "body"));
    if (body_field == "*") {
      tree = std::move(body);
    } else {
      tree[std::string(body_field)] = std::move(body);
    }
  }
  for (const auto& [name, value] : http.query) RETURN_IF_ERROR(Set(type, name, value, tree));
  for (const auto& [name, value] : variables) RETURN_IF_ERROR(Set(type, name, value, tree));
  const std::string text = tree.dump(-1, ' ', false, json::error_handler_t::replace);
  const auto status = google::protobuf::util::JsonStringToMessage(text, &request);
  if (!status.ok()) return ErrorOf(std::string(status.message()));
  return absl::OkStatus();
}

std::string JsonOf(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string text;
  // Only an Any of an unknown type fails, and no answer has one.
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return "{}";
  return text;
}

}  // namespace planner::kubernetes
