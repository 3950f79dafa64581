#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "clients/kubernetes/http.h"

namespace httplib {
class Server;
}

namespace planner::kubernetes {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  ///< 0: any that is free.
  /// PEM files; empty: plain HTTP.
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;  ///< Only clients that have a certificate of this authority's are answered. Needs the other two.
  /// Requests that are worked on at once; others wait. A client that says nothing keeps a thread for five seconds.
  int threads = 32;
};

/// An HTTP server that hands whole requests to a function. Bodies beyond 16 MiB are refused (413), clients that send or read nothing for five
/// seconds are left.
class HttpServer {
 public:
  /// What `answer` gets is from strangers; it is called by many threads. UNAVAILABLE: the address cannot be bound; FAILED_PRECONDITION: a PEM
  /// file cannot be used.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                           std::function<HttpResponse(const HttpRequest&)> answer);
  /// Answers what is under way, and ends.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }

 private:
  HttpServer();

  std::unique_ptr<httplib::Server> server_;
  std::thread thread_;
  int port_ = 0;
};

}  // namespace planner::kubernetes
