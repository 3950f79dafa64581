#pragma once

#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "core/base/clock.h"
#include "core/counting/counter.h"

namespace planner::telemetry {

/// A counter whose time is measured: planner_count_duration_seconds{counter}; and whether it can be
/// asked: planner_plugin_up{counter}, 1 for a counter of this process. Thread-safe if the counter is.
class MeasuredCounter : public counting::Counter {
 public:
  /// All must outlive it.
  MeasuredCounter(const counting::Counter& counter, prometheus::Registry& registry, const base::Clock& clock);

  counting::CounterInfo Info() const override { return counter_.Info(); }
  absl::StatusOr<counting::CostReport> Count(const counting::CountRequest& request) const override;

 private:
  const counting::Counter& counter_;
  const base::Clock& clock_;
  prometheus::Histogram& duration_seconds_;
};

}  // namespace planner::telemetry
