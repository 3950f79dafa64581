#pragma once

#include <istream>
#include <string>

#include "absl/status/statusor.h"
#include "clients/jobs/policy.h"

namespace planner::plannerctl {

/// A policy from a file; the default one for "". INVALID_ARGUMENT with the file's name and the field.
absl::StatusOr<jobs::Policy> ReadPolicy(const std::string& path, std::istream& standard_input);

}  // namespace planner::plannerctl
