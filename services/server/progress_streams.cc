#include "services/server/progress_streams.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/mutex.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/time.h"
#include "services/server/methods.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

/// Read and not written yet, of one stream; a message may come on top.
constexpr size_t kMostWaiting = 1000;

}  // namespace

/// Reads while it writes: at any moment one read and one write are under way at most. It ends when there is a reason to, and nothing is
/// left to be written; a read that is under way then is broken off by gRPC.
class ProgressStreams::Stream final : public Reactor, public LiveStream, public std::enable_shared_from_this<Stream> {
 public:
  Stream(ProgressStreams& parent, grpc::CallbackServerContext& context, v1::ReportProgressResponse& response)
      : parent_(parent), context_(context), response_(response), started_(parent.rpc_.Begin(context)) {}

  /// `status`: whether there is a place for it.
  void Start(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    self_ = shared_from_this();
    if (status.ok()) {
      Read();
    } else {
      end_ = status;
    }
    GoOn();
  }

  void OnReadDone(bool ok) override {
    base::MutexLock lock(mutex_);
    is_reading_ = false;
    if (!ok) {
      SetEnd(context_.IsCancelled() ? absl::CancelledError("the client has gone") : AtTheEnd());
    } else if (const absl::Status status = Take(); !status.ok()) {
      SetEnd(status);
    }
    GoOn();
  }

  void OnDone() override { self_.reset(); }

  void EndSoon(const absl::Status& status) override {
    base::MutexLock lock(mutex_);
    SetEnd(status);
    GoOn();
  }

  /// What is being written needs no client.
  void BreakOff() override {}

 private:
  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    is_reading_ = true;
    StartRead(&message_);
  }

  /// The first reason counts.
  void SetEnd(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!end_) end_ = status;
  }

  absl::Status AtTheEnd() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return id_.empty() ? base::InvalidField("run", "is missing: the stream has no message") : absl::OkStatus();
  }

  /// What was read is to be written.
  absl::Status Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    RETURN_IF_ERROR(validate::Validate(message_));
    if (id_.empty() || !message_.run().empty()) {
      ASSIGN_OR_RETURN(std::string id, validate::RunId("run", message_.run()));
      if (!id_.empty() && id != id_) {
        return base::InvalidField("run", fmt::format("must stay the same in a stream: run=\"{}\" before=\"{}\"", id, id_));
      }
      // That there is such a run, and that it runs, is asked at once, even if nothing is reported of it yet.
      has_question_ = has_question_ || id_.empty();
      id_ = std::move(id);
    }
    const google::protobuf::Timestamp now = convert::TimeToProto(parent_.clock_.Now());
    for (v1::ProgressSample& sample : *message_.mutable_samples()) {
      if (!sample.has_time()) *sample.mutable_time() = now;
      waiting_.push_back(std::move(sample));
    }
    return absl::OkStatus();
  }

  /// Does what can be done now.
  void GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (is_finished_) return;
    if (!is_writing_ && (!waiting_.empty() || has_question_)) Write();
    if (end_) {
      if (!is_writing_) End();
      return;
    }
    if (!is_reading_ && waiting_.size() < kMostWaiting) Read();
  }

  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    is_writing_ = true;
    has_question_ = false;
    RunReport report{id_, std::exchange(waiting_, {}), taken_};
    taken_ += static_cast<int64_t>(report.samples.size());
    parent_.writer_.Write(std::move(report), [self = self_](absl::StatusOr<ReportOutcome> outcome) { self->OnWritten(std::move(outcome)); });
  }

  void OnWritten(absl::StatusOr<ReportOutcome> outcome) {
    base::MutexLock lock(mutex_);
    is_writing_ = false;
    if (outcome.ok()) {
      response_.set_accepted_count(response_.accepted_count() + outcome->accepted);
      response_.set_refused_count(response_.refused_count() + outcome->refused);
      for (std::string& refusal : outcome->refusals) {
        if (response_.refusals_size() < static_cast<int>(kMostRefusals)) response_.add_refusals(std::move(refusal));
      }
      *response_.mutable_run() = std::move(outcome->run);
    } else {
      end_ = outcome.status();  // Above all else: what was read is not kept.
      waiting_.clear();
    }
    GoOn();
  }

  void End() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    is_finished_ = true;
    parent_.streams_.Remove(this);
    Finish(parent_.rpc_.End(method::kReportProgress, started_, *end_));
  }

  ProgressStreams& parent_;
  grpc::CallbackServerContext& context_;
  v1::ReportProgressResponse& response_;  ///< gRPC's after the end.
  const RpcRunner::Started started_;
  std::shared_ptr<Stream> self_;  ///< Until gRPC is done with it.

  base::Mutex mutex_;
  v1::ReportProgressRequest message_;  ///< gRPC's while it is being read.
  std::string id_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ProgressSample> waiting_ ABSL_GUARDED_BY(mutex_);
  int64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;  ///< Samples of the stream that are being written, or were.
  bool has_question_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

ProgressStreams::Reactor* ProgressStreams::Start(grpc::CallbackServerContext* context, v1::ReportProgressResponse* response) {
  const auto stream = std::make_shared<Stream>(*this, *context, *response);
  stream->Start(streams_.Add(stream));
  return stream.get();
}

}  // namespace planner::server
