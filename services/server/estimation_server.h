#pragma once

#include <string>

#include "core/counting/counter_set.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "services/catalog/catalog.h"
#include "services/server/estimator.h"
#include "services/server/model_uploads.h"
#include "services/server/rpc.h"
#include "services/server/run_validator.h"

namespace planner::server {

/// planner.v1.EstimationService: stateless questions.
class EstimationServer final
    : public v1::EstimationService::WithCallbackMethod_UploadModel<v1::EstimationService::Service> {
 public:
  /// All must outlive it; `version` is the planner's.
  EstimationServer(RpcRunner& rpc, Estimator& estimator, RunValidator& run_validator,
                   const catalog::ModelCatalog& models, const counting::CounterSet& counter,
                   model_files::ModelFileStore& files, std::string version)
      : rpc_(rpc),
        estimator_(estimator),
        run_validator_(run_validator),
        models_(models),
        counter_(counter),
        files_(files),
        uploads_(rpc, files),
        version_(std::move(version)) {}

  grpc::Status Estimate(grpc::ServerContext* context, const v1::EstimateRequest* request,
                        v1::EstimateResponse* response) override;
  grpc::Status Count(grpc::ServerContext* context, const v1::CountRequest* request,
                     v1::CountResponse* response) override;
  grpc::Status ValidateRuns(grpc::ServerContext* context, const v1::ValidateRunsRequest* request,
                            v1::ValidateRunsResponse* response) override;
  ModelUploads::Reactor* UploadModel(grpc::CallbackServerContext* context, v1::UploadModelResponse* response) override {
    return uploads_.Start(context, response);
  }
  grpc::Status ListCounters(grpc::ServerContext* context, const v1::ListCountersRequest* request,
                            v1::ListCountersResponse* response) override;
  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override;
  grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                        v1::ModelInfo* response) override;
  grpc::Status ListPrecisions(grpc::ServerContext* context, const v1::ListPrecisionsRequest* request,
                              v1::ListPrecisionsResponse* response) override;
  grpc::Status GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest* request,
                          v1::VersionInfo* response) override;

 private:
  absl::StatusOr<v1::CountResponse> CountModel(const v1::CountRequest& request, const Call& call) const;
  absl::StatusOr<v1::ListModelsResponse> PageOfModels(const v1::ListModelsRequest& request) const;

  RpcRunner& rpc_;
  Estimator& estimator_;
  RunValidator& run_validator_;
  const catalog::ModelCatalog& models_;
  const counting::CounterSet& counter_;
  model_files::ModelFileStore& files_;
  ModelUploads uploads_;
  const std::string version_;
};

}  // namespace planner::server
