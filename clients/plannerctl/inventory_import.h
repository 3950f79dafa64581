#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/plannerctl/session.h"
#include "clients/slurm/inventory.h"
#include "planner/v1/cluster.pb.h"

namespace planner::plannerctl {

/// Where an inventory goes, and where it is from.
struct InventoryTarget {
  std::string name;    ///< The planner's, of the cluster.
  std::string origin;  ///< "Slurm", in words.
  bool dry_run = false;
};

/// Stores what another program has, as the pools of a cluster, which is made where there is none; nothing where it is as it was.
absl::StatusOr<v1::Cluster> StoreInventory(const InventoryTarget& target, const std::vector<slurm::SlurmNode>& nodes,
                                           const std::vector<slurm::SlurmJob>& jobs, const slurm::InventoryOptions& options, Session& session);

/// Imports once and prints the cluster; or again and again, with errors as warnings, where `watch` is an interval ("30s").
absl::StatusOr<ExitCode> ImportOnceOrOften(const std::string& watch, const std::function<absl::StatusOr<v1::Cluster>()>& import, Session& session);

}  // namespace planner::plannerctl
