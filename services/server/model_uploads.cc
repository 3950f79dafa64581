#include "services/server/model_uploads.h"

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/time.h"
#include "services/server/methods.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

constexpr int64_t kSlowestBytesPerSecond = int64_t{1} << 20;

gpr_timespec FromNow(absl::Duration duration) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(duration), GPR_TIMESPAN));
}

}  // namespace

absl::Duration UploadTime(absl::Duration max_call, int64_t size_bytes) {
  return max_call + absl::Seconds(size_bytes / kSlowestBytesPerSecond);
}

/// A stream is either reading (gRPC waits for the client) or working (a thread of the pool has it), and ends while working: so
/// the upload needs no lock, and what is left of it is gone before the client has its error.
class ModelUploads::Stream final : public Reactor, public std::enable_shared_from_this<Stream> {
 public:
  Stream(ModelUploads& uploads, grpc::CallbackServerContext& context, v1::UploadModelResponse& response)
      : uploads_(uploads), context_(context), response_(response), started_(uploads.rpc_.Begin(context)) {}

  /// `granted`: whether there is a place among the uploads.
  void Start(bool granted) {
    self_ = shared_from_this();
    if (!granted) {
      const int most = uploads_.files_.options().max_uploads;
      uploads_.workers_.Run([self = self_, most] {
        self->End(base::WithReason(
            absl::ResourceExhaustedError(fmt::format("too many uploads at once: max_uploads={}", most)), "TOO_MANY_UPLOADS"));
      });
      return;
    }
    announcement_alarm_.Set(FromNow(uploads_.rpc_.options().max_call), [weak = weak_from_this()](bool rang) {
      if (const std::shared_ptr<Stream> self = weak.lock(); rang && self != nullptr) self->Expire(/*announcement=*/true);
    });
    base::MutexLock lock(mutex_);
    Read();
  }

  void OnReadDone(bool ok) override {
    base::MutexLock lock(mutex_);
    if (!std::exchange(reading_, false)) return;  // Expired: it is ending.
    uploads_.workers_.Run([self = self_, ok] { self->Work(ok); });
  }

  void OnDone() override { self_.reset(); }

 private:
  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    reading_ = true;
    StartRead(&message_);
  }

  void Expire(bool announcement) {
    base::MutexLock lock(mutex_);
    if (announcement && announced_) return;
    expired_ = true;
    if (std::exchange(reading_, false)) {
      uploads_.workers_.Run([self = self_] { self->End(Late()); });
    }
  }

  static absl::Status Late() {
    return absl::DeadlineExceededError(
        fmt::format("the upload took too long: at least {} bytes a second are expected", kSlowestBytesPerSecond));
  }

  /// What to do with what was read: go on (absent), or end.
  std::optional<absl::Status> Next(bool ok) {
    // Libraries may throw, and memory may run out: that costs one call, not the daemon.
    try {
      if (context_.IsCancelled()) return absl::CancelledError("the client has gone");
      if (!ok) return Finished();
      const absl::Status status = message_.has_data() ? Append() : Announce();
      if (!status.ok() || complete_) return status;
      return std::nullopt;
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError("out of memory");
    } catch (const std::exception& error) {
      return absl::InternalError(fmt::format("unexpected error: {}", error.what()));
    }
  }

  void Work(bool ok) {
    std::optional<absl::Status> end = Next(ok);
    {
      base::MutexLock lock(mutex_);
      announced_ = announced_ || upload_ != nullptr;
      if (expired_ && !complete_) end = Late();
      if (!end) Read();
    }
    if (end) End(*std::move(end));
  }

  absl::Status Announce() {
    if (upload_ != nullptr) return base::InvalidField("announcement", "must come once, and first");
    RETURN_IF_ERROR(validate::Validate(message_));
    const v1::UploadAnnouncement& announcement = message_.announcement();
    const absl::StatusOr<model_files::StoredFile> stored = uploads_.files_.Find(announcement.sha256());
    if (stored.ok() && stored->file.size_bytes == announcement.size_bytes()) {
      Answer(*stored);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(upload_, uploads_.files_.Begin(announcement.size_bytes(), announcement.sha256()));
    upload_alarm_.Set(FromNow(UploadTime(uploads_.rpc_.options().max_call, announcement.size_bytes())),
                      [weak = weak_from_this()](bool rang) {
                        if (const std::shared_ptr<Stream> self = weak.lock(); rang && self != nullptr) self->Expire(false);
                      });
    return absl::OkStatus();
  }

  absl::Status Append() {
    if (upload_ == nullptr) return base::InvalidField("announcement", "must come before the data");
    RETURN_IF_ERROR(validate::Validate(message_));
    return upload_->Append(message_.data());
  }

  absl::Status Finished() {
    if (upload_ == nullptr) return base::InvalidField("announcement", "is missing");
    ASSIGN_OR_RETURN(const model_files::StoredFile stored, upload_->Commit());
    Answer(stored);
    return absl::OkStatus();
  }

  void Answer(const model_files::StoredFile& stored) {
    response_.mutable_file()->set_sha256(stored.file.sha256);
    response_.set_size_bytes(stored.file.size_bytes);
    *response_.mutable_expire_time() = convert::TimeToProto(stored.expire_time);
    complete_ = true;
  }

  /// Last; nothing is being read.
  void End(const absl::Status& status) {
    upload_.reset();
    announcement_alarm_.Cancel();
    upload_alarm_.Cancel();
    const grpc::Status answer = uploads_.rpc_.End(method::kUploadModel, started_, status);
    --uploads_.streams_;
    Finish(answer);
  }

  ModelUploads& uploads_;
  grpc::CallbackServerContext& context_;
  v1::UploadModelResponse& response_;
  const RpcRunner::Started started_;
  std::shared_ptr<Stream> self_;  ///< Until gRPC is done with it.

  // Whoever works.
  v1::UploadModelRequest message_;
  std::unique_ptr<model_files::Upload> upload_;
  bool complete_ = false;

  base::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool announced_ ABSL_GUARDED_BY(mutex_) = false;
  bool expired_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Alarm announcement_alarm_;
  grpc::Alarm upload_alarm_;
};

ModelUploads::Reactor* ModelUploads::Start(grpc::CallbackServerContext* context, v1::UploadModelResponse* response) {
  const auto stream = std::make_shared<Stream>(*this, *context, *response);
  stream->Start(++streams_ <= files_.options().max_uploads);
  return stream.get();
}

}  // namespace planner::server
