#pragma once

#include "core/model/description.h"
#include "core/planning/job.h"
#include "planner/v1/estimate.pb.h"

namespace planner::convert {

/// A validated request as a job of `model`. What the request leaves out is left out of the job.
planning::JobSpec JobFromProto(const v1::EstimateRequest& request, model::ModelDescription model);

}  // namespace planner::convert
