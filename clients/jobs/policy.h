#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::jobs {

/// What the planner may do with the jobs of a partition.
enum class Mode {
  kOff,      ///< Nothing; jobs are not looked at.
  kAdvise,   ///< Says what it thinks, and notes the plan. Changes and refuses nothing.
  kAmend,    ///< Changes what `change` allows. Refuses nothing.
  kEnforce,  ///< Changes, and refuses what cannot be.
};

/// What becomes of a job while the planner does not answer.
enum class OnFailure { kOpen, kClosed };

/// What is done with a job's time limit.
enum class TimeChange {
  kKeep,
  kFill,  ///< Set where the job has none.
  kCap,   ///< And made shorter where it is far longer than the job needs.
};

/// The rules of a partition.
struct PartitionPolicy {
  Mode mode = Mode::kAdvise;
  OnFailure on_failure = OnFailure::kOpen;
  TimeChange time = TimeChange::kFill;
  bool change_count = false;                    ///< Of GPUs.
  bool change_type = false;                     ///< Of GPUs; only to types of `gpu_types`.
  std::optional<absl::Duration> max_time;       ///< Longest job; Slurm's own limit of the partition holds as well.
  int64_t max_gpus = 1'000'000;                 ///< That a change may come to.
  double time_margin = 1.1;                     ///< Time limits are the upper end of the plan's interval times this.
  absl::Duration min_time = absl::Minutes(10);  ///< Shortest time limit that is set.
  int64_t gpus_per_node = 8;
  bool says_gpus_per_node = false;  ///< It is the site's figure, and no default.
};

/// A site's rules: which jobs of which partition are advised, changed, refused.
struct Policy {
  std::string cluster;                           ///< The planner's; empty: planned on the type of the GPUs alone.
  std::map<std::string, std::string> gpu_types;  ///< Slurm's name, the planner's.
  std::string default_gpu_type;                  ///< Slurm's name, for jobs that name none; empty: they are left alone.
  std::vector<std::string>
      model_folders;      ///< Files in them may be named as models. Empty: only names of the catalogue.
  PartitionPolicy other;  ///< Of partitions that are not named.
  std::map<std::string, PartitionPolicy> partitions;

  /// The rules of a partition. A job that names several ("gpu,debug") may start in any of them: nobody gets out of one partition's rules
  /// by naming another, so the strictest of each rule holds, but the longest max_time, since Slurm starts a job only where it fits. Unless
  /// the policy names the list itself.
  PartitionPolicy Of(const std::string& partition) const;
  /// The planner's name of a type of Slurm's; the same name if `gpu_types` does not have it.
  std::string PlannerType(const std::string& slurm_type) const;
};

/// The largest policy that is read.
inline constexpr size_t kMaxPolicyBytes = size_t{1} << 20;

/// A policy from YAML (deploy/slurm/policy.yaml is one). INVALID_ARGUMENT with the field's path: "partitions.gpu.mode: is none of off, advise,
/// amend, enforce: value=\"on\"".
absl::StatusOr<Policy> ParsePolicy(const std::string& text);

}  // namespace planner::jobs
