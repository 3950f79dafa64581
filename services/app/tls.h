#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "planner/config/v1/config.pb.h"

namespace planner::app {

/// Of a server with these files; of plain text where there are none. Files that change are read again within a second or two, for new
/// connections: a certificate is renewed while the server runs (while key and certificate do not belong together, new connections fail). FAILED_PRECONDITION "tls.FIELD": a file that cannot be read or is no PEM
/// of its kind, or a key that is not the certificate's. gRPC itself would only say that an address cannot be bound.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(const config::v1::Tls& tls);

}  // namespace planner::app
