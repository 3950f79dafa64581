#pragma once

#include "absl/time/time.h"
#include "core/planning/plan.h"
#include "core/planning/pool_search.h"

namespace planner::planning {

/// A trial that meets the limits, with everything that a reader asks next: energy at full board power (no host, no
/// cooling), utilization, 90 % interval, and a sentence for every default and formula.
Recommendation MakeRecommendation(const PoolContext& context, const Trial& trial, std::string limited_by);

/// The flags that launch a trial; none for models that are not transformers.
std::vector<LaunchFlags> LaunchOf(const PoolContext& context, const Trial& trial);

}  // namespace planner::planning
