#include "services/server/run_server.h"

#include "core/base/status_macros.h"
#include "services/server/methods.h"

namespace planner::server {

grpc::Status RunServer::StartRun(grpc::ServerContext* context, const v1::StartRunRequest* request, v1::Run* response) {
  return rpc_.Run(method::kStartRun, *context, response, [&](const Call&) { return runs_.Start(*request); });
}

grpc::Status RunServer::FinishRun(grpc::ServerContext* context, const v1::FinishRunRequest* request, v1::Run* response) {
  return rpc_.Run(method::kFinishRun, *context, response, [&](const Call&) { return runs_.Finish(*request); });
}

grpc::Status RunServer::GetRun(grpc::ServerContext* context, const v1::GetRunRequest* request, v1::Run* response) {
  return rpc_.Run(method::kGetRun, *context, response, [&](const Call&) { return runs_.Get(*request); });
}

grpc::Status RunServer::ListRuns(grpc::ServerContext* context, const v1::ListRunsRequest* request, v1::ListRunsResponse* response) {
  return rpc_.Run(method::kListRuns, *context, response, [&](const Call&) { return runs_.List(*request); });
}

grpc::Status RunServer::DeleteRun(grpc::ServerContext* context, const v1::DeleteRunRequest* request, google::protobuf::Empty* response) {
  return rpc_.Run(method::kDeleteRun, *context, response, [&](const Call&) -> absl::StatusOr<google::protobuf::Empty> {
    RETURN_IF_ERROR(runs_.Delete(*request));
    return google::protobuf::Empty();
  });
}

}  // namespace planner::server
