#include "services/convert/layer_graph_text.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/json_fields.h"
#include "services/convert/yaml_to_json.h"

namespace planner::convert {
namespace {

/// Keeps the first error, with its place.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::StatusOr<v1::LayerGraph> ParseTextproto(std::string_view text) {
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(kMaxGraphTextNesting);
  v1::LayerGraph proto;
  if (!parser.ParseFromString(std::string(text), &proto)) {
    return base::InvalidField("", absl::StrCat("the layer graph is malformed: ", error.text()));
  }
  return proto;
}

/// How deeply the brackets outside of strings are nested at most.
int JsonDepth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

absl::StatusOr<v1::LayerGraph> ParseJson(std::string_view text) {
  if (JsonDepth(text) > kMaxGraphTextNesting) {
    return base::InvalidField("", absl::StrCat("the layer graph is nested too deeply: maximum=", kMaxGraphTextNesting));
  }
  // The strict grammar first: protobuf's own parser takes more than JSON (unquoted keys, single quotes).
  std::string place;
  try {
    if (!nlohmann::json::parse(text).is_object())
      return base::InvalidField("", "the layer graph must be a JSON object");
  } catch (const nlohmann::json::parse_error& error) {
    place = error.what();
  }
  if (!place.empty()) return base::InvalidField("", absl::StrCat("the layer graph is malformed: ", place));
  if (const std::vector<std::string> keys = model::RepeatedKeys(text, 1); !keys.empty()) {
    return base::InvalidField("", absl::StrCat("the layer graph has a key twice: ", keys.front()));
  }
  v1::LayerGraph proto;
  google::protobuf::util::JsonParseOptions options;
  options.case_insensitive_enum_parsing = true;  // `kind: relu` is what a hand writes.
  const auto status = google::protobuf::util::JsonStringToMessage(std::string(text), &proto, options);
  if (!status.ok()) {
    return base::InvalidField("", absl::StrCat("the layer graph is malformed: ", std::string(status.message())));
  }
  return proto;
}

}  // namespace

std::optional<GraphFormat> GraphFormatOf(std::string_view file_name) {
  if (file_name.ends_with(".textproto")) return GraphFormat::kTextproto;
  if (file_name.ends_with(".yaml") || file_name.ends_with(".yml")) return GraphFormat::kYaml;
  if (file_name.ends_with(".json")) return GraphFormat::kJson;
  return std::nullopt;
}

absl::StatusOr<v1::LayerGraph> ParseLayerGraphText(std::string_view text, GraphFormat format) {
  if (text.size() > kMaxGraphTextBytes) {
    return base::InvalidField(
        "", absl::StrCat("the layer graph is too large: bytes=", text.size(), " maximum=", kMaxGraphTextBytes));
  }
  switch (format) {
    case GraphFormat::kTextproto:
      return ParseTextproto(text);
    case GraphFormat::kJson:
      return ParseJson(text);
    case GraphFormat::kYaml:
      break;
  }
  ASSIGN_OR_RETURN(const std::string json,
                   YamlToJson(text, {.max_bytes = kMaxGraphTextBytes, .max_depth = kMaxGraphTextNesting}));
  return ParseJson(json);
}

}  // namespace planner::convert
