#include "clients/cpp/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <charconv>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::cpp {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

/// The longest path that sockaddr_un takes, without its final NUL.
constexpr size_t kMaxUnixPath = 107;

absl::Status Invalid(std::string_view address, std::string_view what) {
  return base::InvalidField("server", fmt::format("{}: address=\"{}\"; write HOST:PORT or unix:PATH", what, address));
}

bool IsPort(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

}  // namespace

absl::StatusOr<std::string> TargetOf(std::string_view address) {
  if (address.starts_with(kUnixPrefix)) {
    const std::string_view path = address.substr(kUnixPrefix.size());
    if (path.empty()) return Invalid(address, "has no path");
    if (path.size() > kMaxUnixPath) return Invalid(address, "path is longer than 107 bytes");
    return std::string(address);
  }
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return Invalid(address, "has no port");
  const std::string_view host = address.substr(0, colon);
  if (!IsPort(address.substr(colon + 1))) return Invalid(address, "port is not 1 to 65535");
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (host.empty() || host.find_first_of("/ ") != std::string_view::npos ||
      (!bracketed && host.find_first_of(":[]") != std::string_view::npos)) {
    return Invalid(address, "host is malformed");
  }
  return fmt::format("dns:///{}", address);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(std::string_view address) {
  ASSIGN_OR_RETURN(const std::string target, TargetOf(address));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(-1);  // Module trees are as large as the caller's models.
  // A server that vanishes without a word is noticed by streams, which have no deadline.
  constexpr int kSilenceMilliseconds = 60'000;
  constexpr int kAnswerMilliseconds = 20'000;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kSilenceMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kAnswerMilliseconds);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // As many as it takes.
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace planner::cpp
