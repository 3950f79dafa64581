#pragma once

#include <cstddef>

#include "absl/time/time.h"

namespace planner::utilization {

struct UtilizationOptions {
  /// How long summaries of hours are kept; older ones are put together into days.
  absl::Duration keep_hours = absl::Hours(24 * 30);
  /// How long those of days are kept.
  absl::Duration keep_days = absl::Hours(24 * 730);
  /// Samples wait so long to be written together, unless their stream ends.
  absl::Duration write_interval = absl::Seconds(10);
  /// GPUs whose last samples are remembered, so that repeated ones are told.
  size_t most_gpus = 500'000;
  /// False: nothing is written by itself. For tests.
  bool has_thread = true;
};

}  // namespace planner::utilization
