#pragma once

#include <functional>
#include <vector>

#include "services/collector/http_client.h"

namespace planner::collector {

/// Answers what it is told to, and remembers what it was asked.
class FakeHttpClient : public HttpClient {
 public:
  explicit FakeHttpClient(std::function<HttpAnswer(const HttpRequest&)> answer) : answer_(std::move(answer)) {}

  HttpAnswer Get(const HttpRequest& request) override {
    requests.push_back(request);
    return answer_(request);
  }
  void Cancel() override {}

  std::vector<HttpRequest> requests;

 private:
  const std::function<HttpAnswer(const HttpRequest&)> answer_;
};

}  // namespace planner::collector
