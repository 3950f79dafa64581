#pragma once

#include "absl/status/statusor.h"
#include "clients/plannerctl/session.h"
#include "clients/slurm/job_report.h"
#include "planner/v1/run.pb.h"

namespace planner::plannerctl {

/// Begins the run of a job, once, however often it is told; ends it where `job.end` says so, also one that nobody has told the beginning of.
absl::StatusOr<v1::Run> ReportJob(const slurm::JobReport& job, Session& session);

}  // namespace planner::plannerctl
