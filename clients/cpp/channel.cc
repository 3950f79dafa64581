#include "clients/cpp/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/channel_arguments.h>

#include <charconv>
#include <fstream>

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

absl::Status CheckReadable(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || file.peek() == std::ifstream::traits_type::eof()) {
    return absl::FailedPreconditionError(fmt::format("cannot be read: file=\"{}\"", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const TlsFiles& tls) {
  if (tls.certificate.empty() != tls.key.empty()) {
    return base::InvalidField(tls.key.empty() ? "tls.key" : "tls.certificate", "is missing: a certificate and its key belong together");
  }
  if (tls.ca.empty()) {
    if (!tls.key.empty()) return base::InvalidField("tls.ca", "is missing: who signs the servers' certificates?");
    return grpc::InsecureChannelCredentials();
  }
  for (const std::string& file : {tls.ca, tls.certificate, tls.key}) {
    if (!file.empty()) RETURN_IF_ERROR(CheckReadable(file));
  }
  constexpr unsigned kRefreshSeconds = 1;
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      tls.key, tls.certificate, tls.ca, kRefreshSeconds));
  options.watch_root_certs();
  if (!tls.key.empty()) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
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

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(std::string_view address, const TlsFiles& tls) {
  ASSIGN_OR_RETURN(const std::string target, TargetOf(address));
  // Whoever can open the socket's file is on this machine.
  ASSIGN_OR_RETURN(const auto credentials, CredentialsOf(address.starts_with(kUnixPrefix) ? TlsFiles() : tls));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(-1);  // Module trees are as large as the caller's models.
  // A server that vanishes without a word is noticed by streams, which have no deadline.
  constexpr int kSilenceMilliseconds = 60'000;
  constexpr int kAnswerMilliseconds = 20'000;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kSilenceMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kAnswerMilliseconds);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // As many as it takes.
  // Between two tries of a call it is tried to connect again, and a planner that is back is found: gRPC waits a second first, two minutes later.
  constexpr int kFirstReconnectMilliseconds = 50;
  constexpr int kLongestReconnectMilliseconds = 2'000;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMilliseconds);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestReconnectMilliseconds);
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

}  // namespace planner::cpp
