#pragma once

#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "planner/plugin/v1/counter_plugin.grpc.pb.h"
#include "plugins/sdk/counter_plugin.h"
#include "plugins/sdk/model_file_cache.h"

namespace planner::plugin {

/// planner.plugin.v1.CounterPlugin over a plugin: deadlines, exceptions, the limit of counts at once, and model files that hosts
/// send. Thread-safe.
class CountService final : public v1::CounterPlugin::Service {
 public:
  /// `shares_disk`: the host is on this machine, so that its paths mean something here. The plugin must outlive the service.
  CountService(CounterPlugin& plugin, bool shares_disk);

  grpc::Status GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest* request, v1::PluginInfo* response) override;
  /// Waits for its turn and then counts; DEADLINE_EXCEEDED as a CountError where the turn does not come in time. A call that is
  /// cancelled leaves the queue.
  grpc::Status Count(grpc::ServerContext* context, const v1::CountRequest* request, v1::CountResponse* response) override;
  grpc::Status PutModelFile(grpc::ServerContext* context, grpc::ServerReader<v1::ModelFileChunk>* reader,
                            v1::PutModelFileResponse* response) override;

 private:
  bool TakeTurn(absl::Time deadline, const base::Cancellation& cancelled);
  void GiveTurn();
  v1::CountResponse CountWithFile(const v1::CountRequest& request, absl::Time deadline,
                                  const base::Cancellation& cancelled);

  CounterPlugin& plugin_;
  const v1::PluginInfo info_;
  ModelFileCache files_;
  base::Mutex mutex_;
  base::Condition turn_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace planner::plugin
