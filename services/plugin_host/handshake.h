#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace planner::plugin_host {

// The host's side of the handshake; plugins/sdk/handshake.h has the plugin's, plugins/README.md the rules. They are two programs,
// possibly of two releases: what they share is the protocol, not a header.

inline constexpr int kProtocolVersion = 1;
inline constexpr char kCookieVariable[] = "PLANNER_PLUGIN_COOKIE";
inline constexpr char kCookie[] = "planner-counter-plugin-2f9c0d7e";
inline constexpr char kVersionsVariable[] = "PLANNER_PLUGIN_PROTOCOL_VERSIONS";
inline constexpr char kSocketVariable[] = "PLANNER_PLUGIN_SOCKET";
inline constexpr size_t kMaxHandshakeBytes = 4096;

/// The gRPC target, "unix:PATH", of a line `planner-plugin|1|unix|PATH|grpc`. FAILED_PRECONDITION, with a sentence: no handshake,
/// another version of the protocol, or a socket that is not the one the plugin was told to listen on.
absl::StatusOr<std::string> ParseHandshake(std::string_view line, std::string_view socket_path);

}  // namespace planner::plugin_host
