#pragma once

#include <optional>

#include "absl/time/time.h"
#include "core/calibration/calibration.h"
#include "planner/v1/run.pb.h"

namespace planner::learning {

/// What a run teaches: its measured step time over what the model alone had predicted of it, so that learning never chases its own
/// corrections. nullopt: nothing, because RunService has not marked it as learned, or it has no such times.
/// `written`: when the record was written; a run that claims to have ended later counts from then on.
std::optional<calibration::Evidence> EvidenceOf(const v1::Run& run, absl::Time written);

}  // namespace planner::learning
