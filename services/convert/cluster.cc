#include "services/convert/cluster.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/pool_nodes.h"

namespace planner::convert {
namespace {

constexpr char kUsualCurrency[] = "USD";
constexpr std::string_view kPrefix = "clusters/";

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Windows and quotas name pools that there are, and no quota is there twice.
absl::Status CheckPoolNames(std::string_view field, const v1::Cluster& cluster, const std::set<std::string>& pools) {
  const auto check = [&](const std::string& at, const std::string& pool) {
    if (pool.empty() || pools.contains(pool)) return absl::OkStatus();
    return base::InvalidField(at + ".node_pool", fmt::format("is no pool of the cluster: node_pool=\"{}\"", pool),
                              "UNKNOWN_POOL");
  };
  for (int i = 0; i < cluster.maintenance_windows_size(); ++i) {
    RETURN_IF_ERROR(check(fmt::format("{}.maintenance_windows[{}]", field, i), cluster.maintenance_windows(i).node_pool()));
  }
  std::set<std::pair<std::string, std::string>> quotas;
  for (int i = 0; i < cluster.quotas_size(); ++i) {
    const v1::TenantQuota& quota = cluster.quotas(i);
    const std::string at = fmt::format("{}.quotas[{}]", field, i);
    RETURN_IF_ERROR(check(at, quota.node_pool()));
    if (!quotas.emplace(quota.tenant(), quota.node_pool()).second) {
      return base::InvalidField(at, fmt::format("is the second of one tenant and pool: tenant=\"{}\" node_pool=\"{}\"",
                                                quota.tenant(), quota.node_pool()));
    }
  }
  return absl::OkStatus();
}

/// As it is stored; an empty one: there is none.
const v1::NodePool& PoolNamed(const std::string& name, const v1::Cluster* stored) {
  if (stored != nullptr) {
    for (const v1::NodePool& pool : stored->node_pools()) {
      if (pool.name() == name) return pool;
    }
  }
  return v1::NodePool::default_instance();
}

absl::Status CheckCount(const std::string& field, int count, int before) {
  constexpr int kMostNodeEntries = 10'000;
  if (count <= std::max(kMostNodeEntries, before)) return absl::OkStatus();
  const std::string name = field.substr(field.rfind('.') + 1);
  return base::InvalidField(field, fmt::format("must be at most {}: {}={}", kMostNodeEntries, name, count), "OUT_OF_RANGE",
                            {{name, fmt::to_string(count)}});
}

/// Whether two pools differ in nothing that tells how many GPUs of each node are in use.
bool SameOccupations(const v1::NodePool& a, const v1::NodePool& b) {
  const auto relevant = [](const v1::NodePool& pool) {
    v1::NodePool kept;
    kept.set_node_count(pool.node_count());
    kept.set_gpus_per_node(pool.gpus_per_node());
    kept.set_node_names(pool.node_names());
    *kept.mutable_node_conditions() = pool.node_conditions();
    *kept.mutable_occupations() = pool.occupations();
    return kept.SerializeAsString();
  };
  return relevant(a) == relevant(b);
}

}  // namespace

absl::StatusOr<v1::Cluster> NormalizedCluster(std::string_view field, const v1::Cluster& cluster, const hardware::GpuCatalog& gpus,
                                              const v1::Cluster* stored) {
  v1::Cluster normalized;
  normalized.set_name(cluster.name().substr(cluster.name().starts_with(kPrefix) ? kPrefix.size() : 0));
  normalized.set_currency(cluster.currency().empty() ? kUsualCurrency : cluster.currency());
  normalized.set_description(cluster.description());
  *normalized.mutable_maintenance_windows() = cluster.maintenance_windows();
  *normalized.mutable_quotas() = cluster.quotas();
  std::set<std::string> names;
  for (int i = 0; i < cluster.node_pools_size(); ++i) {
    const std::string at = fmt::format("{}.node_pools[{}]", field, i);
    const absl::StatusOr<const hardware::GpuType*> type = gpus.Find(cluster.node_pools(i).gpu_type());
    if (!type.ok()) return base::AtField(at, type.status());
    v1::NodePool& pool = *normalized.add_node_pools();
    pool = cluster.node_pools(i);
    pool.clear_status();
    pool.set_gpu_type((*type)->name);
    if (pool.name().empty()) pool.set_name(Lower((*type)->name));
    if (!pool.has_gpus_per_node()) pool.set_gpus_per_node((*type)->gpus_per_node);
    if (!names.insert(pool.name()).second) {
      return base::InvalidField(at + ".name", fmt::format("is the name of two pools: name=\"{}\"", pool.name()));
    }
  }
  RETURN_IF_ERROR(CheckPoolNames(field, normalized, names));
  for (int i = 0; i < normalized.node_pools_size(); ++i) {
    const v1::NodePool& pool = normalized.node_pools(i);
    const v1::NodePool& before = PoolNamed(pool.name(), stored);
    const std::string at = fmt::format("{}.node_pools[{}]", field, i);
    RETURN_IF_ERROR(CheckCount(at + ".node_conditions", pool.node_conditions_size(), before.node_conditions_size()));
    RETURN_IF_ERROR(CheckCount(at + ".occupations", pool.occupations_size(), before.occupations_size()));
    ASSIGN_OR_RETURN(const PoolNodes nodes, NodesOf(field, normalized, i));
    if (SameOccupations(pool, before)) continue;
    RETURN_IF_ERROR(CheckOccupations(at, pool, nodes));
  }
  return normalized;
}

std::vector<cluster::Pool> PoolsOf(const v1::Cluster& cluster, const hardware::GpuCatalog& gpus) {
  std::vector<cluster::Pool> pools;
  for (const v1::NodePool& proto : cluster.node_pools()) {
    const absl::StatusOr<const hardware::GpuType*> type = gpus.Find(proto.gpu_type());
    if (!type.ok()) continue;
    cluster::Pool& pool = pools.emplace_back();
    pool.cluster = cluster.name();
    pool.name = proto.name();
    pool.gpu = **type;
    if (proto.has_power_watts_per_gpu()) pool.gpu.power_watts = proto.power_watts_per_gpu();
    if (proto.has_network_bandwidth_bytes_per_second()) {
      pool.gpu.network_bandwidth = proto.network_bandwidth_bytes_per_second();
    }
    pool.node_count = proto.node_count();
    pool.gpus_per_node = proto.has_gpus_per_node() ? proto.gpus_per_node() : (*type)->gpus_per_node;
    if (proto.has_price_per_gpu_hour()) {
      pool.price_per_gpu_hour = proto.price_per_gpu_hour();
      pool.currency = cluster.currency();
    }
  }
  return pools;
}

}  // namespace planner::convert
