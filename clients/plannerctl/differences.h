#pragma once

#include <string>
#include <vector>

namespace planner::plannerctl {

/// A place where two JSON texts differ.
struct Difference {
  std::string path;         ///< "estimate.recommendations[0].gpuCount"
  std::string left, right;  ///< As JSON writes them, strings without quotes; empty: not there.
  friend bool operator==(const Difference&, const Difference&) = default;
};

/// All of them, leaf by leaf, in the order of the left text and then of what only the right one has.
/// Both texts must be valid.
std::vector<Difference> Differences(const std::string& left, const std::string& right);

}  // namespace planner::plannerctl
