#pragma once

#include "absl/time/time.h"

namespace planner::runs {

/// What its plan says of a run.
struct Planned {
  absl::Time start;            ///< Of the run.
  double steps = 0;            ///< Of the whole training; 0: the plan has no end.
  double tokens_per_step = 0;  ///< Samples where the model has no sequences.
  absl::Duration step;         ///< Above 0.
  absl::Duration total;        ///< Zero: the plan has no end.
  absl::Duration low;          ///< 90 % interval of `total`; equal ones: the plan knows none.
  absl::Duration high;

  bool has_end() const { return steps > 0 && total > absl::ZeroDuration(); }
};

}  // namespace planner::runs
