#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "planner/v1/cluster.pb.h"

namespace planner::plannerctl {

/// The clusters of a text, which is one of
///   - YAML: a cluster per document, or documents with a list `clusters:`,
///   - JSON: a cluster, a list of them, or an object with a list `clusters`,
///   - protobuf text format of planner.v1.Cluster: one cluster.
/// Field names as in the API, in snake_case or lowerCamelCase. INVALID_ARGUMENT for syntax errors
/// and unknown fields, with the place; also for no cluster at all, and for YAML that unfolds its
/// aliases into more than 100,000 nodes.
absl::StatusOr<std::vector<v1::Cluster>> ParseClusters(std::string_view text);

}  // namespace planner::plannerctl
