#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace planner::collector {

/// What to ask a server for, and how patient to be.
struct HttpRequest {
  std::string url;
  /// Of "Authorization: Bearer"; empty: none.
  std::string bearer_token;
  /// Of basic authentication; empty: none.
  std::string username, password;
  /// PEM files; empty: the system's authorities, no certificate of our own.
  std::string ca_file, certificate_file, key_file;
  absl::Duration connect_timeout = absl::Seconds(2);
  /// From the beginning to the answer's last byte.
  absl::Duration timeout = absl::Seconds(10);
  /// Of the answer's body as it is after decompression.
  int64_t max_bytes = int64_t{64} << 20;
};

/// How a request ended.
struct HttpAnswer {
  enum class Outcome {
    kAnswered,     ///< With whatever status: `status` and `body` are there.
    kUnreachable,  ///< No connection, no TLS, or it broke off: `trouble` says it.
    kTimeout,
    kTooLarge,   ///< It was not read on.
    kCancelled,  ///< By Cancel.
  };
  Outcome outcome = Outcome::kUnreachable;
  int status = 0;
  std::string body;
  std::string trouble;  ///< "Connection refused"
};

/// Asks HTTP servers.
///
/// 1) Get returns within the request's timeout, whatever the server does, and never throws.
/// 2) It keeps at most `max_bytes` of an answer, and a little for headers.
/// 3) It follows no redirection: 3xx is an answer like others, and credentials go nowhere but to the URL's own server.
/// 4) Get is called by one thread at a time. Cancel may be called by any, at any time: the Get that is under way ends at once, and every one
///    after it.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual HttpAnswer Get(const HttpRequest& request) = 0;
  virtual void Cancel() = 0;
};

}  // namespace planner::collector
