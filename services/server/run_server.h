#pragma once

#include "planner/v1/run_service.grpc.pb.h"
#include "services/server/progress_streams.h"
#include "services/server/rpc.h"
#include "services/server/runs.h"

namespace planner::server {

/// planner.v1.RunService.
class RunServer final : public v1::RunService::WithCallbackMethod_ReportProgress<v1::RunService::Service> {
 public:
  /// All must outlive it.
  RunServer(RpcRunner& rpc, Runs& runs, ProgressStreams& streams) : rpc_(rpc), runs_(runs), streams_(streams) {}

  grpc::Status StartRun(grpc::ServerContext* context, const v1::StartRunRequest* request, v1::Run* response) override;
  ProgressStreams::Reactor* ReportProgress(grpc::CallbackServerContext* context, v1::ReportProgressResponse* response) override {
    return streams_.Start(context, response);
  }
  grpc::Status FinishRun(grpc::ServerContext* context, const v1::FinishRunRequest* request, v1::Run* response) override;
  grpc::Status GetRun(grpc::ServerContext* context, const v1::GetRunRequest* request, v1::Run* response) override;
  grpc::Status ListRuns(grpc::ServerContext* context, const v1::ListRunsRequest* request, v1::ListRunsResponse* response) override;
  grpc::Status DeleteRun(grpc::ServerContext* context, const v1::DeleteRunRequest* request, google::protobuf::Empty* response) override;

 private:
  RpcRunner& rpc_;
  Runs& runs_;
  ProgressStreams& streams_;
};

}  // namespace planner::server
