#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace planner::telemetry {

/// planner_store_duration_seconds{operation} and planner_store_errors_total{operation}. The operations are a closed set. Thread-safe.
struct StoreProbe {
  struct Operation {
    prometheus::Histogram& duration_seconds;
    prometheus::Counter& errors_total;
  };
  /// The registry must outlive the probe.
  explicit StoreProbe(prometheus::Registry& registry);

  Operation transact, get, get_by_request_id, list, changes_since, version;

 private:
  StoreProbe(prometheus::Family<prometheus::Histogram>& durations, prometheus::Family<prometheus::Counter>& errors);
};

}  // namespace planner::telemetry
