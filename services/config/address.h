#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace planner::config {

/// Where a server listens.
struct Address {
  std::string host;       ///< "127.0.0.1", "[::1]"; empty for a socket file.
  int port = 0;           ///< 0: any free one.
  std::string unix_path;  ///< Of a socket file; empty for TCP.
};

/// "HOST:PORT" or "unix:PATH". INVALID_ARGUMENT at `field`.
absl::StatusOr<Address> ParseAddress(std::string_view field, std::string_view text);

/// "127.0.0.1:7070", "unix:/run/planner/plannerd.sock": how gRPC, the log and the user write it.
std::string ToString(const Address& address);

}  // namespace planner::config
