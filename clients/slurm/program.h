#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::slurm {

/// What a program writes on standard output. `command` is the program (searched in PATH) and its arguments; no shell is between.
/// NOT_FOUND: there is no such program; DEADLINE_EXCEEDED: it was ended because it took longer than `within`; RESOURCE_EXHAUSTED: because it
/// wrote more than `most_bytes`; UNAVAILABLE: it failed, with what it wrote on standard error.
absl::StatusOr<std::string> OutputOf(const std::vector<std::string>& command, size_t most_bytes, absl::Duration within);

}  // namespace planner::slurm
