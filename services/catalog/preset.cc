#include "services/catalog/preset.h"

#include <cctype>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/hugging_face.h"
#include "core/model/layer_graph.h"
#include "services/convert/layer_graph.h"
#include "services/convert/layer_graph_text.h"

namespace planner::catalog {
namespace {

constexpr char kNotesKey[] = "_planner";

bool IsGraph(const base::EmbeddedFile& file) { return file.name.ends_with(".textproto"); }

bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

bool IsSize(const nlohmann::json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() >= 1 && value.get<uint64_t>() <= uint64_t{INT64_MAX};
}

absl::StatusOr<PresetNotes> ReadJsonNotes(std::string_view text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return base::InvalidField("", "must be one JSON object");
  PresetNotes notes;
  const auto found = json.find(kNotesKey);
  if (found == json.end()) return notes;
  if (!found->is_object()) return base::InvalidField(kNotesKey, "must be an object");
  for (const auto& [key, value] : found->items()) {
    const std::string path = std::string(kNotesKey) + "." + key;
    if (key == "aliases" && value.is_array()) {
      for (const nlohmann::json& alias : value) {
        if (!alias.is_string()) return base::InvalidField(path, "must be a list of names");
        notes.aliases.push_back(alias.get<std::string>());
      }
    } else if (key == "parameters" && IsSize(value)) {
      notes.parameters = value.get<int64_t>();
    } else if (key == "note" && value.is_string()) {
      notes.note = value.get<std::string>();
    } else {
      return base::InvalidField(path, "must be aliases (a list), parameters (a whole number above 0) or note (a text)");
    }
  }
  return notes;
}

absl::StatusOr<PresetNotes> ReadCommentNotes(std::string_view text) {
  PresetNotes notes;
  for (absl::string_view line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    if (!absl::ConsumePrefix(&line, "#")) break;
    line = absl::StripAsciiWhitespace(line);
    if (absl::ConsumePrefix(&line, "aliases:")) {
      for (const absl::string_view alias : absl::StrSplit(line, ',')) {
        notes.aliases.emplace_back(absl::StripAsciiWhitespace(alias));
      }
    } else if (absl::ConsumePrefix(&line, "parameters:")) {
      if (!absl::SimpleAtoi(line, &notes.parameters) || notes.parameters <= 0) {
        return base::InvalidField("# parameters", "must be a whole number above 0");
      }
    } else if (absl::ConsumePrefix(&line, "note:")) {
      notes.note = std::string(absl::StripAsciiWhitespace(line));
    }
  }
  return notes;
}

}  // namespace

std::string PresetName(const base::EmbeddedFile& file) {
  const size_t begin = file.name.rfind('/') + 1;  // npos + 1 is 0: a name without a folder.
  return std::string(file.name.substr(begin, file.name.rfind('.') - begin));
}

std::string FoldName(std::string_view name) {
  std::string folded;
  bool separated = false;
  for (const char c : name) {
    if (c == '-' || c == '_' || c == ' ') {
      separated = true;
      continue;
    }
    if (separated && !folded.empty() && IsDigit(folded.back()) && IsDigit(c)) folded += '-';
    separated = false;
    folded += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return folded;
}

absl::StatusOr<PresetNotes> ReadNotes(const base::EmbeddedFile& file) {
  return IsGraph(file) ? ReadCommentNotes(file.content) : ReadJsonNotes(file.content);
}

absl::StatusOr<model::ModelDescription> DescribePreset(const base::EmbeddedFile& file) {
  const std::string name = PresetName(file);
  const auto source = [](model::SourceFormat format, std::string text) {
    return std::make_shared<const model::ModelSource>(
        model::ModelSource{.format = format, .text = std::move(text), .file = {}});
  };
  if (!IsGraph(file)) {
    ASSIGN_OR_RETURN(model::ModelDescription description,
                     model::ParseHuggingFaceConfig(file.content, {.name = name}));
    description.source = source(model::SourceFormat::kHuggingFaceConfig, std::string(file.content));
    return description;
  }
  ASSIGN_OR_RETURN(const v1::LayerGraph proto,
                   convert::ParseLayerGraphText(file.content, convert::GraphFormat::kTextproto));
  ASSIGN_OR_RETURN(model::LayerGraph graph, convert::LayerGraphFromProto(proto));
  ASSIGN_OR_RETURN(model::ModelDescription description, model::DescribeLayerGraph(std::move(graph)));
  description.name = name;
  description.source = source(model::SourceFormat::kLayerGraph, proto.SerializeAsString());
  return description;
}

}  // namespace planner::catalog
