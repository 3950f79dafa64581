#pragma once

#include "absl/time/time.h"
#include "core/runs/pace.h"
#include "core/runs/planned.h"

namespace planner::runs {

/// When a run ends, with its 90 % interval: low <= finish <= high.
struct Forecast {
  absl::Time finish;
  absl::Time low;
  absl::Time high;
};

/// What the plan alone says; of a run that goes on at `first_step`, for the steps that it has to do. The plan must have an end. Where it
/// knows no interval (its utilization was given), a factor of 1.2 to either side.
Forecast PlannedForecast(const Planned& planned, double first_step);

/// The same, with what was measured, at the moment `at` with `step` done. The plan must have an end.
///
/// Let r be measured over planned step time. Before anything is reported, ln r is 0 +- w/1.645, where w is the half width of the plan's
/// interval, ln(high / low) / 2. n reported steps tell ln r with a variance of
///
///     v = 0.3^2 / n + 0.03^2
///
/// A single step may well be off by a third (data, checkpoints, collection), and the steps to come will not be quite like those that
/// were: 0.03 is how far two runs lie apart that are alike in everything (core/calibration/README.md, "noise"). Of both, each by its
/// precision:
///
///     k = v / (v + (w/1.645)^2)         what is left of the plan: 1 at n = 0, toward 0
///     ln r' = (1 - k) ln(measured / planned)
///     finish = at + total x (1 - step / steps) x r'      and its ends with e^(-w sqrt(k)), e^(+w sqrt(k))
///
/// At n = 0 that is the plan and its interval; at the last step all three are `at`.
///
/// Planned: 1,000 steps in 10,000 s, 8,500 to 11,765 s (w = 0.1625). 250 steps after 3,000 s, 12 s each: v = 0.00126, k = 0.1144,
/// r' = e^(0.8856 x 0.1823) = 1.1753, 7,500 s x 1.1753 = 8,814 s are left, 8,343 to 9,312 s.
Forecast ForecastAt(absl::Time at, double step, const Planned& planned, const Pace& pace);

/// Of all planned steps, within 0 and 1; 0 where the plan has no end.
double ProgressOf(double step, const Planned& planned);

/// Where a run that began at `first_step` was to be at a moment. Within 0 and 1; 0 where the plan has no end.
double PlannedProgressAt(absl::Time time, const Planned& planned, double first_step);

/// The other way round: the step at which a run began that was to be at `progress` at a moment. Of one that was to be done by then, the first
/// of the steps that it may have begun at: 0 for one that took all of its time. 0 where the plan has no end.
///
/// 1,000 steps in 10,000 s: to be at 0.6 after 1,000 s, it began at step 500.
double FirstStepOf(absl::Time time, const Planned& planned, double progress);

}  // namespace planner::runs
