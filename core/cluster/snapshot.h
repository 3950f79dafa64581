#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/cluster/calendar.h"
#include "core/hardware/gpu_type.h"

namespace planner::cluster {

/// Equal nodes that a job can be planned on.
struct Pool {
  std::string cluster;                ///< "main"; empty: planned on a GPU type alone, with no end of cards.
  std::string name;                   ///< "a100".
  hardware::GpuType gpu;              ///< With the pool's own power and network where it names them.
  std::optional<int64_t> node_count;  ///< Absent: no limit.
  int gpus_per_node = 8;
  std::optional<double> price_per_gpu_hour;  ///< In `currency`.
  std::string currency;                      ///< "USD"; empty where there is no price.
  std::shared_ptr<const Calendar> calendar;  ///< When its nodes are free; null: always, all of them.
  std::vector<std::shared_ptr<const Quota>> quotas;  ///< Of the cluster's tenants, all pools'.
};

/// The inventory at one moment: read once per request, so that an answer is of one piece and can be
/// repeated.
struct Snapshot {
  absl::Time time;
  std::vector<Pool> pools;
  std::vector<std::string> sources;  ///< "clusters/main@etag": provenance.
};

}  // namespace planner::cluster
