#pragma once

#include <atomic>
#include <memory>

#include "services/collector/http_client.h"

namespace planner::http {

/// HttpClient over libcurl: HTTP and HTTPS with verified certificates, HTTP/1.1 or 2, gzip, connections that are kept, no proxy of the
/// environment.
class CurlClient : public collector::HttpClient {
 public:
  CurlClient();
  ~CurlClient() override;
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  collector::HttpAnswer Get(const collector::HttpRequest& request) override;
  void Cancel() override;

 private:
  struct MultiCloser {
    void operator()(void* multi) const;
  };

  std::unique_ptr<void, MultiCloser> multi_;  ///< A CURLM: it can be woken, which a lone transfer cannot.
  std::atomic<bool> is_cancelled_ = false;
};

}  // namespace planner::http
