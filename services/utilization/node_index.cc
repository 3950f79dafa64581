#include "services/utilization/node_index.h"

#include <utility>

#include "services/convert/pool_nodes.h"

namespace planner::utilization {

NodeIndex::NodeIndex(const v1::Cluster& cluster) {
  for (int i = 0; i < cluster.node_pools_size(); ++i) {
    const v1::NodePool& pool = cluster.node_pools(i);
    absl::StatusOr<convert::PoolNodes> nodes = convert::NodesOf("cluster", cluster, i);
    // What is stored was checked; an older version may have stored less.
    pools_.push_back(
        {pool.name(), pool.gpu_type(), pool.gpus_per_node(),
         nodes.ok() ? std::move(nodes->names) : cluster::HostList::Numbered(pool.name(), pool.node_count())});
  }
}

const NodeIndex::Pool* NodeIndex::Find(const std::string& node) const {
  for (const Pool& pool : pools_) {
    const cluster::HostList::Known known = pool.nodes.FindKnown(node);
    // "gpu[1-2]" and "gpu[1]" are lists, not names.
    if (known.unknown == 0 && cluster::CountOf(known.nodes) == 1 && pool.nodes.Name(known.nodes.front().first) == node)
      return &pool;
  }
  return nullptr;
}

}  // namespace planner::utilization
