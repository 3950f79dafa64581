#pragma once

#include "absl/time/time.h"
#include "core/runs/planned.h"
#include "core/runs/sample.h"
#include "planner/v1/plan_service.pb.h"
#include "planner/v1/run.pb.h"

namespace planner::convert {

/// What a plan's first recommendation, which it must have, says of a run that starts then.
v1::PlannedRun PlannedRunToProto(const v1::Plan& plan, absl::Time start);

/// The plan of a stored run.
runs::Planned PlannedFromProto(const v1::Run& run);

/// A sample with a time, and with a step or tokens. Without a step, the tokens over those of a step tell it.
runs::Sample SampleFromProto(const v1::ProgressSample& sample, double tokens_per_step);

/// What was reported alone.
v1::ProgressSample SampleToProto(const runs::Sample& sample);

}  // namespace planner::convert
