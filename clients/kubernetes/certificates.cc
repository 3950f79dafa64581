#include "clients/kubernetes/certificates.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <cstdint>

#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

absl::StatusOr<std::shared_ptr<SSL_CTX>> ContextOf(const CertificateFiles& files) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) return absl::InternalError("OpenSSL makes no context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
  const bool is_pair = SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) == 1 &&
                       SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) == 1 &&
                       SSL_CTX_check_private_key(context.get()) == 1;
  absl::Status status;
  if (!is_pair) {
    status = absl::FailedPreconditionError(
        fmt::format("no certificate and its key in PEM: files=\"{}\", \"{}\"", files.certificate, files.key));
  } else if (!files.client_ca.empty()) {
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(files.client_ca.c_str());
    if (names == nullptr || sk_X509_NAME_num(names) == 0 ||
        SSL_CTX_load_verify_locations(context.get(), files.client_ca.c_str(), nullptr) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      status = absl::FailedPreconditionError(fmt::format("no certificates in PEM: file=\"{}\"", files.client_ca));
    } else {
      SSL_CTX_set_client_CA_list(context.get(), names);  // Which is the context's from now on.
      // Without a name of their own, sessions that clients take up again are refused.
      constexpr unsigned char kSessions[] = "planner";
      SSL_CTX_set_session_id_context(context.get(), kSessions, sizeof(kSessions) - 1);
      SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
  }
  ERR_clear_error();  // Of this thread, whose connections look at it.
  if (!status.ok()) return status;
  return context;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Certificates>> Certificates::Open(CertificateFiles files) {
  std::unique_ptr<Certificates> certificates(new Certificates(std::move(files)));
  RETURN_IF_ERROR(certificates->ReadAgain().status());
  return certificates;
}

std::shared_ptr<SSL_CTX> Certificates::Current() const {
  base::MutexLock lock(mutex_);
  return current_;
}

absl::StatusOr<bool> Certificates::ReadAgain() {
  // Looked at before they are read: what is written meanwhile is read the next time.
  const Stamp now = StampOfFiles();
  {
    base::MutexLock lock(mutex_);
    if (current_ != nullptr && now == stamp_) return false;
    stamp_ = now;
  }
  ASSIGN_OR_RETURN(std::shared_ptr<SSL_CTX> context, ContextOf(files_));
  base::MutexLock lock(mutex_);
  current_ = std::move(context);
  return true;
}

Certificates::Stamp Certificates::StampOfFiles() const {
  const std::array<const std::string*, 3> names = {&files_.certificate, &files_.key, &files_.client_ca};
  Stamp stamp = {};
  for (size_t i = 0; i < names.size(); ++i) {
    struct stat status {};
    if (names.at(i)->empty() || stat(names.at(i)->c_str(), &status) != 0) continue;
    stamp.at(i) = {int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
                   static_cast<int64_t>(status.st_ino)};
  }
  return stamp;
}

}  // namespace planner::kubernetes
