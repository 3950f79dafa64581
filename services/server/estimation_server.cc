#include "services/server/estimation_server.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/batch_sizes.h"
#include "core/hardware/precision.h"
#include "fmt/format.h"
#include "services/convert/count.h"
#include "services/convert/hardware.h"
#include "services/server/methods.h"
#include "services/server/models.h"
#include "services/server/paging.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

constexpr int kModelsOfAPage = 500;

}  // namespace

grpc::Status EstimationServer::Estimate(grpc::ServerContext* context, const v1::EstimateRequest* request,
                                        v1::EstimateResponse* response) {
  return rpc_.Run(method::kEstimate, *context, response,
                  [&](const Call& call) { return estimator_.Estimate(*request, call.deadline, call.cancelled); });
}

grpc::Status EstimationServer::Count(grpc::ServerContext* context, const v1::CountRequest* request,
                                     v1::CountResponse* response) {
  return rpc_.Run(method::kCount, *context, response, [&](const Call& call) { return CountModel(*request, call); });
}

grpc::Status EstimationServer::ValidateRuns(grpc::ServerContext* context, const v1::ValidateRunsRequest* request,
                                            v1::ValidateRunsResponse* response) {
  return rpc_.Run(method::kValidateRuns, *context, response,
                  [&](const Call& call) { return run_validator_.Validate(*request, call.deadline); });
}

grpc::Status EstimationServer::ListCounters(grpc::ServerContext* context, const v1::ListCountersRequest*,
                                            v1::ListCountersResponse* response) {
  return rpc_.Run(method::kListCounters, *context, response, [&](const Call& call) {
    v1::ListCountersResponse answer;
    counter_.Learn(call.deadline);  // What has never run is started now, so that what is said of it is so.
    for (const counting::CounterInfo& info : counter_.Infos()) *answer.add_counters() = convert::CounterToProto(info);
    return absl::StatusOr<v1::ListCountersResponse>(std::move(answer));
  });
}

grpc::Status EstimationServer::ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                                          v1::ListModelsResponse* response) {
  return rpc_.Run(method::kListModels, *context, response, [&](const Call&) { return PageOfModels(*request); });
}

grpc::Status EstimationServer::GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                                        v1::ModelInfo* response) {
  return rpc_.Run(method::kGetModel, *context, response, [&](const Call&) -> absl::StatusOr<v1::ModelInfo> {
    if (request->name().empty()) return base::InvalidField("name", "is missing");
    const auto entry = models_.Find(request->name());
    if (!entry.ok()) return base::WithField("name", entry.status());
    return ModelToProto(**entry, /*with_source=*/true);
  });
}

grpc::Status EstimationServer::ListPrecisions(grpc::ServerContext* context, const v1::ListPrecisionsRequest*,
                                              v1::ListPrecisionsResponse* response) {
  return rpc_.Run(method::kListPrecisions, *context, response, [&](const Call&) {
    v1::ListPrecisionsResponse answer;
    for (const hardware::Precision& precision : hardware::Precisions()) {
      *answer.add_precisions() = convert::PrecisionToProto(precision);
    }
    return absl::StatusOr<v1::ListPrecisionsResponse>(std::move(answer));
  });
}

grpc::Status EstimationServer::GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest*,
                                          v1::VersionInfo* response) {
  return rpc_.Run(method::kGetVersion, *context, response, [&](const Call&) {
    v1::VersionInfo answer;
    answer.set_version(version_);
    answer.add_api_versions("planner.v1");
    return absl::StatusOr<v1::VersionInfo>(std::move(answer));
  });
}

absl::StatusOr<v1::CountResponse> EstimationServer::CountModel(const v1::CountRequest& request,
                                                               const Call& call) const {
  static const ShapeFields kFields = {"batch_shape.batch", "batch_shape.seq_len", "batch_shape.inputs"};
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const model::ModelDescription model, ResolveModel(request.model(), kFields, models_, files_));
  const model::ApplicableShape applicable = model::LeaveOutIgnored(
      model, convert::BatchShapeFromProto(request.batch_shape(), model), "batch_shape.");
  const absl::StatusOr<counting::CostReport> report =
      counter_.Count({.model = model,
                      .batch = applicable.shape,
                      .mode = convert::ModeFromProto(request.mode()),
                      .activation_element_bytes = convert::ActivationBytes(request.precision()),
                      .counter = request.counter(),
                      .deadline = call.deadline,
                      .cancelled = call.cancelled});
  RETURN_IF_ERROR(CountError(report.status(), kFields, model, applicable.shape));
  v1::CountResponse response = convert::CountToProto(*report, request);
  response.set_model(model.name);
  for (const std::string& ignored : applicable.ignored) response.add_warnings(ignored);
  convert::LeaveOutOfProto(model, applicable.shape, *response.mutable_batch_shape());
  return response;
}

absl::StatusOr<v1::ListModelsResponse> EstimationServer::PageOfModels(const v1::ListModelsRequest& request) const {
  const std::vector<std::string> names = models_.Names();
  ASSIGN_OR_RETURN(PageRange range,
                   RangeOf("models", names.size(), request.page_size(), kModelsOfAPage, request.page_token()));
  v1::ListModelsResponse response;
  for (size_t i = range.begin; i < range.end; ++i) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const catalog::CatalogEntry> entry, models_.Find(names[i]));
    ASSIGN_OR_RETURN(*response.add_models(), ModelToProto(*entry, /*with_source=*/false));
  }
  response.set_next_page_token(std::move(range.next_page_token));
  return response;
}

}  // namespace planner::server
