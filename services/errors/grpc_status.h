#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace planner::errors {

/// The one translation of our errors into gRPC's. The code is that of the same name; details are a
/// google.rpc.Status (trailer grpc-status-details-bin) with an ErrorInfo where the error has a reason
/// (domain "planner", the error's metadata), and a BadRequest where an INVALID_ARGUMENT has a field.
/// Texts are cut to fit gRPC's 8 KiB of trailers and made valid UTF-8, because they may quote a
/// hostile request.
grpc::Status ToGrpcStatus(const absl::Status& status);

/// "INVALID_ARGUMENT": the code's name as metrics and logs write it.
std::string CodeName(const absl::Status& status);

/// At most `limit` bytes of `text` as valid UTF-8: bytes that are none become "?", a cut text ends in
/// "...".
std::string Printable(std::string_view text, size_t limit);

}  // namespace planner::errors
