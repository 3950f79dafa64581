#pragma once

#include "planner/v1/plan_service.grpc.pb.h"
#include "services/feed/change_feed.h"
#include "services/server/live_streams.h"
#include "services/server/plans.h"
#include "services/server/rpc.h"

namespace planner::server {

/// planner.v1.PlanService.
class PlanServer final : public v1::PlanService::WithCallbackMethod_WatchPlan<v1::PlanService::Service> {
 public:
  /// All must outlive it.
  PlanServer(RpcRunner& rpc, Plans& plans, feed::ChangeFeed& feed, LiveStreams& watches)
      : rpc_(rpc), plans_(plans), feed_(feed), watches_(watches) {}

  grpc::Status CreatePlan(grpc::ServerContext* context, const v1::CreatePlanRequest* request,
                          v1::Plan* response) override;
  grpc::Status GetPlan(grpc::ServerContext* context, const v1::GetPlanRequest* request, v1::Plan* response) override;
  grpc::Status ListPlans(grpc::ServerContext* context, const v1::ListPlansRequest* request,
                         v1::ListPlansResponse* response) override;
  grpc::Status ConfirmPlan(grpc::ServerContext* context, const v1::ConfirmPlanRequest* request,
                           v1::Plan* response) override;
  grpc::Status CancelPlan(grpc::ServerContext* context, const v1::CancelPlanRequest* request,
                          v1::Plan* response) override;
  grpc::Status DeletePlan(grpc::ServerContext* context, const v1::DeletePlanRequest* request,
                          google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::Plan>* WatchPlan(grpc::CallbackServerContext* context,
                                                const v1::WatchPlanRequest* request) override;

 private:
  RpcRunner& rpc_;
  Plans& plans_;
  feed::ChangeFeed& feed_;
  LiveStreams& watches_;
};

}  // namespace planner::server
