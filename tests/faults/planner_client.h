#pragma once

#include <grpcpp/create_channel.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "google/protobuf/text_format.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "planner/v1/run_service.grpc.pb.h"

namespace planner::faults {

/// A message of its text format; the tests' texts are right.
template <typename Message>
Message From(const std::string& text) {
  Message message;
  google::protobuf::TextFormat::ParseFromString(text, &message);
  return message;
}

/// A client with a connection of its own: a daemon that is killed and started anew is met without the backoff of the one before.
class PlannerClient {
 public:
  explicit PlannerClient(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    plans = v1::PlanService::NewStub(channel);
    clusters = v1::ClusterService::NewStub(channel);
    runs = v1::RunService::NewStub(channel);
    estimation = v1::EstimationService::NewStub(channel);
  }

  /// One unary call: Call(*client.plans, &v1::PlanService::Stub::GetPlan, request, plan).
  template <typename Stub, typename Request, typename Response>
  static grpc::Status Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                           const Request& request, Response& response) {
    grpc::ClientContext context;
    SetDeadline(context);
    return (stub.*method)(&context, request, &response);
  }
  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(absl::ToChronoTime(base::Clock::Real().Now() + absl::Seconds(20)));
  }

  std::unique_ptr<v1::PlanService::Stub> plans;
  std::unique_ptr<v1::ClusterService::Stub> clusters;
  std::unique_ptr<v1::RunService::Stub> runs;
  std::unique_ptr<v1::EstimationService::Stub> estimation;
};

}  // namespace planner::faults
