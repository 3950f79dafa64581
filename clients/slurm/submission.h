#pragma once

#include "absl/status/statusor.h"
#include "clients/jobs/job.h"
#include "clients/slurm/wire.h"

namespace planner::slurm {

/// A job of Slurm's; what the words of its comment do not say, those of its environment do. What job_submit.lua, cli_filter.lua and `slurm submit-check` send, by name:
///   tres_per_job, tres_per_node, tres_per_socket, tres_per_task   as in job_desc
///   gres, gpus, gpus_per_node, gpus_per_socket, gpus_per_task      as sbatch takes them
///   nodes, tasks, tasks_per_node, sockets_per_node                 numbers ("2-4" nodes are 2)
///   time_limit, partition_time_limit                               as sbatch takes them: minutes, 7-00:00:00, UNLIMITED
///   partition, account, user, name, comment, env.PLANNER_…         texts
///   advice, exclusive                                              "1"
/// Numbers that Slurm has not set (NO_VAL, INFINITE: 65,534 and above of 16 bits, 4,294,967,294 and above) are left out. Unknown names are
/// passed over, so that the scripts may be newer than this. INVALID_ARGUMENT with the field's name.
absl::StatusOr<jobs::Job> ReadSubmission(const Fields& fields);

}  // namespace planner::slurm
