#pragma once

#include "core/planning/plan.h"
#include "planner/v1/estimate.pb.h"

namespace planner::convert {

/// The plan's figures. Every message field is set; the model's name and the planner's version are the
/// caller's to add.
v1::EstimateResponse PlanToProto(const planning::Plan& plan);

}  // namespace planner::convert
