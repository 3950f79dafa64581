#include "clients/plannerctl/differences.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

using Json = nlohmann::ordered_json;
using Leaves = std::vector<std::pair<std::string, std::string>>;

void Collect(const Json& value, const std::string& path, Leaves& leaves) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      Collect(member, path.empty() ? key : fmt::format("{}.{}", path, key), leaves);
    }
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) {
      Collect(value[i], fmt::format("{}[{}]", path, i), leaves);
    }
  } else {
    leaves.emplace_back(path, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

Leaves LeavesOf(const std::string& text) {
  Leaves leaves;
  Collect(Json::parse(text, nullptr, false), "", leaves);
  return leaves;
}

}  // namespace

std::vector<Difference> Differences(const std::string& left, const std::string& right) {
  const Leaves left_leaves = LeavesOf(left);
  const Leaves right_leaves = LeavesOf(right);
  std::map<std::string, std::string> rest(right_leaves.begin(), right_leaves.end());
  std::vector<Difference> differences;
  for (const auto& [path, value] : left_leaves) {
    const auto other = rest.extract(path);
    const std::string other_value = other ? other.mapped() : "";
    if (value != other_value) differences.push_back({path, value, other_value});
  }
  for (const auto& [path, value] : right_leaves) {
    if (rest.contains(path)) differences.push_back({path, "", value});
  }
  return differences;
}

}  // namespace planner::plannerctl
