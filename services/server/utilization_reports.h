#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "planner/v1/cluster_service.pb.h"
#include "services/server/live_streams.h"
#include "services/server/rpc.h"
#include "services/server/worker_pool.h"
#include "services/utilization/utilization.h"

namespace planner::server {

/// Runs ClusterService.ReportUtilization. A stream waits for its client in gRPC's callback API, which takes no thread: exporters may keep
/// theirs open for as long as they like. Thread-safe.
class UtilizationReports {
 public:
  using Reactor = grpc::ServerReadReactor<v1::ReportUtilizationRequest>;

  /// All must outlive it; it must outlive the server's streams.
  UtilizationReports(RpcRunner& rpc, utilization::Utilization& utilization, LiveStreams& streams)
      : rpc_(rpc), utilization_(utilization), streams_(streams) {}

  /// One stream. The reactor owns itself.
  Reactor* Start(grpc::CallbackServerContext* context, v1::ReportUtilizationResponse* response);

 private:
  class Stream;

  RpcRunner& rpc_;
  utilization::Utilization& utilization_;
  LiveStreams& streams_;
  WorkerPool workers_{2};
};

}  // namespace planner::server
