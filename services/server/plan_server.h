#pragma once

#include "planner/v1/plan_service.grpc.pb.h"
#include "services/server/plans.h"
#include "services/server/rpc.h"

namespace planner::server {

/// planner.v1.PlanService.
class PlanServer final : public v1::PlanService::Service {
 public:
  /// Both must outlive it.
  PlanServer(RpcRunner& rpc, Plans& plans) : rpc_(rpc), plans_(plans) {}

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

 private:
  RpcRunner& rpc_;
  Plans& plans_;
};

}  // namespace planner::server
