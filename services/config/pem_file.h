#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace planner::config {

/// What is in a file. FAILED_PRECONDITION: it cannot be read, or is empty.
absl::StatusOr<std::string> ReadPem(const std::string& path);

}  // namespace planner::config
