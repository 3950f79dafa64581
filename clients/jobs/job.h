#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "clients/jobs/gpu_request.h"
#include "clients/jobs/wording.h"

namespace planner::jobs {

/// What a job says to the planner, by name: "model", "tokens", "seq-len" … Names are lower case with "-".
using JobWords = std::map<std::string, std::string>;

/// A job as a scheduler takes it from its user, before it is queued.
struct Job {
  bool is_advice = false;  ///< Of a user's terminal: nothing is kept and nothing is decided.
  std::string partition;   ///< Whose rules hold: Slurm's partition, the namespace of Kubernetes.
  std::string account;
  std::string user;  ///< For the plan's description.
  std::string name;
  std::optional<GpuRequest> gpus;
  JobSize size;
  std::optional<absl::Duration> time_limit;            ///< The job's own.
  std::optional<absl::Duration> partition_time_limit;  ///< The scheduler's, of the partition.
  bool takes_time_limit = true;                        ///< One can be set.
  JobWords words;
  Wording wording;
};

}  // namespace planner::jobs
