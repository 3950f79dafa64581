#pragma once

#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/counting/counter.h"
#include "services/telemetry/page.h"

namespace planner::telemetry {

/// A counter whose time is measured: planner_count_duration_seconds{counter}. Thread-safe if the counter is.
class MeasuredCounter : public counting::Counter {
 public:
  /// All must outlive it.
  MeasuredCounter(const counting::Counter& counter, prometheus::Registry& registry, const base::Clock& clock);

  counting::CounterInfo Info() const override { return counter_.Info(); }
  void Learn(absl::Time deadline) const override { counter_.Learn(deadline); }
  absl::StatusOr<counting::CostReport> Count(const counting::CountRequest& request) const override;

 private:
  const counting::Counter& counter_;
  const base::Clock& clock_;
  prometheus::Histogram& duration_seconds_;
};

/// planner_plugin_up{counter}: 1 for every counter that can be asked, those of this process among them. planner_plugin_restarts_total{counter}:
/// by `restarts`; 0 of what is not there.
void WritePlugins(const std::vector<counting::CounterInfo>& counters, const std::map<std::string, int64_t>& restarts, Page& page);

}  // namespace planner::telemetry
