#include "services/server/utilization_reports.h"

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/server/methods.h"
#include "services/validate/requests.h"

namespace planner::server {

/// A stream is either reading (gRPC waits for the client) or working (a thread of the pool has it), and ends while working: so what it
/// has taken needs no lock.
class UtilizationReports::Stream final : public Reactor,
                                         public LiveStream,
                                         public std::enable_shared_from_this<Stream> {
 public:
  Stream(UtilizationReports& reports, grpc::CallbackServerContext& context, v1::ReportUtilizationResponse& response)
      : reports_(reports), context_(context), response_(response), started_(reports.rpc_.Begin(context)) {}

  void Start() {
    self_ = shared_from_this();
    const absl::Status placed = reports_.streams_.Add(self_);
    base::MutexLock lock(mutex_);
    if (placed.ok()) return Read();
    end_ = placed;
    reports_.workers_.Run([self = self_] { self->End(); });
  }

  void OnReadDone(bool ok) override {
    base::MutexLock lock(mutex_);
    if (!std::exchange(is_reading_, false)) return;  // It is ending.
    reports_.workers_.Run([self = self_, ok] { self->Work(ok); });
  }

  void OnDone() override { self_.reset(); }

  void EndSoon(const absl::Status& status) override {
    base::MutexLock lock(mutex_);
    if (end_.has_value()) return;
    end_ = status;
    if (std::exchange(is_reading_, false)) {
      reports_.workers_.Run([self = self_] { self->End(); });
    }
  }

  void BreakOff() override { context_.TryCancel(); }

 private:
  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    is_reading_ = true;
    StartRead(&message_);
  }

  void Work(bool ok) {
    const std::optional<absl::Status> end = Next(ok);
    {
      base::MutexLock lock(mutex_);
      if (end.has_value() && !end_.has_value()) end_ = end;
      if (!end_.has_value()) return Read();
    }
    End();
  }

  /// What to do with what was read: go on (absent), or end.
  std::optional<absl::Status> Next(bool ok) {
    // Libraries may throw, and memory may run out: that costs one call, not the daemon.
    try {
      if (context_.IsCancelled()) return absl::CancelledError("the client has gone");
      // What the answer says was taken is durable.
      if (!ok) return cluster_.empty() ? base::InvalidField("cluster", "is missing") : reports_.utilization_.Flush();
      const absl::Status status = Take();
      v1::ReportUtilizationRequest().Swap(&message_);  // A silent stream holds no samples.
      if (status.ok()) return std::nullopt;
      return status;
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError("out of memory");
    } catch (const std::exception& error) {
      return absl::InternalError(fmt::format("unexpected error: {}", error.what()));
    }
  }

  absl::Status Take() {
    if (cluster_.empty()) {
      ASSIGN_OR_RETURN(cluster_, validate::ClusterId("cluster", message_.cluster()));
    } else if (!message_.cluster().empty()) {
      ASSIGN_OR_RETURN(const std::string again, validate::ClusterId("cluster", message_.cluster()));
      if (again != cluster_) {
        return base::InvalidField("cluster", fmt::format("must not change: \"{}\" after \"{}\"", again, cluster_));
      }
    }
    return reports_.utilization_.Report(cluster_, message_, ++message_number_, response_);
  }

  /// Last; nothing is being read.
  void End() {
    absl::Status status;
    {
      base::MutexLock lock(mutex_);
      status = *end_;
    }
    reports_.streams_.Remove(this);
    Finish(reports_.rpc_.End(method::kReportUtilization, started_, status));
  }

  UtilizationReports& reports_;
  grpc::CallbackServerContext& context_;
  v1::ReportUtilizationResponse& response_;
  const RpcRunner::Started started_;
  std::shared_ptr<Stream> self_;  ///< Until gRPC is done with it.

  // Whoever works.
  v1::ReportUtilizationRequest message_;
  std::string cluster_;  ///< Empty: none was named yet.
  int64_t message_number_ = 0;

  base::Mutex mutex_;
  bool is_reading_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

UtilizationReports::Reactor* UtilizationReports::Start(grpc::CallbackServerContext* context,
                                                       v1::ReportUtilizationResponse* response) {
  const auto stream = std::make_shared<Stream>(*this, *context, *response);
  stream->Start();
  return stream.get();
}

}  // namespace planner::server
