#pragma once

#include "absl/time/time.h"
#include "core/planning/plan.h"
#include "core/planning/pool_search.h"

namespace planner::planning {

/// A trial that meets the limits, with everything that a reader asks next: energy at full board power (no host, no
/// cooling), utilization, 90 % interval, and a sentence for every default and formula.
Recommendation MakeRecommendation(const PoolContext& context, const Trial& trial, std::string limited_by);

/// The share of a transformer's counted FLOPs that fused kernels leave out: half of causal attention, which is counted in full (as in PaLM's
/// MFU). 0 where attention is eager, has windows, or the step-time model does not tell the time. LLaMA 7B at 131,072 positions: 0.39.
double SkippedShare(const Workload& work, parallel::Recompute recompute);

/// The flags that launch a trial; none for models that are not transformers.
std::vector<LaunchFlags> LaunchOf(const PoolContext& context, const Trial& trial);

}  // namespace planner::planning
