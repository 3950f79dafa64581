#include "services/plugin_host/handshake.h"

#include <vector>

#include "absl/strings/str_split.h"
#include "fmt/format.h"

namespace planner::plugin_host {

absl::StatusOr<std::string> ParseHandshake(std::string_view line, std::string_view socket_path) {
  constexpr size_t kParts = 5;
  constexpr size_t kShown = 100;
  const std::vector<std::string> parts = absl::StrSplit(std::string(line), '|');
  if (parts.size() != kParts || parts[0] != "planner-plugin" || parts[4] != "grpc") {
    return absl::FailedPreconditionError(fmt::format("its first line is no handshake: line=\"{}\"", line.substr(0, kShown)));
  }
  if (parts[1] != std::to_string(kProtocolVersion)) {
    return absl::FailedPreconditionError(fmt::format("it speaks version {} of the plugin protocol, this program version {}",
                                                     parts[1].substr(0, kShown), kProtocolVersion));
  }
  if (parts[2] != "unix" || parts[3] != socket_path) {
    return absl::FailedPreconditionError(
        fmt::format("it listens elsewhere than it was told: network={} address={}", parts[2].substr(0, kShown), parts[3].substr(0, kShown)));
  }
  return fmt::format("unix:{}", socket_path);
}

}  // namespace planner::plugin_host
