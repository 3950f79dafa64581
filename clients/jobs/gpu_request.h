#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::jobs {

/// What a job's GPUs are asked for by: of the whole job, or of each node, socket or task.
enum class GpuScope { kJob, kNode, kSocket, kTask };

/// GPUs as a job asks for them.
struct GpuRequest {
  GpuScope scope = GpuScope::kNode;
  std::string type;   ///< As the scheduler calls it, "a100"; empty: any.
  int64_t count = 1;  ///< In each of what `scope` says.
  /// What Slurm has before the type and the count, to write it back: "gres:gpu", "gres/gpu", "gpu".
  std::string prefix = "gres:gpu";
  /// What else is asked for in the same list, as it is written there ("gres:nvme:10"): who changes the GPUs must not take it away.
  std::vector<std::string> beside = {};
};

/// What a job says of its size beside the GPUs. Absent: it says nothing.
struct JobSize {
  std::optional<int64_t> nodes;  ///< At least.
  std::optional<int64_t> tasks;
  std::optional<int64_t> tasks_per_node;
  std::optional<int64_t> sockets_per_node;
  bool has_whole_nodes = false;  ///< It gets all GPUs of its nodes, however few it asks for (Slurm's --exclusive).
};

/// All GPUs of the job. One node and one task where it does not say, and no fewer nodes than its tasks need. INVALID_ARGUMENT: per socket, and
/// nobody says how many; more than 1,000,000. `gpus_of_node`: of a job that has whole nodes; absent: nobody knows.
absl::StatusOr<int64_t> TotalGpus(const GpuRequest& gpus, const JobSize& size,
                                  std::optional<int64_t> gpus_of_node = std::nullopt);

/// A request that gives `total` GPUs, in the scope that the job has used.
struct ResizedRequest {
  GpuRequest gpus;
  std::optional<int64_t> nodes;  ///< Where the number of nodes must change too.
};
/// INVALID_ARGUMENT where the job's shape does not allow it: 6 GPUs for 4 tasks.
absl::StatusOr<ResizedRequest> Resized(const GpuRequest& gpus, const JobSize& size, int64_t total,
                                       int64_t gpus_per_node);

}  // namespace planner::jobs
