#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "clients/jobs/job.h"
#include "clients/slurm/wire.h"

namespace planner::slurm {

/// The words of a job's comment: "planner:model=llama-3-8b,tokens=1T,fixed", alone or after other text and a blank or ";"
/// ("project 7; planner:model=…"). It ends with the comment, a blank or a ";". A word without "=" has the value "true". A value with a comma
/// in it stands in quotes: planner:model="a,b". Empty: the comment does not speak to the planner.
/// INVALID_ARGUMENT for what does and cannot be read: a name twice, control characters, a quote without its end, more than 64 words or
/// 4,096 bytes.
absl::StatusOr<jobs::JobWords> WordsOfComment(std::string_view comment);

/// The words of the variables PLANNER_MODEL, PLANNER_SEQ_LEN, …; `environment` holds names with values. Those that speak to plannerctl
/// and not of a job (PLANNER_SERVER, PLANNER_TLS_…, PLANNER_PLAN_ID, PLANNER_RUN) are none. INVALID_ARGUMENT as above.
absl::StatusOr<jobs::JobWords> WordsOfEnvironment(const Fields& environment);

}  // namespace planner::slurm
