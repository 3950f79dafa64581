#pragma once

#include <span>

namespace planner::calibration {

/// What measurements say of one group: its mean, and the variance of that mean.
struct Summary {
  double mean = 0;
  double variance = 0;
  double runs = 0;    ///< Effective number: aged runs and outliers count for less than one.
  double excess = 1;  ///< Variance around the mean over what it should be; at least 1.
};

/// A measurement and what it counts for.
struct Weighted {
  double value = 0;
  double weight = 1;  ///< Positive.
};

/// Mean of one group's runs, each within `noise` of it: from three on a Huber mean, to which a run that is further than two
/// `noise` from it adds by its sign, not by its size. Twenty runs at 0.10 and one at 1.0 with noise 0.03: 0.103, of 20.07
/// runs; their plain mean is 0.143. Where they
/// scatter by more than `noise`, the variance is that of their scatter: 0.05, 0.15, 0.05 and 0.15 with noise 0.03: 0.00083, not 0.00023. `runs` must not be empty.
Summary SummaryOfRuns(std::span<const Weighted> runs, double noise);

/// Mean of groups that lie within `spread` of what they have in common. Each counts by 1 / (spread^2 + variance), so that 700
/// runs of one group say no more of the others than that group does; from three on a Huber mean, and a
/// variance that is scaled up likewise. Two groups at 0.1, of one and
/// of a hundred runs with noise 0.03, and spread 0.06: variances 0.0009 and 0.000009, weights 222 and 277. `groups` must not be empty.
Summary SummaryOfGroups(std::span<const Summary> groups, double spread);

/// What is believed of a group: `mean`, and how unsure it is.
struct Belief {
  double mean = 0;
  double variance = 0;
};

/// The best linear prediction (Robinson 1991, "That BLUP is a good thing"): what is believed of the wider group moves toward
/// the mean of the narrower one by w = spread^2 / (spread^2 + variance), which is n / (n + k) with k = noise^2 / spread^2 for n
/// runs. Noise 0.06, spread 0.03: k = 4, one run moves it by 1/5, twenty by 5/6.
Belief Shrink(const Belief& wider, const Summary& narrower, double spread);

}  // namespace planner::calibration
