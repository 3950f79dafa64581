#pragma once

#include <grpcpp/client_context.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "core/counting/counter.h"
#include "planner/plugin/v1/counter_plugin.grpc.pb.h"
#include "services/plugin_host/crash_history.h"
#include "services/plugin_host/plugin_process.h"
#include "services/plugin_host/plugin_spec.h"

namespace planner::telemetry {
class Log;
}  // namespace planner::telemetry

namespace planner::plugin_host {

/// A counter in another process: a program that is started with the first count that needs it, or a service at an address. From
/// then on a thread keeps it running: restarts it when it ends, at once and then with growing delays, until it has ended too often
/// (CrashHistory). The README has the rules and every error. Thread-safe.
class RemoteCounter final : public counting::Counter {
 public:
  /// Starts nothing. `clock` is for deadlines, delays and the crash window; `log` may be null. Both must outlive the counter.
  RemoteCounter(PluginSpec spec, HostOptions options, const base::Clock& clock, telemetry::Log* log);
  /// Ends the plugin. No count may be at work in another thread.
  ~RemoteCounter() override;

  counting::CounterInfo Info() const override;
  void Learn(absl::Time deadline) const override;
  absl::StatusOr<counting::CostReport> Count(const counting::CountRequest& request) const override;

  /// Of the process that runs now; -1: none does. For tests.
  pid_t pid() const;
  /// How often a plugin has been ready to count.
  int64_t start_count() const;

 private:
  using Stub = plugin::v1::CounterPlugin::Stub;

  /// A plugin that answers.
  struct Session {
    int64_t generation = 0;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<Stub> stub;
    plugin::v1::PluginInfo info;
  };

  /// One call of Count on its way. It may outlive the caller, who leaves at the deadline.
  struct Call {
    grpc::ClientContext context;
    std::shared_ptr<const Session> session;
    plugin::v1::CountRequest request;
    plugin::v1::CountResponse response;
    grpc::Status status;
    std::string digest;
    bool done = false;
  };

  void Supervise() const;
  absl::StatusOr<std::shared_ptr<const Session>> Connect(int64_t generation) const;
  void EndSession() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteFailure(const std::string& what) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitUntil(absl::Time time) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WhyDown() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string DownText() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetContext(grpc::ClientContext* context) const;

  /// Waits for a plugin that is up, takes the model, and has a count to spare.
  absl::StatusOr<std::shared_ptr<const Session>> TakeTurn(const counting::CountRequest& request) const;
  absl::StatusOr<plugin::v1::CountResponse> Ask(const counting::CountRequest& request, const std::string& digest) const;
  absl::Status FailureOf(const Call& call, absl::Time deadline) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finished(const std::shared_ptr<Call>& call) const;
  absl::Status SendFile(const counting::CountRequest& request) const;
  void LogEvent(bool warning, const char* event, std::string message) const;

  const PluginSpec spec_;
  const HostOptions options_;
  const base::Clock& clock_;
  telemetry::Log* const log_;

  mutable base::Mutex mutex_;
  mutable base::Condition changed_;
  mutable std::thread supervisor_ ABSL_GUARDED_BY(mutex_);
  mutable bool wanted_ ABSL_GUARDED_BY(mutex_) = false;
  mutable bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  mutable std::shared_ptr<const Session> session_ ABSL_GUARDED_BY(mutex_);
  mutable std::unique_ptr<PluginProcess> process_ ABSL_GUARDED_BY(mutex_);
  mutable grpc::ClientContext* starting_ ABSL_GUARDED_BY(mutex_) = nullptr;
  mutable std::string broken_ ABSL_GUARDED_BY(mutex_);  ///< Why the session has to end; empty: it has not.
  mutable int64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;  ///< Of the start that was tried last.
  mutable int64_t ended_generation_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable int64_t start_failures_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable int64_t starts_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable std::string last_failure_ ABSL_GUARDED_BY(mutex_);
  mutable std::string refusal_ ABSL_GUARDED_BY(mutex_);  ///< Why it is not used although it runs; final.
  mutable plugin::v1::PluginInfo info_ ABSL_GUARDED_BY(mutex_);
  mutable bool known_ ABSL_GUARDED_BY(mutex_) = false;
  mutable CrashHistory history_ ABSL_GUARDED_BY(mutex_);
  mutable Blame blame_ ABSL_GUARDED_BY(mutex_);
  mutable std::set<std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
  mutable int turns_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace planner::plugin_host
