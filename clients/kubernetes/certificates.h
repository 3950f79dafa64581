#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"

struct ssl_ctx_st;

namespace planner::kubernetes {

/// PEM files of a server that speaks TLS.
struct CertificateFiles {
  std::string certificate;
  std::string key;
  std::string client_ca;  ///< Only clients with a certificate of this authority's are answered; empty: all are.
};

/// What new connections speak TLS with. Certificates are renewed while a server runs (cert-manager: after two thirds of their 90 days) by
/// writing their files anew; a server that goes on with the one that it began with is one day trusted by nobody. Thread-safe.
class Certificates {
 public:
  /// FAILED_PRECONDITION: a file cannot be used, or key and certificate do not belong together.
  static absl::StatusOr<std::unique_ptr<Certificates>> Open(CertificateFiles files);

  /// Of a new connection: it keeps what it needs of it.
  std::shared_ptr<ssl_ctx_st> Current() const;

  /// Reads the files again where they have changed. True: there is a new certificate, for connections from now on. An error as Open's: the
  /// old one stays, and the same files are not read again before they change.
  absl::StatusOr<bool> ReadAgain();

 private:
  /// Of each file: when it was written, and which one it is. A secret's files are links, which are followed.
  using Stamp = std::array<std::pair<int64_t, int64_t>, 3>;

  explicit Certificates(CertificateFiles files) : files_(std::move(files)) {}
  Stamp StampOfFiles() const;

  const CertificateFiles files_;
  mutable base::Mutex mutex_;
  Stamp stamp_ ABSL_GUARDED_BY(mutex_) = {};
  std::shared_ptr<ssl_ctx_st> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::kubernetes
