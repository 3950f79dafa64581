#include "clients/plannerctl/cluster_file.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

using nlohmann::json;

constexpr int kMaxNodes = 100'000;
constexpr int kMaxDepth = 32;

absl::Status Invalid(std::string_view what) { return absl::InvalidArgumentError(std::string(what)); }

/// YAML as JSON. Scalars stay strings, which the proto3 mapping takes for numbers, too; so a cluster
/// may be called 7. `nodes` counts down what may still be unfolded.
absl::StatusOr<json> ToJsonTree(const YAML::Node& node, int depth, int& nodes) {
  if (--nodes < 0) return Invalid("has more than 100,000 nodes, aliases unfolded");
  if (depth > kMaxDepth) return Invalid("is nested deeper than 32 levels");
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return json(node.Scalar());
    case YAML::NodeType::Sequence: {
      json array = json::array();
      for (const YAML::Node& element : node) {
        ASSIGN_OR_RETURN(json value, ToJsonTree(element, depth + 1, nodes));
        array.push_back(std::move(value));
      }
      return array;
    }
    case YAML::NodeType::Map: {
      json object = json::object();
      for (const auto& member : node) {
        if (!member.first.IsScalar()) return Invalid("has a key that is not a name");
        const std::string& key = member.first.Scalar();
        if (object.contains(key)) return Invalid(fmt::format("has \"{}\" twice", key));
        ASSIGN_OR_RETURN(object[key], ToJsonTree(member.second, depth + 1, nodes));
      }
      return object;
    }
    default:
      return json(nullptr);
  }
}

absl::StatusOr<v1::Cluster> ClusterFromJson(const json& tree) {
  if (!tree.is_object()) return Invalid("is not an object with the fields of a cluster");
  v1::Cluster cluster;
  const auto status = google::protobuf::util::JsonStringToMessage(tree.dump(), &cluster);
  if (!status.ok()) return Invalid(status.message().as_string());
  return cluster;
}

/// Appends the clusters of one document.
absl::Status AddDocument(const json& tree, std::vector<v1::Cluster>& clusters) {
  if (tree.is_null()) return absl::OkStatus();  // Between two "---".
  const bool is_list = tree.is_array() || (tree.is_object() && tree.contains("clusters"));
  if (!is_list) {
    ASSIGN_OR_RETURN(clusters.emplace_back(), ClusterFromJson(tree));
    return absl::OkStatus();
  }
  // A list as `cluster list -o yaml` prints it has the token of a next page too, which is empty.
  const bool has_token = tree.is_object() && tree.contains("nextPageToken");
  if (tree.is_object() && tree.size() != (has_token ? 2U : 1U)) return Invalid("has other fields beside \"clusters\"");
  for (const json& element : tree.is_array() ? tree : tree["clusters"]) {
    ASSIGN_OR_RETURN(clusters.emplace_back(), ClusterFromJson(element));
  }
  return absl::OkStatus();
}

absl::Status AddYaml(const std::string& text, std::vector<v1::Cluster>& clusters) {
  std::vector<YAML::Node> documents;
  try {  // yaml-cpp reports by exceptions.
    documents = YAML::LoadAll(text);
    int nodes = kMaxNodes;
    for (const YAML::Node& document : documents) {
      ASSIGN_OR_RETURN(const json tree, ToJsonTree(document, 0, nodes));
      RETURN_IF_ERROR(AddDocument(tree, clusters));
    }
  } catch (const YAML::Exception& error) {
    return Invalid(fmt::format("is not valid YAML: {}", error.what()));
  }
  return absl::OkStatus();
}

/// Keeps the first error of the text-format parser.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = fmt::format("line {}, column {}: {}", line + 1, column + 1, message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::StatusOr<v1::Cluster> ClusterFromTextFormat(const std::string& text) {
  google::protobuf::TextFormat::Parser parser;
  FirstError error;
  parser.RecordErrorsTo(&error);
  v1::Cluster cluster;
  if (!parser.ParseFromString(text, &cluster)) return Invalid(error.text());
  return cluster;
}

/// Text format opens messages with a brace after the name, which no block of YAML does.
bool IsTextFormat(const std::string& text) { return std::regex_search(text, std::regex("node_pools\\s*:?\\s*[{<]")); }

}  // namespace

absl::StatusOr<std::vector<v1::Cluster>> ParseClusters(std::string_view text) {
  std::vector<v1::Cluster> clusters;
  const std::string copy(text);
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != std::string_view::npos && (text[begin] == '{' || text[begin] == '[')) {
    json tree;
    try {
      tree = json::parse(copy);
    } catch (const json::parse_error& error) {
      // Its byte is the first that is too many, counted from 1.
      const std::string_view before = text.substr(0, error.byte == 0 ? 0 : error.byte - 1);
      const auto lines = std::count(before.begin(), before.end(), '\n');
      return Invalid(fmt::format("is not valid JSON: line {}, column {}", lines + 1, before.size() - (before.rfind('\n') + 1) + 1));
    }
    RETURN_IF_ERROR(AddDocument(tree, clusters));
  } else if (IsTextFormat(copy)) {
    ASSIGN_OR_RETURN(clusters.emplace_back(), ClusterFromTextFormat(copy));
  } else {
    RETURN_IF_ERROR(AddYaml(copy, clusters));
  }
  if (clusters.empty()) return Invalid("has no cluster in it");
  return clusters;
}

}  // namespace planner::plannerctl
