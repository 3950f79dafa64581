#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "core/runs/forecast.h"
#include "core/runs/planned.h"

namespace planner::runs {

/// How a run stands to its plan.
enum class Drift {
  kUnknown,  ///< Nothing was reported, or the plan has no end.
  kOnPlan,   ///< Finishes within the plan's interval.
  kLate,     ///< Beyond it.
  kEarly,    ///< Before it.
  kStalled,  ///< Nothing has been reported for too long.
};

/// How often a run reports.
struct Reports {
  absl::Time start;   ///< Of the run.
  absl::Time newest;  ///< Time of the newest report.
  int64_t count = 0;
};

/// Ten times the mean time between reports (from the start on), and at least 10 minutes: after which a run without a report is stalled.
/// 12 reports in an hour: 50 min.
absl::Duration PatienceOf(const Reports& reports);

/// The forecast of a run that still runs at `now`, made at its newest report: what it has been silent for beyond PatienceOf is taken as lost,
/// and nothing ends before now.
Forecast StillRunning(Forecast forecast, const Reports& reports, absl::Time now);

/// Of a finish against the plan's interval.
Drift DriftOf(absl::Time finish, const Forecast& plan);

/// "12 % slower than planned: finishes 2026-01-09 10:00 UTC instead of 2026-01-08 22:00 UTC"; what is not measured (`step_ratio` 0) is left out.
/// `has_ended`: "finished … instead of …".
std::string DriftText(double step_ratio, absl::Time finish, absl::Time planned_finish, bool has_ended);

/// "nothing has been reported since 2026-01-08 10:00 UTC, for 2h10m; before, a report came every 5m".
std::string StallText(const Reports& reports, absl::Time now);

}  // namespace planner::runs
