#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace planner::cpp {

/// A call's outcome with abseil's code of the same number, the server's text, and its reason.
absl::Status FromGrpc(const grpc::Status& status);

/// The reason that the server gave for an error ("MODEL_NOT_UPLOADED"), of a status that FromGrpc made; empty: none.
std::string ReasonOf(const absl::Status& status);

}  // namespace planner::cpp
