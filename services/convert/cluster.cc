#include "services/convert/cluster.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::convert {
namespace {

constexpr char kUsualCurrency[] = "USD";
constexpr std::string_view kPrefix = "clusters/";

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

absl::StatusOr<v1::Cluster> NormalizedCluster(std::string_view field, const v1::Cluster& cluster,
                                              const hardware::GpuCatalog& gpus) {
  v1::Cluster normalized;
  normalized.set_name(cluster.name().substr(cluster.name().starts_with(kPrefix) ? kPrefix.size() : 0));
  normalized.set_currency(cluster.currency().empty() ? kUsualCurrency : cluster.currency());
  normalized.set_description(cluster.description());
  std::set<std::string> names;
  for (int i = 0; i < cluster.node_pools_size(); ++i) {
    const std::string at = fmt::format("{}.node_pools[{}]", field, i);
    const absl::StatusOr<const hardware::GpuType*> type = gpus.Find(cluster.node_pools(i).gpu_type());
    if (!type.ok()) return base::AtField(at, type.status());
    v1::NodePool& pool = *normalized.add_node_pools();
    pool = cluster.node_pools(i);
    pool.set_gpu_type((*type)->name);
    if (pool.name().empty()) pool.set_name(Lower((*type)->name));
    if (!pool.has_gpus_per_node()) pool.set_gpus_per_node((*type)->gpus_per_node);
    if (!names.insert(pool.name()).second) {
      return base::InvalidField(at + ".name", fmt::format("is the name of two pools: name=\"{}\"", pool.name()));
    }
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
