#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "core/base/clock.h"
#include "planner/v1/run_service.pb.h"
#include "services/server/live_streams.h"
#include "services/server/progress_writer.h"
#include "services/server/rpc.h"

namespace planner::server {

/// Runs RunService.ReportProgress. A stream may be open for weeks: it waits for its client in gRPC's callback API, which takes no thread.
/// What arrives while an earlier part of it is being written is written together; beyond 1,000 samples the client waits. A stream holds
/// some 10 KB; it ends once what it has read is written. Thread-safe.
class ProgressStreams {
 public:
  using Reactor = grpc::ServerReadReactor<v1::ReportProgressRequest>;

  /// All must outlive it; it must outlive the server's streams.
  ProgressStreams(RpcRunner& rpc, ProgressWriter& writer, LiveStreams& streams, const base::Clock& clock)
      : rpc_(rpc), writer_(writer), streams_(streams), clock_(clock) {}

  /// One stream. The reactor owns itself.
  Reactor* Start(grpc::CallbackServerContext* context, v1::ReportProgressResponse* response);

 private:
  class Stream;

  RpcRunner& rpc_;
  ProgressWriter& writer_;
  LiveStreams& streams_;
  const base::Clock& clock_;
};

}  // namespace planner::server
