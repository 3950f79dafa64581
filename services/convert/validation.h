#pragma once

#include "core/planning/run_validation.h"
#include "planner/v1/validation.pb.h"

namespace planner::convert {

/// Rows and errors; the planner's version is the caller's to add. Texts of the table are made valid UTF-8 and cut at 1,000
/// bytes.
v1::ValidateRunsResponse ValidationToProto(const planning::RunValidation& validation);

}  // namespace planner::convert
