#pragma once

#include "services/collector/collector.h"
#include "services/server/inventory.h"
#include "services/telemetry/page.h"
#include "services/utilization/utilization.h"

namespace planner::server {

/// planner_cluster_utilization_ratio and planner_cluster_tensor_active_ratio{cluster,gpu_type}, over the last five minutes, without series
/// where nothing was measured then; planner_cluster_utilization_timestamp_seconds{cluster,gpu_type}, of the newest sample;
/// planner_cluster_occupied_gpus{cluster,gpu_type}, over the last five minutes too; planner_utilization_samples_total{outcome};
/// planner_utilization_queries_total{cluster,outcome}, all outcomes of each configured source.
class UtilizationMetrics : public telemetry::PageSource {
 public:
  /// All must outlive it.
  UtilizationMetrics(Inventory& inventory, utilization::Utilization& utilization, const collector::Collector& collector)
      : inventory_(inventory), utilization_(utilization), collector_(collector) {}
  void Write(telemetry::Page& page) const override;

 private:
  Inventory& inventory_;
  utilization::Utilization& utilization_;
  const collector::Collector& collector_;
};

}  // namespace planner::server
