#include "services/server/plan_server.h"

#include "core/base/status_macros.h"
#include "services/server/methods.h"
#include "services/server/plan_watch.h"
#include "services/server/watch_stream.h"

namespace planner::server {

grpc::Status PlanServer::CreatePlan(grpc::ServerContext* context, const v1::CreatePlanRequest* request,
                                    v1::Plan* response) {
  return rpc_.Run(method::kCreatePlan, *context, response,
                  [&](const Call& call) { return plans_.Create(*request, call.deadline, call.cancelled); });
}

grpc::Status PlanServer::GetPlan(grpc::ServerContext* context, const v1::GetPlanRequest* request, v1::Plan* response) {
  return rpc_.Run(method::kGetPlan, *context, response, [&](const Call&) { return plans_.Get(*request); });
}

grpc::Status PlanServer::ListPlans(grpc::ServerContext* context, const v1::ListPlansRequest* request,
                                   v1::ListPlansResponse* response) {
  return rpc_.Run(method::kListPlans, *context, response, [&](const Call&) { return plans_.List(*request); });
}

grpc::Status PlanServer::ConfirmPlan(grpc::ServerContext* context, const v1::ConfirmPlanRequest* request,
                                     v1::Plan* response) {
  return rpc_.Run(method::kConfirmPlan, *context, response, [&](const Call&) { return plans_.Confirm(*request); });
}

grpc::Status PlanServer::CancelPlan(grpc::ServerContext* context, const v1::CancelPlanRequest* request,
                                    v1::Plan* response) {
  return rpc_.Run(method::kCancelPlan, *context, response, [&](const Call&) { return plans_.Cancel(*request); });
}

grpc::Status PlanServer::DeletePlan(grpc::ServerContext* context, const v1::DeletePlanRequest* request,
                                    google::protobuf::Empty* response) {
  return rpc_.Run(method::kDeletePlan, *context, response, [&](const Call&) -> absl::StatusOr<google::protobuf::Empty> {
    RETURN_IF_ERROR(plans_.Delete(*request));
    return google::protobuf::Empty();
  });
}

grpc::ServerWriteReactor<v1::Plan>* PlanServer::WatchPlan(grpc::CallbackServerContext* context,
                                                          const v1::WatchPlanRequest* request) {
  return WatchStream<v1::Plan>::Start(method::kWatchPlan, *context,
                                      std::make_shared<PlanWatch>(request->name(), plans_), feed_, watches_, rpc_);
}

}  // namespace planner::server
