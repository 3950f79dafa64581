#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include "services/server/inventory.h"

namespace planner::server {

/// planner_cluster_gpus{cluster,gpu_type,state}, as the inventory is when it is asked; nothing where the
/// store cannot be read. The only state so far is "total".
class InventoryMetrics : public prometheus::Collectable {
 public:
  /// The inventory must outlive it.
  explicit InventoryMetrics(Inventory& inventory) : inventory_(inventory) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  Inventory& inventory_;
};

}  // namespace planner::server
