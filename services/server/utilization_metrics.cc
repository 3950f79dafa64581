#include "services/server/utilization_metrics.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace planner::server {
namespace {

using telemetry::LabelText;
using telemetry::Page;

/// By cluster and GPU type, whose pools add up.
using ByType = std::map<std::pair<std::string, std::string>, utilization::Recently>;

void WriteMeans(const char* name, const char* help, utilization::Total utilization::Recently::*total, const ByType& by_type, Page& page) {
  page.Family(name, help, Page::Type::kGauge);
  for (const auto& [key, recently] : by_type) {
    const std::optional<double> mean = (recently.*total).Mean();
    if (mean.has_value()) page.Sample(LabelText({{"cluster", key.first}, {"gpu_type", key.second}}), *mean);
  }
}

void WriteQueries(const collector::Collector& collector, Page& page) {
  page.Family("planner_utilization_queries_total", "Questions to a Prometheus for utilization, by how they ended.", Page::Type::kCounter);
  for (size_t source = 0; source < collector.source_count(); ++source) {
    const collector::Collector::Counts counts = collector.CountsOf(source);
    for (size_t i = 0; i < counts.size(); ++i) {
      page.Sample(LabelText({{"cluster", collector.cluster(source)}, {"outcome", collector::kOutcomeNames[i]}}), counts[i]);
    }
  }
}

}  // namespace

void UtilizationMetrics::Write(Page& page) const {
  page.Family("planner_utilization_samples_total", "Samples of utilization that ReportUtilization or a Prometheus brought.", Page::Type::kCounter);
  page.Sample(LabelText({{"outcome", "accepted"}}), utilization_.accepted_count());
  page.Sample(LabelText({{"outcome", "refused"}}), utilization_.refused_count());
  WriteQueries(collector_, page);

  const auto clusters = inventory_.Current();
  if (!clusters.ok()) return;
  const auto recent = utilization_.Recent();
  ByType by_type;
  for (const bookings::ClusterView& cluster : **clusters) {
    for (const cluster::Pool& pool : cluster.pools) {
      const auto found = recent.find({cluster.id, pool.name});
      if (found != recent.end()) by_type[{cluster.id, pool.gpu.name}].Merge(found->second);
    }
  }
  WriteMeans("planner_cluster_utilization_ratio", "Share of the time in which a card ran anything, over the last five minutes.",
             &utilization::Recently::busy, by_type, page);
  WriteMeans("planner_cluster_tensor_active_ratio", "Share of the cycles in which the tensor cores worked, over the last five minutes.",
             &utilization::Recently::tensor_active, by_type, page);
  page.Family("planner_cluster_occupied_gpus", "Cards that something ran on, or that held over 1 GiB, by their newest samples of the last five minutes.",
              Page::Type::kGauge);
  for (const auto& [key, recently] : by_type) {
    if (recently.gpus.measured > 0) page.Sample(LabelText({{"cluster", key.first}, {"gpu_type", key.second}}), recently.gpus.occupied);
  }
  page.Family("planner_cluster_utilization_timestamp_seconds", "Time of the newest sample of utilization, however old it is.",
              Page::Type::kGauge);
  for (const auto& [key, recently] : by_type) {
    page.Sample(LabelText({{"cluster", key.first}, {"gpu_type", key.second}}), absl::ToUnixSeconds(recently.newest));
  }
}

}  // namespace planner::server
