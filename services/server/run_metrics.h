#pragma once

#include <cstddef>

#include "core/base/clock.h"
#include "services/server/run_index.h"
#include "services/telemetry/page.h"

namespace planner::server {

/// Runs as they are when they are asked for, planned beside actual, whichever replica they report to; nothing where the store cannot be read.
///
/// Of each run, by its own id (`run`): planner_run_info{run,cluster,gpu_type,gpus,state,currency}, planner_run_drift{run,drift},
/// planner_run_{planned,actual}_progress_ratio, planner_run_{planned_finish,predicted_finish,predicted_finish_low,
/// predicted_finish_high}_timestamp_seconds, planner_run_{planned,actual}_tokens_per_second, planner_run_model_flops_utilization_ratio,
/// planner_run_{planned,actual}_gpu_seconds, planner_run_{planned,actual}_cost where prices are known. Those are the kMostActive runs that were started last among those that run, and the
/// kMostEnded that ended last: however many there are, a scrape costs no more.
///
/// Over all: planner_runs{drift}, those that run; planner_prediction_error_ratio and planner_prediction_runs{cluster,gpu_type}, the median of |measured / planned step
/// time - 1| of the last 50 that ended there.
class RunMetrics : public telemetry::PageSource {
 public:
  static constexpr size_t kMostActive = 1000;

  /// Both must outlive it.
  RunMetrics(RunIndex& index, const base::Clock& clock) : index_(index), clock_(clock) {}
  void Write(telemetry::Page& page) const override;

 private:
  RunIndex& index_;
  const base::Clock& clock_;
};

}  // namespace planner::server
