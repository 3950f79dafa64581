#include "clients/plannerctl/model_argument.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "clients/plannerctl/bounded_file.h"
#include "clients/plannerctl/model_file.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/layer_graph_text.h"

namespace planner::plannerctl {
namespace {

namespace fs = std::filesystem;
using convert::GraphFormat;

enum class Kind { kUnknown, kTorchScript, kJson, kYaml, kTextFormat };

absl::Status Invalid(std::string_view name, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", name, what));
}

bool ExistsAs(const std::string& path, fs::file_type type) {
  std::error_code error;
  return fs::status(path, error).type() == type;
}

/// What the ending of a path says.
Kind KindOfEnding(const std::string& path) {
  struct Ending {
    std::string_view text;
    Kind kind;
  };
  static constexpr std::array<Ending, 9> kEndings = {{{".pt", Kind::kTorchScript},
                                                      {".ts", Kind::kTorchScript},
                                                      {".pth", Kind::kTorchScript},
                                                      {".json", Kind::kJson},
                                                      {".yaml", Kind::kYaml},
                                                      {".yml", Kind::kYaml},
                                                      {".textproto", Kind::kTextFormat},
                                                      {".txtpb", Kind::kTextFormat},
                                                      {".pbtxt", Kind::kTextFormat}}};
  for (const Ending& ending : kEndings) {
    if (path.ends_with(ending.text)) return ending.kind;
  }
  return Kind::kUnknown;
}

/// What the first characters of a description say.
Kind KindOfContent(std::string_view text) {
  if (text.starts_with("PK\x03\x04")) return Kind::kTorchScript;
  const size_t begin = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (begin == std::string_view::npos) return Kind::kUnknown;
  if (text[begin] == '{') return Kind::kJson;
  // Text format opens its blocks with a brace after the field's name; YAML has no such line.
  for (const std::string_view block : {"layers {", "layers{", "inputs {", "inputs{"}) {
    if (text.find(block) != std::string_view::npos) return Kind::kTextFormat;
  }
  return Kind::kYaml;
}

bool IsSpelledAsPath(const std::string& name) {
  return name.starts_with('/') || name.starts_with("./") || name.starts_with("../") ||
         KindOfEnding(name) != Kind::kUnknown;
}

absl::StatusOr<v1::Model> FromLayerGraph(const std::string& text, GraphFormat format, const std::string& name) {
  auto graph = convert::ParseLayerGraphText(text, format);
  if (!graph.ok()) return Invalid(name, std::string(graph.status().message()));
  v1::Model model;
  *model.mutable_layer_graph() = *std::move(graph);
  return model;
}

/// Both kinds of description come as JSON: a layer graph has a list of layers.
absl::StatusOr<v1::Model> FromJson(const std::string& text, const std::string& name) {
  static constexpr std::array<const char*, 12> kHuggingFaceFields = {
      "model_type", "architectures", "hidden_size", "num_hidden_layers", "n_embd",    "n_layer",
      "d_model",    "n_layers",      "num_layers",  "text_config",       "num_heads", "n_head"};
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Invalid(name, "is not valid JSON");
  if (!json.is_object()) return Invalid(name, "is JSON, but not an object");
  if (json.contains("layers") && json["layers"].is_array()) {
    return FromLayerGraph(text, GraphFormat::kJson, name);
  }
  if (std::none_of(kHuggingFaceFields.begin(), kHuggingFaceFields.end(),
                   [&](const char* field) { return json.contains(field); })) {
    return Invalid(name,
                   "is neither a Hugging Face configuration (it has no model_type, architectures "
                   "or sizes) nor a layer graph (it has no list of layers)");
  }
  v1::Model model;
  model.set_hugging_face_config(text);
  return model;
}

absl::StatusOr<v1::Model> FromText(const std::string& text, Kind kind, const std::string& name) {
  if (kind == Kind::kUnknown) kind = KindOfContent(text);
  switch (kind) {
    case Kind::kTorchScript:
      break;
    case Kind::kJson:
      return FromJson(text, name);
    case Kind::kYaml:
      return FromLayerGraph(text, GraphFormat::kYaml, name);
    case Kind::kTextFormat:
      return FromLayerGraph(text, GraphFormat::kTextproto, name);
    case Kind::kUnknown:
      return Invalid(name, "is empty");
  }
  return Invalid(name, "is a TorchScript file: give its path, not its content");
}

/// What answers call a model that a file describes: "llama" for llama/config.json and llama.json.
std::string DisplayName(const std::string& path) {
  std::error_code error;
  fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (error) absolute = path;
  if (absolute.filename() == "config.json") return absolute.parent_path().filename().string();
  return absolute.stem().string();
}

absl::StatusOr<v1::Model> FromFile(const std::string& path, std::istream& standard_input) {
  const Kind kind = KindOfEnding(path);
  if (kind == Kind::kTorchScript || (kind == Kind::kUnknown && path != "-" && BeginsAsArchive(path))) {
    v1::Model module;
    ASSIGN_OR_RETURN(*module.mutable_uploaded_file(), DigestOfModelFile(path));
    module.set_display_name(DisplayName(path));
    return module;
  }
  const absl::StatusOr<std::string> text = ReadBoundedFile(path, standard_input);
  if (!text.ok()) return text.status();
  ASSIGN_OR_RETURN(v1::Model model, FromText(*text, kind, path));
  if (path != "-" && !(model.has_layer_graph() && !model.layer_graph().name().empty())) {
    model.set_display_name(DisplayName(path));
  }
  return model;
}

}  // namespace

absl::StatusOr<v1::Model> ReadModelArgument(const std::string& argument, std::istream& standard_input) {
  if (argument.empty()) return absl::InvalidArgumentError("is empty");
  if (argument == "-") return FromFile(argument, standard_input);
  if (ExistsAs(argument, fs::file_type::directory)) {
    const std::string config = (fs::path(argument) / "config.json").string();
    if (!ExistsAs(config, fs::file_type::not_found)) return FromFile(config, standard_input);
    // Also where a preset has its name: what was meant is not for us to guess.
    return Invalid(argument, "is a folder without a config.json");
  } else if (!ExistsAs(argument, fs::file_type::not_found)) {
    return FromFile(argument, standard_input);
  } else if (IsSpelledAsPath(argument)) {
    return Invalid(argument, "no such file");
  }
  v1::Model model;
  model.set_preset(argument);
  return model;
}

}  // namespace planner::plannerctl
