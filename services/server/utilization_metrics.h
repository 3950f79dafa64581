#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "services/server/inventory.h"
#include "services/utilization/utilization.h"

namespace planner::server {

/// planner_cluster_utilization_ratio{cluster,gpu_type}: the share of the time in which GPUs were busy, over the last five minutes; no
/// series where nothing was measured. planner_utilization_samples_total{outcome}.
class UtilizationMetrics : public prometheus::Collectable {
 public:
  /// Both must outlive it.
  UtilizationMetrics(Inventory& inventory, utilization::Utilization& utilization)
      : inventory_(inventory), utilization_(utilization) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  Inventory& inventory_;
  utilization::Utilization& utilization_;
};

}  // namespace planner::server
