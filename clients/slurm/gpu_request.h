#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace planner::slurm {

/// What a job's GPUs are asked for by: of the whole job, or of each node, socket or task.
enum class GpuScope { kJob, kNode, kSocket, kTask };

/// "tres_per_job", …: what job_desc calls it.
std::string_view FieldOf(GpuScope scope);

/// GPUs as a job asks for them.
struct GpuRequest {
  GpuScope scope = GpuScope::kNode;
  std::string type;   ///< Of Slurm's configuration, "a100"; empty: any.
  int64_t count = 1;  ///< In each of what `scope` says.
  /// What stands before the type and the count, to write it back: "gres:gpu", "gres/gpu", "gpu".
  std::string prefix = "gres:gpu";
};

/// The GPUs in a list of trackable resources, in every spelling that Slurm has: "gres:gpu:a100:4", "gres/gpu:a100=4", "gpu:a100:4",
/// "gpu=4", "gpu", "gpu:a100:4(S:0-1)", "gpu:1k"; other resources beside them ("gres:shard:2,gres:gpu:1") are passed over. Nothing: it
/// asks for none. INVALID_ARGUMENT: for two types at once, which is no job that the planner could plan; a count that is none, or is above
/// 1,000,000; more than 1,024 bytes.
absl::StatusOr<std::optional<GpuRequest>> ParseGpus(std::string_view text, GpuScope scope);

/// The same as sbatch takes it in --gpus, --gpus-per-node …: "8", "a100:8", "a100".
absl::StatusOr<std::optional<GpuRequest>> ParseGpuOption(std::string_view text, GpuScope scope);

/// As job_desc takes it: "gres:gpu:a100:4".
std::string TextOf(const GpuRequest& gpus);

/// What a job says of its size beside the GPUs. Absent: it says nothing.
struct JobSize {
  std::optional<int64_t> nodes;  ///< At least.
  std::optional<int64_t> tasks;
  std::optional<int64_t> tasks_per_node;
  std::optional<int64_t> sockets_per_node;
};

/// All GPUs of the job. One node and one task where it does not say. INVALID_ARGUMENT: per socket, and nobody says how many; more than
/// 1,000,000.
absl::StatusOr<int64_t> TotalGpus(const GpuRequest& gpus, const JobSize& size);

/// A request that gives `total` GPUs, in the scope that the job has used.
struct ResizedRequest {
  GpuRequest gpus;
  std::optional<int64_t> nodes;  ///< Where the number of nodes must change too.
};
/// INVALID_ARGUMENT where the job's shape does not allow it: 6 GPUs for 4 tasks.
absl::StatusOr<ResizedRequest> Resized(const GpuRequest& gpus, const JobSize& size, int64_t total,
                                       int64_t gpus_per_node);

}  // namespace planner::slurm
