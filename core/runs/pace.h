#pragma once

#include <vector>

#include "absl/time/time.h"
#include "core/runs/planned.h"
#include "core/runs/sample.h"

namespace planner::runs {

/// How fast a run is.
struct Pace {
  absl::Duration step;    ///< Of one step; zero: nothing says so yet.
  double steps = 0;       ///< That it was measured over, or were reported while it was: what its uncertainty falls with.
  double first_step = 0;  ///< Where the run began: above 0 if it goes on from a checkpoint.

  bool is_measured() const { return step > absl::ZeroDuration(); }
};

/// The pace that samples in order of time tell.
///
/// Between two samples the step time is the time between them over the steps between them; where the step falls (a restart from a
/// checkpoint) or stands still there is none, nor before a fall if the steps came more than four times as fast as planned: there a wrong
/// step was put right, which would outweigh all others. The pace is the median of these, each counted as often as it has steps, over the pairs
/// that begin after the first tenth of the planned steps, when caches are warm and data flows, or over all while there are none. A
/// median, because an outage is one long pair among many.
///
/// The run's start counts as a sample at step 0, unless the first report is more than four times as far as the plan says it could be: that
/// run goes on from a checkpoint, which is the least of its steps.
///
/// Without any pair, the rate that was reported last gives the pace: tokens of a step over it.
///
/// Planned 1,000 steps of 10 s; step 50 after 1,000 s, 100 after 1,500 s: (50 x 20 s, 50 x 10 s) gives 15 s. Step 150 after 2,000 s: one pair
/// begins after the first tenth: 10 s.
Pace PaceOf(const std::vector<Sample>& samples, const Planned& planned);

}  // namespace planner::runs
