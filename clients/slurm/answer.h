#pragma once

#include "clients/jobs/decision.h"
#include "clients/jobs/policy.h"
#include "clients/slurm/wire.h"

namespace planner::slurm {

/// As job_submit.lua reads it: action, plan, time_limit, tres_field, tres_value, nodes, message (repeated), reason, failed.
Fields FieldsOf(const jobs::Decision& decision);

/// What job_submit.lua must know while nobody answers: "on_failure.gpu=closed", and "on_failure=open" for the others.
Fields FallbackOf(const jobs::Policy& policy);

}  // namespace planner::slurm
