#pragma once

#include <string>
#include <vector>

#include "core/planning/inference.h"
#include "planner/v1/estimate.pb.h"

namespace planner::convert {

/// One sentence with the fields that are set and mean nothing for a served model, "goal, data_set.token_count are ignored: …"; none
/// where there are none.
std::vector<std::string> InferenceWarnings(const v1::EstimateRequest& request);

/// A request whose `inference` is there, which passed validation.
planning::InferenceJob InferenceJobFromProto(const v1::EstimateRequest& request, model::ModelDescription model);

/// Every field of InferenceOption is set; the model's name and the planner's version are the caller's to add.
v1::EstimateResponse InferencePlanToProto(const planning::InferencePlan& plan);

}  // namespace planner::convert
