#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "clients/jobs/gpu_request.h"

namespace planner::slurm {

/// "tres_per_job", …: what job_desc calls it.
std::string_view FieldOf(jobs::GpuScope scope);

/// The GPUs in a list of trackable resources, in every spelling that Slurm has: "gres:gpu:a100:4", "gres/gpu:a100=4", "gpu:a100:4",
/// "gpu=4", "gpu", "gpu:a100:4(S:0-1)", "gpu:1k"; other resources ("gres:shard:2,gres:gpu:1") are `beside` them. Nothing: it
/// asks for none. INVALID_ARGUMENT: for two types at once, which is no job that the planner could plan; a count that is none, or is above
/// 1,000,000; more than 1,024 bytes.
absl::StatusOr<std::optional<jobs::GpuRequest>> ParseGpus(std::string_view text, jobs::GpuScope scope);

/// The same as sbatch takes it in --gpus, --gpus-per-node …: "8", "a100:8", "a100".
absl::StatusOr<std::optional<jobs::GpuRequest>> ParseGpuOption(std::string_view text, jobs::GpuScope scope);

/// As job_desc takes it: "gres:gpu:a100:4", "gres:gpu:a100:4,gres:nvme:10".
std::string TextOf(const jobs::GpuRequest& gpus);

}  // namespace planner::slurm
