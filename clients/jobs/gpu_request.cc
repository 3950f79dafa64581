#include "clients/jobs/gpu_request.h"

#include <algorithm>
#include <string_view>

#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::jobs {
namespace {

constexpr int64_t kMostGpus = 1'000'000;

absl::Status Invalid(std::string_view what, const GpuRequest& gpus) {
  return absl::InvalidArgumentError(
      fmt::format("{}: gpus=\"{}{}{}\"", what, gpus.type, gpus.type.empty() ? "" : ":", gpus.count));
}

/// At least so many nodes: what the job says, or as many as its tasks need. "--ntasks=16 --ntasks-per-node=8" are two.
int64_t NodesOf(const JobSize& size) {
  int64_t nodes = std::max<int64_t>(size.nodes.value_or(1), 1);
  const int64_t per_node = size.tasks_per_node.value_or(0);
  if (size.tasks.has_value() && per_node > 0)
    nodes = std::max(nodes, *size.tasks / per_node + (*size.tasks % per_node == 0 ? 0 : 1));
  return nodes;
}

}  // namespace

absl::StatusOr<int64_t> TotalGpus(const GpuRequest& gpus, const JobSize& size, std::optional<int64_t> gpus_of_node) {
  if (size.has_whole_nodes && gpus_of_node.value_or(0) > 0) {
    ASSIGN_OR_RETURN(const int64_t asked, TotalGpus(gpus, size));
    const int64_t whole = std::max(NodesOf(size), (asked + *gpus_of_node - 1) / *gpus_of_node);
    if (whole > kMostGpus / *gpus_of_node) return Invalid("is above 1,000,000 in all", gpus);
    return whole * *gpus_of_node;
  }
  const int64_t nodes = NodesOf(size);
  int64_t pieces = 1;
  switch (gpus.scope) {
    case GpuScope::kJob:
      break;
    case GpuScope::kNode:
      pieces = nodes;
      break;
    case GpuScope::kSocket:
      if (!size.sockets_per_node.has_value())
        return Invalid("is per socket, and the job does not say how many there are", gpus);
      pieces = *size.sockets_per_node;
      if (pieces > kMostGpus || nodes > kMostGpus) return Invalid("is above 1,000,000 in all", gpus);
      pieces *= nodes;
      break;
    case GpuScope::kTask:
      if (size.tasks.has_value()) {
        pieces = *size.tasks;
      } else {
        pieces = size.tasks_per_node.value_or(1);
        if (pieces > kMostGpus || nodes > kMostGpus) return Invalid("is above 1,000,000 in all", gpus);
        pieces *= nodes;
      }
      break;
  }
  pieces = std::max<int64_t>(pieces, 1);
  if (pieces > kMostGpus || gpus.count > kMostGpus / pieces) return Invalid("is above 1,000,000 in all", gpus);
  return gpus.count * pieces;
}

absl::StatusOr<ResizedRequest> Resized(const GpuRequest& gpus, const JobSize& size, int64_t total,
                                       int64_t gpus_per_node) {
  ResizedRequest resized{.gpus = gpus};
  const auto share = [&](int64_t pieces) -> absl::Status {
    if (total % pieces != 0) return Invalid(fmt::format("{} GPUs do not go evenly into {}", total, pieces), gpus);
    resized.gpus.count = total / pieces;
    return absl::OkStatus();
  };
  switch (gpus.scope) {
    case GpuScope::kJob:
      resized.gpus.count = total;
      // More nodes than GPUs is what Slurm refuses; fewer nodes than the GPUs need would never start.
      if ((size.nodes.has_value() || NodesOf(size) > 1) && NodesOf(size) * gpus_per_node < total)
        resized.nodes = (total + gpus_per_node - 1) / gpus_per_node;
      return resized;
    case GpuScope::kNode: {
      const int64_t nodes = NodesOf(size);
      if (total % nodes == 0 && total / nodes <= gpus_per_node) {
        resized.gpus.count = total / nodes;
        return resized;
      }
      resized.nodes = (total + gpus_per_node - 1) / gpus_per_node;
      RETURN_IF_ERROR(share(*resized.nodes));
      return resized;
    }
    case GpuScope::kSocket:
    case GpuScope::kTask: {
      GpuRequest one = gpus;
      one.count = 1;
      ASSIGN_OR_RETURN(const int64_t pieces, TotalGpus(one, size));
      RETURN_IF_ERROR(share(pieces));
      return resized;
    }
  }
  return resized;
}

}  // namespace planner::jobs
