#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/kubernetes/certificates.h"
#include "clients/kubernetes/http.h"

namespace httplib {
class Server;
}

namespace planner::kubernetes {

/// How long a stranger may take, and how much he may send.
struct ConnectionLimits {
  absl::Duration silence = absl::Seconds(5);   ///< Between two requests, and for the beginning of TLS.
  absl::Duration request = absl::Seconds(10);  ///< For a whole request to come, however it trickles.
  absl::Duration answer = absl::Seconds(10);   ///< For an answer to be taken.
  size_t request_bytes = size_t{17} << 20;     ///< Of a request as it is on the wire, with its head.
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  ///< 0: any that is free.
  /// PEM files; empty: plain HTTP.
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;  ///< Only clients that have a certificate of this authority's are answered. Needs the other two.
  /// Connections that are served at once, with a thread each; others wait.
  int most_connections = 256;
  ConnectionLimits limits;
};

/// An HTTP server that hands whole requests to a function. Bodies beyond 16 MiB are refused (413), clients that are slow are left (408), and a
/// connection whose requests cannot be told apart any more is closed.
class HttpServer {
 public:
  /// What `answer` gets is from strangers; it is called by many threads. UNAVAILABLE: the address cannot be bound; FAILED_PRECONDITION: a PEM
  /// file cannot be used.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                           std::function<HttpResponse(const HttpRequest&)> answer);
  /// Takes no more connections, answers the requests that are under way, and ends.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }

  /// Takes certificates that were renewed, for new connections: to be called every now and then. True: it has. An error: they cannot be
  /// used, and the old ones stay; said once for each change of the files.
  absl::StatusOr<bool> ReadCertificatesAgain();

 private:
  HttpServer();

  std::unique_ptr<Certificates> certificates_;
  std::unique_ptr<httplib::Server> server_;
  std::thread thread_;
  int port_ = 0;
};

}  // namespace planner::kubernetes
