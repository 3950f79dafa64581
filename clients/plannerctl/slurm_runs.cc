#include "clients/plannerctl/slurm_runs.h"

#include "core/base/status_macros.h"
#include "planner/v1/run_service.grpc.pb.h"

namespace planner::plannerctl {

absl::StatusOr<v1::Run> ReportJob(const slurm::JobReport& job, Session& session) {
  // The same request_id is answered with the run as it is: nothing has to be kept here.
  ASSIGN_OR_RETURN(const v1::Run run, session.Call(&v1::RunService::Stub::StartRun, slurm::StartRequestOf(job)));
  if (job.end == v1::Run::STATE_UNSPECIFIED || run.state() != v1::Run::RUNNING) return run;
  v1::FinishRunRequest finish;
  finish.set_name(run.name());
  finish.set_state(job.end);
  finish.set_message(job.message);
  return session.Call(&v1::RunService::Stub::FinishRun, finish);
}

}  // namespace planner::plannerctl
