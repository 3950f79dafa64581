#include "plugins/sdk/handshake.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

namespace planner::plugin {

absl::StatusOr<HostEnvironment> ReadHostEnvironment(const Variables& variables) {
  if (variables(kCookieVariable) != kCookie) {
    return absl::FailedPreconditionError(
        "this program is a counter of plannerd and is of no use by itself: put it beside plannerd as "
        "bin/plugins/planner-counter-NAME, name it in counter_plugins of plannerd's configuration, or serve it to another host "
        "with --listen HOST:PORT");
  }
  const std::string offered = variables(kVersionsVariable).value_or("");
  bool spoken = false;
  for (const auto text : absl::StrSplit(offered, ',')) {
    int version = 0;
    spoken = spoken || (absl::SimpleAtoi(text, &version) && version == kProtocolVersion);
  }
  if (!spoken) {
    return absl::FailedPreconditionError(
        fmt::format("the host speaks versions {} of the plugin protocol, this plugin version {}",
                    offered.empty() ? "none" : offered, kProtocolVersion));
  }
  std::string path = variables(kSocketVariable).value_or("");
  if (path.empty()) return absl::FailedPreconditionError(fmt::format("the host has not set {}", kSocketVariable));
  return HostEnvironment{std::move(path)};
}

std::string HandshakeLine(const std::string& network, const std::string& address) {
  return fmt::format("planner-plugin|{}|{}|{}|grpc", kProtocolVersion, network, address);
}

}  // namespace planner::plugin
