#include "services/app/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>

#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/config/pem_file.h"

namespace planner::app {
namespace {

absl::Status Wrong(const char* field, const char* what, const std::string& path) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return absl::FailedPreconditionError(
      fmt::format("tls.{}: {}: file=\"{}\"{}", field, what, path, reason == nullptr ? "" : fmt::format(" ({})", reason)));
}

/// What OpenSSL says of the files, before gRPC has them.
absl::Status Check(const config::v1::Tls& tls) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate_file().c_str()) != 1) {
    return Wrong("certificate_file", "is no certificate in PEM", tls.certificate_file());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), tls.key_file().c_str(), SSL_FILETYPE_PEM) != 1) {
    return Wrong("key_file", "is not the certificate's key in PEM", tls.key_file());
  }
  if (!tls.client_ca_file().empty() && SSL_CTX_load_verify_locations(context.get(), tls.client_ca_file().c_str(), nullptr) != 1) {
    return Wrong("client_ca_file", "has no certificates in PEM", tls.client_ca_file());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(const config::v1::Tls& tls) {
  if (tls.certificate_file().empty()) return grpc::InsecureServerCredentials();
  for (const std::string& file : {tls.key_file(), tls.certificate_file(), tls.client_ca_file()}) {
    if (!file.empty()) RETURN_IF_ERROR(config::ReadPem(file).status());
  }
  RETURN_IF_ERROR(Check(tls));
  constexpr unsigned kRefreshSeconds = 1;
  grpc::experimental::TlsServerCredentialsOptions options(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      tls.key_file(), tls.certificate_file(), tls.client_ca_file(), kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  if (!tls.client_ca_file().empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace planner::app
