#pragma once

#include "clients/cpp/client.h"
#include "clients/kubernetes/http.h"

namespace planner::kubernetes {

/// The API over HTTP and JSON, by Google's rules (AIP-127): GET /v1/plans?pageSize=10, POST /v1/estimate, POST /v1/plans/p:confirm. Every call
/// that is no stream is there; what each asks and answers is the request and response of the gRPC call in the JSON form of protobuf.
/// Thread-safe.
class RestApi {
 public:
  explicit RestApi(cpp::Client& client) : client_(client) {}

  /// The planner's answer. Errors are {"error": {"code": 404, "status": "NOT_FOUND", "message": …, "details": […]}} with their HTTP code:
  /// 404 also for a path that is none, 405 for one that has other methods.
  HttpResponse Answer(const HttpRequest& request) const;

 private:
  cpp::Client& client_;
};

/// "planner.v1.PlanService/GetPlan" of every call that has a path, for a test that none is forgotten.
std::vector<std::string> CallsOfRestApi();

/// 405: the path is there, for other methods.
HttpResponse WrongMethod(const HttpRequest& request);

/// An error as Google's APIs write it over HTTP.
HttpResponse ErrorResponse(const absl::Status& status);

}  // namespace planner::kubernetes
