#include "clients/cpp/status.h"

namespace planner::cpp {

absl::Status FromGrpc(const grpc::Status& status) {
  // Both enumerations are google.rpc.Code.
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace planner::cpp
