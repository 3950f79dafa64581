#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace planner::cpp {

/// The gRPC target of an address as Planner's programs write it: "127.0.0.1:7070", "[::1]:7070",
/// "planner.example:7070" or "unix:/run/planner/plannerd.sock". INVALID_ARGUMENT for anything else;
/// gRPC itself would take "localhost" and only fail much later, by trying port 443.
absl::StatusOr<std::string> TargetOf(std::string_view address);

/// PEM files, read again when they change, for connections that are made then. All empty: no TLS, for the same machine or a network that is trusted.
struct TlsFiles {
  std::string ca;           ///< Who signs the servers' certificates.
  std::string certificate;  ///< The client's own, where servers want one (mutual TLS), with its key.
  std::string key;
};

/// A channel to a plannerd at `address`; connects with the first call. With TLS where `tls` has files and the address is none of a Unix
/// socket. Past any HTTP proxy of the environment: the daemon is in the same site. INVALID_ARGUMENT as above, or where of `tls` a file is
/// missing; FAILED_PRECONDITION: one cannot be read.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(std::string_view address, const TlsFiles& tls = {});

}  // namespace planner::cpp
