#pragma once

#include "core/planning/inference.h"
#include "planner/v1/estimate.pb.h"

namespace planner::convert {

/// A request whose `inference` is there, which passed validation.
planning::InferenceJob InferenceJobFromProto(const v1::EstimateRequest& request, model::ModelDescription model);

/// Every field of InferenceOption is set; the model's name and the planner's version are the caller's to add.
v1::EstimateResponse InferencePlanToProto(const planning::InferencePlan& plan);

}  // namespace planner::convert
