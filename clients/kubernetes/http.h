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

}  // namespace planner::kubernetes
