#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "planner/v1/estimation_service.pb.h"
#include "services/model_files/model_file_store.h"
#include "services/server/rpc.h"
#include "services/server/worker_pool.h"

namespace planner::server {

/// Time that a client may take to send a file of that size: what one call may take, and a second for each MiB.
absl::Duration UploadTime(absl::Duration max_call, int64_t size_bytes);

/// Runs EstimationService.UploadModel. A stream waits for its client in gRPC's callback API, which takes no thread, and only its
/// work on files runs, on a few threads of its own. So however many clients are slow or have vanished, all that they hold is
/// their place among max_uploads, and that until UploadTime is over. Thread-safe.
class ModelUploads {
 public:
  using Reactor = grpc::ServerReadReactor<v1::UploadModelRequest>;

  /// Both must outlive it; it must outlive the server's streams.
  ModelUploads(RpcRunner& rpc, model_files::ModelFileStore& files) : rpc_(rpc), files_(files) {}

  /// One stream. The reactor owns itself.
  Reactor* Start(grpc::CallbackServerContext* context, v1::UploadModelResponse* response);

 private:
  class Stream;

  RpcRunner& rpc_;
  model_files::ModelFileStore& files_;
  std::atomic<int> streams_ = 0;
  WorkerPool workers_{2};
};

}  // namespace planner::server
