#pragma once

#include <map>
#include <string>

namespace planner::kubernetes {

/// A request as the HTTP server has read it.
struct HttpRequest {
  std::string method;                           ///< "GET", "POST", …
  std::string path;                             ///< Percent-decoded, without the query.
  std::multimap<std::string, std::string> query;  ///< Percent-decoded.
  std::string body;
};

struct HttpResponse {
  int code = 200;
  std::string body;
  std::string content_type = "application/json";
};

/// "127.0.0.1:8443", "[::1]:8443": how a host and a port are written.
inline std::string HostAndPort(const std::string& host, const std::string& port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

}  // namespace planner::kubernetes
