#include "clients/kubernetes/rest_api.h"

#include <nlohmann/json.hpp>

#include <functional>

#include "clients/cpp/status.h"
#include "clients/kubernetes/json_request.h"
#include "clients/kubernetes/path_template.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "google/rpc/status.pb.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "planner/v1/run_service.grpc.pb.h"

namespace planner::kubernetes {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

struct Route {
  std::string method;
  PathTemplate path;
  std::string body_field;  ///< See FillRequest.
  std::string call;        ///< "planner.v1.PlanService/GetPlan"
  std::function<absl::StatusOr<std::string>(cpp::Client&, const HttpRequest&, const Variables&)> answer;
};

/// `Service` is the generated class around its Stub.
template <typename Service, typename Request, typename Response>
Route MakeRoute(std::string_view method, std::string_view path, std::string_view body_field, std::string_view name,
                grpc::Status (Service::Stub::*call)(grpc::ClientContext*, const Request&, Response*)) {
  return {.method = std::string(method),
          .path = PathTemplate(path),
          .body_field = std::string(body_field),
          .call = fmt::format("{}/{}", Service::service_full_name(), name),
          .answer = [call, field = std::string(body_field)](cpp::Client& client, const HttpRequest& http,
                                                            const Variables& variables) -> absl::StatusOr<std::string> {
            Request request;
            RETURN_IF_ERROR(FillRequest(http, variables, field, request));
            ASSIGN_OR_RETURN(const Response response, client.Call(call, std::move(request)));
            return JsonOf(response);
          }};
}

const std::vector<Route>& Routes() {
  using Estimation = v1::EstimationService;
  using Clusters = v1::ClusterService;
  using Plans = v1::PlanService;
  using Runs = v1::RunService;
#define ROUTE(METHOD, PATH, BODY, SERVICE, CALL) MakeRoute<SERVICE>(METHOD, PATH, BODY, #CALL, &SERVICE::Stub::CALL)
  static const auto* const routes = new std::vector<Route>{
      ROUTE("POST", "/v1/estimate", "*", Estimation, Estimate),
      ROUTE("POST", "/v1/count", "*", Estimation, Count),
      ROUTE("POST", "/v1/validateRuns", "*", Estimation, ValidateRuns),
      ROUTE("GET", "/v1/counters", "", Estimation, ListCounters),
      ROUTE("GET", "/v1/models", "", Estimation, ListModels),
      ROUTE("GET", "/v1/models/{name=**}", "", Estimation, GetModel),
      ROUTE("GET", "/v1/precisions", "", Estimation, ListPrecisions),
      ROUTE("GET", "/v1/version", "", Estimation, GetVersion),
      ROUTE("POST", "/v1/clusters", "cluster", Clusters, CreateCluster),
      ROUTE("GET", "/v1/{name=clusters/*}", "", Clusters, GetCluster),
      ROUTE("GET", "/v1/clusters", "", Clusters, ListClusters),
      ROUTE("PATCH", "/v1/{cluster.name=clusters/*}", "cluster", Clusters, UpdateCluster),
      ROUTE("DELETE", "/v1/{name=clusters/*}", "", Clusters, DeleteCluster),
      ROUTE("GET", "/v1/{cluster=clusters/*}/utilization", "", Clusters, GetUtilization),
      ROUTE("GET", "/v1/gpuTypes", "", Clusters, ListGpuTypes),
      ROUTE("GET", "/v1/gpuTypes/{name=**}", "", Clusters, GetGpuType),
      ROUTE("POST", "/v1/{parent=clusters/*}/reservations", "reservation", Clusters, CreateReservation),
      ROUTE("GET", "/v1/{name=clusters/*/reservations/*}", "", Clusters, GetReservation),
      ROUTE("GET", "/v1/{parent=clusters/*}/reservations", "", Clusters, ListReservations),
      ROUTE("DELETE", "/v1/{name=clusters/*/reservations/*}", "", Clusters, DeleteReservation),
      ROUTE("POST", "/v1/plans", "*", Plans, CreatePlan),
      ROUTE("GET", "/v1/{name=plans/*}", "", Plans, GetPlan),
      ROUTE("GET", "/v1/plans", "", Plans, ListPlans),
      ROUTE("POST", "/v1/{name=plans/*}:confirm", "*", Plans, ConfirmPlan),
      ROUTE("POST", "/v1/{name=plans/*}:cancel", "*", Plans, CancelPlan),
      ROUTE("DELETE", "/v1/{name=plans/*}", "", Plans, DeletePlan),
      ROUTE("POST", "/v1/runs", "*", Runs, StartRun),
      ROUTE("POST", "/v1/{name=runs/*}:finish", "*", Runs, FinishRun),
      ROUTE("GET", "/v1/{name=runs/*}", "", Runs, GetRun),
      ROUTE("GET", "/v1/runs", "", Runs, ListRuns),
      ROUTE("DELETE", "/v1/{name=runs/*}", "", Runs, DeleteRun),
  };
#undef ROUTE
  return *routes;
}

/// Of google/rpc/code.proto.
int HttpCodeOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

HttpResponse ErrorWithCode(int code, const absl::Status& status) {
  const google::rpc::Status proto = cpp::ToProto(status);
  // Our own parts are JSON; the details are protobuf's.
  nlohmann::ordered_json error = nlohmann::ordered_json::parse(JsonOf(proto), nullptr, false);
  error["code"] = code;
  error["status"] = absl::StatusCodeToString(status.code());
  return {.code = code, .body = nlohmann::ordered_json{{"error", std::move(error)}}.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)};
}

}  // namespace

HttpResponse WrongMethod(const HttpRequest& request) {
  return ErrorWithCode(405, absl::UnimplementedError(fmt::format("there is no {} of this path: {}", request.method, request.path)));
}

HttpResponse ErrorResponse(const absl::Status& status) { return ErrorWithCode(HttpCodeOf(status.code()), status); }

HttpResponse RestApi::Answer(const HttpRequest& request) const {
  bool is_path = false;
  for (const Route& route : Routes()) {
    const auto variables = route.path.Match(request.path);
    if (!variables.has_value()) continue;
    is_path = true;
    if (route.method != request.method) continue;
    absl::StatusOr<std::string> answer = route.answer(client_, request, *variables);
    if (!answer.ok()) return ErrorResponse(answer.status());
    return {.body = *std::move(answer)};
  }
  if (is_path) return WrongMethod(request);
  return ErrorResponse(absl::NotFoundError(fmt::format("there is no such path: {}", request.path)));
}

std::vector<std::string> CallsOfRestApi() {
  std::vector<std::string> calls;
  for (const Route& route : Routes()) calls.push_back(route.call);
  return calls;
}

}  // namespace planner::kubernetes
