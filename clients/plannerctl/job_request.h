#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/jobs/job.h"
#include "planner/v1/estimate.pb.h"

namespace planner::plannerctl {

/// The request that a job's words mean: the flags of `estimate` without their dashes ("model", "tokens", "seq-len", "tp", …), but for what
/// Slurm says of the job (GPUs, cluster). A model is a name of the catalogue, or an absolute path of a description (no TorchScript file) that,
/// links followed, is in one of `model_folders`: who asks is somebody else, and may not have every file of this process read to him.
/// INVALID_ARGUMENT with the word.
absl::StatusOr<v1::EstimateRequest> RequestOfWords(const jobs::JobWords& words,
                                                   const std::vector<std::string>& model_folders);

/// All words that a job may have.
std::vector<std::string> AllWords();

}  // namespace planner::plannerctl
