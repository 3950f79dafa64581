#include "services/server/inventory_metrics.h"

#include <map>
#include <utility>

namespace planner::server {

std::vector<prometheus::MetricFamily> InventoryMetrics::Collect() const {
  prometheus::MetricFamily family;
  family.name = "planner_cluster_gpus";
  family.help = "Cards of the inventory.";
  family.type = prometheus::MetricType::Gauge;
  const auto clusters = inventory_.Current();
  if (!clusters.ok()) return {};
  std::map<std::pair<std::string, std::string>, double> cards;  // Pools of one type add up.
  for (const bookings::ClusterView& cluster : **clusters) {
    for (const cluster::Pool& pool : cluster.pools) {
      cards[{cluster.id, pool.gpu.name}] += static_cast<double>(pool.node_count.value_or(0)) * pool.gpus_per_node;
    }
  }
  for (const auto& [labels, count] : cards) {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label = {{"cluster", labels.first}, {"gpu_type", labels.second}, {"state", "total"}};
    metric.gauge.value = count;
  }
  return {std::move(family)};
}

}  // namespace planner::server
