#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "planner/v1/run_service.pb.h"

namespace planner::slurm {

/// A job that began or ended, as its run is told of.
struct JobReport {
  std::string plan;     ///< "plans/…".
  std::string cluster;  ///< Slurm's.
  std::string id;       ///< "4711".
  std::string restarts = "0";
  std::string name;
  absl::Time start = absl::InfinitePast();          ///< InfinitePast: now.
  v1::Run::State end = v1::Run::STATE_UNSPECIFIED;  ///< How it ended; unspecified: it runs.
  std::string message;                              ///< How it ended, in words.
};

/// The plan that a job's admin_comment names: "planner:plan=plans/…". Empty: none.
std::string PlanOfAdminComment(std::string_view admin_comment);

/// What is asked of the RunService to begin the run of a job. Asked twice (by the hook and by the poller) it begins once: the request_id is the job's.
v1::StartRunRequest StartRequestOf(const JobReport& job);

/// The description of a job's run, which tells it from other runs of the plan.
std::string RunDescriptionOf(const JobReport& job);

/// Whether a job whose EpilogSlurmctld runs was put back into the queue, by its state and the end that squeue tells of now. One that is
/// COMPLETING has ended, unless that end is still to come: Slurm has begun it anew by then.
bool WasRequeued(std::string_view state, absl::Time end, absl::Time now);

/// Makes `job` the report of how the run before the last restart ended, whose number and start Slurm has overwritten by then. False: it was
/// never restarted.
bool EndAsRequeued(JobReport& job);

/// How a job ended, by what squeue says of it: its state ("COMPLETED", "COMPLETING", …), its exit code "0:15" (code and signal) and its reason.
struct JobEnd {
  v1::Run::State state = v1::Run::SUCCEEDED;
  std::string message;
};
JobEnd EndOf(std::string_view state, std::string_view exit_code, std::string_view reason);

}  // namespace planner::slurm
