#pragma once

#include "services/server/inventory.h"
#include "services/telemetry/page.h"
#include "services/utilization/utilization.h"

namespace planner::server {

/// planner_cluster_utilization_ratio and planner_cluster_tensor_active_ratio{cluster,gpu_type}, over the last five minutes, without series
/// where nothing was measured then; planner_cluster_utilization_timestamp_seconds{cluster,gpu_type}, of the newest sample;
/// planner_utilization_samples_total{outcome}.
class UtilizationMetrics : public telemetry::PageSource {
 public:
  /// Both must outlive it.
  UtilizationMetrics(Inventory& inventory, utilization::Utilization& utilization)
      : inventory_(inventory), utilization_(utilization) {}
  void Write(telemetry::Page& page) const override;

 private:
  Inventory& inventory_;
  utilization::Utilization& utilization_;
};

}  // namespace planner::server
