#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace planner::runs {

/// What a run reported at some moment.
struct Sample {
  absl::Time time;
  int64_t step = 0;  ///< Optimizer steps that are done; fewer than before after a restart from a checkpoint.
  std::optional<double> tokens;
  std::optional<double> tokens_per_second;
  std::optional<double> loss;
  std::optional<double> gpu_utilization;

  friend bool operator==(const Sample&, const Sample&) = default;
};

}  // namespace planner::runs
