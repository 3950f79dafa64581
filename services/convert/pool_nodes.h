#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/cluster/host_list.h"
#include "core/schedule/ledger.h"
#include "planner/v1/cluster.pb.h"

namespace planner::convert {

/// Why nodes of a pool cannot be had for some time, beside reservations.
struct NodeBlock {
  schedule::Use use;
  std::string what;  ///< "DOWN (fan)", "in maintenance (firmware)", "in use (job 7)".
  enum class Kind { kDown, kDrained, kInUse, kMaintenance };
  Kind kind = Kind::kDown;
  std::string tenant;  ///< Whose quota it counts towards; empty: nobody's.
  std::string plan;    ///< "plans/…" that uses the nodes; empty: none.
  int index = 0;       ///< Of an occupation, in its pool.
};

/// A pool's nodes by name, and what becomes of them.
struct PoolNodes {
  cluster::HostList names;
  std::vector<NodeBlock> blocks;
};

/// The nodes of `pool`, a normalized pool of `cluster`. INVALID_ARGUMENT for lists that do not fit (a name that no node has, more
/// nodes than there are), with paths that begin with `field`, the cluster's.
absl::StatusOr<PoolNodes> NodesOf(std::string_view field, const v1::Cluster& cluster, int pool);

/// INVALID_ARGUMENT, at the path of the occupation that is too much, where occupations have more GPUs of a node than it has: 5 and 5
/// of 8. `field` is the pool's path, `nodes` are its own. Not a part of NodesOf: what an older version has stored stays readable.
absl::Status CheckOccupations(std::string_view field, const v1::NodePool& pool, const PoolNodes& nodes);

/// The pools' status as of `now`, of a stored cluster.
void SetStatus(absl::Time now, v1::Cluster& cluster);

}  // namespace planner::convert
