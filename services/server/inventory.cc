#include "services/server/inventory.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

using Clusters = bookings::Bookings::Views;
using bookings::ClusterView;

/// Planned on where nobody has named a type and no cluster is configured.
constexpr const char* kUsualTypes[] = {"A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB"};
constexpr char kUsualCurrency[] = "USD";

/// The request's types by their own names. A name that the catalogue does not know keeps its field.
absl::StatusOr<std::vector<const hardware::GpuType*>> TypesOf(const v1::Resources& resources,
                                                              const hardware::GpuCatalog& gpus) {
  std::vector<const hardware::GpuType*> types;
  for (int i = 0; i < resources.gpu_types_size(); ++i) {
    const absl::StatusOr<const hardware::GpuType*> type = gpus.Find(resources.gpu_types(i));
    if (!type.ok()) return base::WithField(fmt::format("resources.gpu_types[{}]", i), type.status());
    if (std::find(types.begin(), types.end(), *type) == types.end()) types.push_back(*type);
  }
  return types;
}

absl::StatusOr<const ClusterView*> FindCluster(const Clusters& clusters, const std::string& id) {
  std::vector<std::string> names;
  for (const ClusterView& cluster : clusters) {
    if (cluster.id == id) return &cluster;
    names.push_back(cluster.id);
  }
  const std::string known = names.empty() ? "no cluster is configured"
                                          : fmt::format("nearest: {}", fmt::join(base::NearestNames(id, names), ", "));
  return base::NotFound("resources.cluster", fmt::format("no cluster is named \"{}\"; {}", id, known),
                        "UNKNOWN_CLUSTER");
}

/// The caller's price, where the pool has none of its own.
void AddPrice(const v1::Resources& resources, const std::string& currency, cluster::Pool& pool) {
  if (!resources.has_price_per_gpu_hour() || pool.price_per_gpu_hour.has_value()) return;
  pool.price_per_gpu_hour = resources.price_per_gpu_hour();
  pool.currency = currency;
}

/// As many cards of a type as anyone may want.
void AddType(const hardware::GpuType& type, const v1::Resources& resources, cluster::Snapshot& snapshot) {
  cluster::Pool& pool = snapshot.pools.emplace_back();
  pool.name = type.name;
  pool.gpu = type;
  pool.gpus_per_node = type.gpus_per_node;
  AddPrice(resources, kUsualCurrency, pool);
}

/// The cluster's pools of the types; of all types where none is named.
void AddPools(const ClusterView& cluster, const std::vector<const hardware::GpuType*>& types,
              const v1::Resources& resources, cluster::Snapshot& snapshot) {
  for (const cluster::Pool& pool : cluster.pools) {
    const auto is_pools = [&](const hardware::GpuType* type) { return type->name == pool.gpu.name; };
    if (!types.empty() && std::none_of(types.begin(), types.end(), is_pools)) continue;
    AddPrice(resources, cluster.currency, snapshot.pools.emplace_back(pool));
  }
  snapshot.sources.push_back(fmt::format("clusters/{}@{}", cluster.id, cluster.etag));
}

}  // namespace

absl::StatusOr<cluster::Snapshot> Inventory::SnapshotFor(const v1::Resources& resources) {
  ASSIGN_OR_RETURN(const std::vector<const hardware::GpuType*> types, TypesOf(resources, gpus_));
  cluster::Snapshot snapshot;
  snapshot.time = clock_.Now();
  if (!resources.cluster().empty()) {
    ASSIGN_OR_RETURN(const std::string id, validate::ClusterId("resources.cluster", resources.cluster()));
    ASSIGN_OR_RETURN(const auto clusters, bookings_.Current(snapshot.time));
    ASSIGN_OR_RETURN(const ClusterView* cluster, FindCluster(*clusters, id));
    AddPools(*cluster, types, resources, snapshot);
    if (snapshot.pools.empty()) {
      return base::NotFound("resources.cluster",
                            fmt::format("cluster \"{}\" has no pool of the types that may be used", id),
                            "NO_SUCH_POOL");
    }
    return snapshot;
  }
  for (const hardware::GpuType* type : types) AddType(*type, resources, snapshot);
  if (!snapshot.pools.empty()) return snapshot;
  ASSIGN_OR_RETURN(const auto clusters, bookings_.Current(snapshot.time));
  for (const ClusterView& cluster : *clusters) AddPools(cluster, {}, resources, snapshot);
  if (!snapshot.pools.empty()) return snapshot;
  for (const char* name : kUsualTypes) {
    ASSIGN_OR_RETURN(const hardware::GpuType* type, gpus_.Find(name));
    AddType(*type, resources, snapshot);
  }
  return snapshot;
}

}  // namespace planner::server
