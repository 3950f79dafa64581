#include "clients/plannerctl/inventory_import.h"

#include <google/protobuf/util/message_differencer.h>

#include <sstream>
#include <utility>

#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/html.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using Stub = v1::ClusterService::Stub;

bool SamePools(v1::Cluster a, v1::Cluster b) {
  v1::Cluster pools_of_a, pools_of_b;
  for (const auto& [from, to] : {std::pair(&a, &pools_of_a), std::pair(&b, &pools_of_b)}) {
    for (v1::NodePool& pool : *from->mutable_node_pools()) {
      pool.clear_status();
      *to->add_node_pools() = pool;
    }
  }
  return google::protobuf::util::MessageDifferencer::Equals(pools_of_a, pools_of_b);
}

void PrintImport(const v1::Cluster& cluster, std::ostream& out) {
  for (const v1::NodePool& pool : cluster.node_pools()) {
    const v1::NodePoolStatus& status = pool.status();
    out << Printable(fmt::format("{} {}: {} nodes × {} {}, {} ready, {} drained, {} down, {} GPUs in use",
                                 cluster.name(), pool.name(), pool.node_count(), pool.gpus_per_node(), pool.gpu_type(),
                                 status.ready_node_count(), status.drained_node_count(), status.down_node_count(),
                                 status.used_gpu_count()))
        << '\n';
  }
  out << std::flush;
}

}  // namespace

absl::StatusOr<v1::Cluster> StoreInventory(const InventoryTarget& target, const std::vector<slurm::SlurmNode>& nodes,
                                           const std::vector<slurm::SlurmJob>& jobs, const slurm::InventoryOptions& options, Session& session) {
  v1::GetClusterRequest get;
  get.set_name(target.name);
  absl::StatusOr<v1::Cluster> before = session.Call(&Stub::GetCluster, get);
  const bool is_new = absl::IsNotFound(before.status());
  if (!before.ok() && !is_new) return before.status();
  v1::Cluster old = is_new ? v1::Cluster() : *before;
  old.set_name(target.name);
  ASSIGN_OR_RETURN(slurm::Inventory inventory, slurm::InventoryOf(old, nodes, jobs, session.now(), options));
  for (const std::string& warning : inventory.warnings) session.Warn(warning);
  v1::Cluster stored = inventory.cluster;
  if (is_new || target.dry_run || !SamePools(old, inventory.cluster)) {
    v1::UpdateClusterRequest update;
    *update.mutable_cluster() = inventory.cluster;
    if (is_new) {
      update.set_allow_missing(true);
      update.mutable_cluster()->set_description(fmt::format("imported from {}", target.origin));
    } else {
      update.mutable_update_mask()->add_paths(
          "node_pools");  // Prices of pools are read with them; all else is an administrator's.
    }
    update.set_validate_only(target.dry_run);
    ASSIGN_OR_RETURN(stored, session.Call(&Stub::UpdateCluster, update));
    for (const std::string& warning : stored.warnings()) session.Warn(warning);
  }
  return stored;
}

absl::StatusOr<ExitCode> ImportOnceOrOften(const std::string& watch, const std::function<absl::StatusOr<v1::Cluster>()>& import, Session& session) {
  if (watch.empty()) {
    ASSIGN_OR_RETURN(const v1::Cluster cluster, import());
    session.Print(cluster, [&](std::ostream& out) { PrintImport(cluster, out); });
    return ExitCode::kOk;
  }
  absl::Duration interval;
  RETURN_IF_ERROR(FillFlag("--watch", watch, ParseDuration, [&](absl::Duration value) { interval = value; }));
  if (interval < absl::Seconds(1)) return absl::InvalidArgumentError("--watch: is shorter than a second");
  std::string last;
  while (true) {
    const absl::StatusOr<v1::Cluster> cluster = import();
    if (!cluster.ok()) {
      session.Warn(fmt::format("the inventory stays as it was: {}", std::string(cluster.status().message())));
    } else {
      std::ostringstream text;
      PrintImport(*cluster, text);
      // A line where something has changed; a poller for days must not fill the journal.
      if (std::exchange(last, text.str()) != text.str()) session.out() << text.str() << std::flush;
    }
    session.Wait(interval);
  }
}

}  // namespace planner::plannerctl
