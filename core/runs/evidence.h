#pragma once

#include "core/runs/pace.h"
#include "core/runs/planned.h"

namespace planner::runs {

/// Whether a run that has ended says how long a step takes, so that predictions may learn from it: its pace was measured over 20 steps at
/// least, it has come beyond the first tenth of its plan (or succeeded, having less to do), and its step time is within a factor of
/// 10 of the planned one; beyond, the two are not of the same job.
bool IsEvidence(const Pace& pace, double last_step, const Planned& planned, bool has_succeeded);

}  // namespace planner::runs
