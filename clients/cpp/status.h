#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/rpc/status.pb.h"

namespace planner::cpp {

/// A call's outcome with abseil's code of the same number, the server's text, and its reason.
absl::Status FromGrpc(const grpc::Status& status);

/// The reason that the server gave for an error ("MODEL_NOT_UPLOADED"), of a status that FromGrpc made; empty: none.
std::string ReasonOf(const absl::Status& status);

/// A value that the server gave with it ("earliest_start_time"), of such a status; empty: none of that name.
std::string MetadataOf(const absl::Status& status, const std::string& name);

/// After which the server would be asked again (RetryInfo), of such a status; zero: it does not say.
absl::Duration RetryDelayOf(const absl::Status& status);

/// As the server sent it, with all of its details, of such a status; of any other its code, its text, and the reason and field that
/// core/base/error.h has given it, as a server of ours would send them.
google::rpc::Status ToProto(const absl::Status& status);

}  // namespace planner::cpp
