#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/cluster/host_list.h"
#include "planner/v1/cluster.pb.h"

namespace planner::utilization {

/// The nodes of a stored cluster by name. Immutable.
class NodeIndex {
 public:
  struct Pool {
    std::string name;
    std::string gpu_type;
    int gpus_per_node = 0;
    cluster::HostList nodes;
  };

  explicit NodeIndex(const v1::Cluster& cluster);

  /// The pool that has a node of just this name; null: none has. The first one, if several have.
  const Pool* Find(const std::string& node) const;
  const std::vector<Pool>& pools() const { return pools_; }

 private:
  std::vector<Pool> pools_;
};

}  // namespace planner::utilization
