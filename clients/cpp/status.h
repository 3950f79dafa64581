#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace planner::cpp {

/// A call's outcome with abseil's code of the same number and the server's text.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace planner::cpp
