#pragma once

#include <re2/re2.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace planner::kubernetes {

/// A path with variables, by Google's rules for HTTP: "/v1/{name=clusters/*}/utilization", "/v1/{name=plans/*}:confirm",
/// "/v1/models/{name=**}" ("*": one segment, "**": the rest of the path).
class PathTemplate {
 public:
  explicit PathTemplate(std::string_view text);

  /// Each variable ("name", "cluster.name") with its value, where `path` is one of these.
  std::optional<std::vector<std::pair<std::string, std::string>>> Match(std::string_view path) const;

 private:
  std::vector<std::string> variables_;
  std::shared_ptr<const RE2> pattern_;  ///< Shared by copies.
};

}  // namespace planner::kubernetes
