#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <map>
#include <memory>

#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "planner/v1/run_service.pb.h"
#include "services/server/progress_writer.h"
#include "services/server/rpc.h"

namespace planner::server {

struct ProgressStreamOptions {
  /// Streams that are open at once; the surplus is refused with RESOURCE_EXHAUSTED (reason TOO_MANY_STREAMS). One holds some 10 KB.
  size_t max_streams = 10'000;
};

/// Runs RunService.ReportProgress. A stream may be open for weeks: it waits for its client in gRPC's callback API, which takes no thread.
/// What arrives while an earlier part of it is being written is written together; beyond 1,000 samples the client waits. Thread-safe.
class ProgressStreams {
 public:
  using Reactor = grpc::ServerReadReactor<v1::ReportProgressRequest>;

  /// All must outlive it; it must outlive the server's streams.
  ProgressStreams(RpcRunner& rpc, ProgressWriter& writer, const base::Clock& clock, ProgressStreamOptions options = {})
      : rpc_(rpc), writer_(writer), clock_(clock), options_(options) {}

  /// One stream. The reactor owns itself.
  Reactor* Start(grpc::CallbackServerContext* context, v1::ReportProgressResponse* response);

  /// Ends all with UNAVAILABLE, once what they have read is written, and takes no other: for the end of the daemon.
  void EndAll();

 private:
  class Stream;

  /// Whether there is a place for it.
  absl::Status Add(const std::shared_ptr<Stream>& stream);
  void Remove(const Stream* stream);

  RpcRunner& rpc_;
  ProgressWriter& writer_;
  const base::Clock& clock_;
  const ProgressStreamOptions options_;
  base::Mutex mutex_;
  std::map<const Stream*, std::weak_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool is_ending_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace planner::server
