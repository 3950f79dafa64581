#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/slurm/gpu_request.h"
#include "clients/slurm/job_words.h"
#include "clients/slurm/wire.h"

namespace planner::slurm {

/// A job as it is submitted, before it is queued.
struct Submission {
  bool is_advice = false;  ///< Of a user's terminal: nothing is kept and nothing is decided.
  std::string partition;
  std::string account;
  std::string user;  ///< Number of the user, for the plan's description.
  std::string name;
  std::optional<GpuRequest> gpus;
  JobSize size;
  std::optional<absl::Duration> time_limit;            ///< The job's own.
  std::optional<absl::Duration> partition_time_limit;  ///< Slurm's, of the partition.
  JobWords words;                                      ///< Of the comment; what it does not say, of the environment.
};

/// What job_submit.lua, cli_filter.lua and `slurm submit-check` send, by name:
///   tres_per_job, tres_per_node, tres_per_socket, tres_per_task   as in job_desc
///   gres, gpus, gpus_per_node, gpus_per_socket, gpus_per_task      as sbatch takes them
///   nodes, tasks, tasks_per_node, sockets_per_node                 numbers ("2-4" nodes are 2)
///   time_limit, partition_time_limit                               as sbatch takes them: minutes, 7-00:00:00, UNLIMITED
///   partition, account, user, name, comment, env.PLANNER_…         texts
///   advice                                                         "1"
/// Numbers that Slurm has not set (NO_VAL, INFINITE: 65,534 and above of 16 bits, 4,294,967,294 and above) are left out. Unknown names are
/// passed over, so that the scripts may be newer than this. INVALID_ARGUMENT with the field's name.
absl::StatusOr<Submission> ReadSubmission(const Fields& fields);

}  // namespace planner::slurm
