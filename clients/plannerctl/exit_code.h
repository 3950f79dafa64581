#pragma once

#include "absl/status/status.h"

namespace planner::plannerctl {

/// What plannerctl exits with: a contract with scripts.
enum class ExitCode {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,        ///< A wrong flag, a wrong value, or a name that does not exist.
  kInfeasible = 3,   ///< The answer is that the plan cannot be.
  kUnreachable = 4,  ///< The server cannot be reached or did not answer in time.
};

/// The exit code of an error. What the caller's arguments caused (INVALID_ARGUMENT, NOT_FOUND of
/// what he named, OUT_OF_RANGE of counts over 64 bits) is kUsage; UNAVAILABLE and DEADLINE_EXCEEDED
/// are kUnreachable; all others kFailed.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace planner::plannerctl
