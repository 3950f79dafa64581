#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace planner::plugin {

inline constexpr int kProtocolVersion = 1;

/// Set by the host to kCookie. No secret: it tells a program that a host has started it, and not a person who looks what it does.
inline constexpr char kCookieVariable[] = "PLANNER_PLUGIN_COOKIE";
inline constexpr char kCookie[] = "planner-counter-plugin-2f9c0d7e";
/// Versions of the protocol that the host speaks: "1,2".
inline constexpr char kVersionsVariable[] = "PLANNER_PLUGIN_PROTOCOL_VERSIONS";
/// Path at which the plugin is to listen, in a folder that only the host and its plugins can enter.
inline constexpr char kSocketVariable[] = "PLANNER_PLUGIN_SOCKET";

/// What the host wants of a plugin that it has started.
struct HostEnvironment {
  std::string socket_path;
};

/// A variable of the environment; none if not set.
using Variables = std::function<std::optional<std::string>(const char* name)>;

/// FAILED_PRECONDITION, with a sentence for people: no host has started the program, or one that speaks other versions.
absl::StatusOr<HostEnvironment> ReadHostEnvironment(const Variables& variables);

/// `planner-plugin|1|unix|PATH|grpc`: version, kind of socket (unix, tcp), its address, and what is spoken on it.
std::string HandshakeLine(const std::string& network, const std::string& address);

}  // namespace planner::plugin
