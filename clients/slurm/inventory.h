#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/slurm/slurm_state.h"
#include "planner/v1/cluster.pb.h"

namespace planner::slurm {

struct InventoryOptions {
  std::map<std::string, std::string> gpu_types;  ///< Slurm's name ("" for GPUs without a type), the planner's.
};

struct Inventory {
  v1::Cluster cluster;
  std::vector<std::string> warnings;  ///< What could not be told of, in words.
};

/// `before` with the pools that Slurm has now: a pool for each type and number of GPUs a node ("a100", or "a100-4" beside it); prices,
/// power, bandwidth and racks of pools of the same name stay, and so does all else of `before`. Nodes without GPUs are left out. Running jobs
/// are occupations with their expected ends; GPUs that are in use by nobody that squeue tells of are occupations without one.
/// FAILED_PRECONDITION: no node has a GPU, which is an answer of Slurm that nobody believes; INVALID_ARGUMENT: a node is there twice.
absl::StatusOr<Inventory> InventoryOf(v1::Cluster before, const std::vector<SlurmNode>& nodes,
                                      const std::vector<SlurmJob>& jobs, absl::Time now,
                                      const InventoryOptions& options);

}  // namespace planner::slurm
