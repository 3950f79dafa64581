#include "services/server/utilization_metrics.h"

#include <map>
#include <string>
#include <utility>

namespace planner::server {

std::vector<prometheus::MetricFamily> UtilizationMetrics::Collect() const {
  prometheus::MetricFamily samples;
  samples.name = "planner_utilization_samples_total";
  samples.help = "Samples of utilization that exporters have sent.";
  samples.type = prometheus::MetricType::Counter;
  for (const auto& [outcome, count] :
       {std::pair("accepted", utilization_.accepted_count()), std::pair("refused", utilization_.refused_count())}) {
    prometheus::ClientMetric& metric = samples.metric.emplace_back();
    metric.label = {{"outcome", outcome}};
    metric.counter.value = static_cast<double>(count);
  }
  std::vector<prometheus::MetricFamily> families = {std::move(samples)};

  const auto clusters = inventory_.Current();
  if (!clusters.ok()) return families;
  const auto recent = utilization_.Recent();
  std::map<std::pair<std::string, std::string>, utilization::Total> by_type;  // Pools of one type add up.
  for (const bookings::ClusterView& cluster : **clusters) {
    for (const cluster::Pool& pool : cluster.pools) {
      const auto found = recent.find({cluster.id, pool.name});
      if (found != recent.end()) by_type[{cluster.id, pool.gpu.name}].Merge(found->second);
    }
  }
  prometheus::MetricFamily ratio;
  ratio.name = "planner_cluster_utilization_ratio";
  ratio.help = "Share of the time in which the GPUs were busy, over the last five minutes.";
  ratio.type = prometheus::MetricType::Gauge;
  for (const auto& [labels, total] : by_type) {
    prometheus::ClientMetric& metric = ratio.metric.emplace_back();
    metric.label = {{"cluster", labels.first}, {"gpu_type", labels.second}};
    metric.gauge.value = *total.Mean();
  }
  families.push_back(std::move(ratio));
  return families;
}

}  // namespace planner::server
