#include "plugins/sdk/count_service.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <utility>

#include "core/base/clock.h"

namespace planner::plugin {
namespace {

/// How often a call that waits for its turn looks whether its caller still waits.
constexpr absl::Duration kLook = absl::Milliseconds(50);

v1::PluginInfo InfoOf(CounterPlugin& plugin, bool shares_disk) {
  v1::PluginInfo info = plugin.Info();
  info.set_reads_local_files(info.reads_local_files() && shares_disk);
  info.set_max_concurrent_counts(std::max(info.max_concurrent_counts(), 1));
  return info;
}

absl::Time DeadlineOf(const grpc::ServerContext& context, const v1::CountRequest& request, absl::Time now) {
  const absl::Time call = absl::FromChrono(context.deadline());
  if (request.time_limit_milliseconds() <= 0) return call;
  return std::min(call, now + absl::Milliseconds(request.time_limit_milliseconds()));
}

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

/// What a plugin throws costs one call.
v1::CountResponse Guarded(CounterPlugin& plugin, const v1::CountRequest& request, absl::Time deadline,
                          const base::Cancellation& cancelled) {
  try {
    return plugin.CountUnlessCancelled(request, deadline, cancelled);
  } catch (const std::bad_alloc&) {
    return Error(absl::StatusCode::kResourceExhausted, "out of memory", "OUT_OF_MEMORY");
  } catch (const std::exception& error) {
    return Error(absl::StatusCode::kInternal, std::string("unexpected error: ") + error.what(), "PLUGIN_THREW");
  } catch (...) {
    return Error(absl::StatusCode::kInternal, "unexpected error of an unknown type", "PLUGIN_THREW");
  }
}

}  // namespace

v1::CountResponse Error(absl::StatusCode code, std::string message, std::string reason, std::string field) {
  constexpr size_t kMaxMessage = size_t{64} << 10;
  v1::CountResponse response;
  v1::CountError& error = *response.mutable_error();
  error.set_code(static_cast<int>(code));
  if (message.size() > kMaxMessage) message.resize(kMaxMessage);
  // A protobuf string is UTF-8, and what() of a library may be anything.
  std::replace_if(message.begin(), message.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  error.set_message(std::move(message));
  error.set_reason(std::move(reason));
  error.set_field(std::move(field));
  return response;
}

CountService::CountService(CounterPlugin& plugin, bool shares_disk) : plugin_(plugin), info_(InfoOf(plugin, shares_disk)) {}

grpc::Status CountService::GetInfo(grpc::ServerContext*, const v1::GetInfoRequest*, v1::PluginInfo* response) {
  *response = info_;
  return grpc::Status::OK;
}

grpc::Status CountService::Count(grpc::ServerContext* context, const v1::CountRequest* request,
                                 v1::CountResponse* response) {
  const absl::Time deadline = DeadlineOf(*context, *request, base::Clock::Real().Now());
  const base::Cancellation cancelled = [context] { return context->IsCancelled(); };
  if (!TakeTurn(deadline, cancelled)) {
    *response = Error(absl::StatusCode::kDeadlineExceeded, "the deadline passed before other counts were done", "QUEUE_TOO_LONG");
    return grpc::Status::OK;
  }
  *response = CountWithFile(*request, deadline, cancelled);
  GiveTurn();
  return grpc::Status::OK;
}

v1::CountResponse CountService::CountWithFile(const v1::CountRequest& request, absl::Time deadline,
                                              const base::Cancellation& cancelled) {
  if (!request.has_file() || (info_.reads_local_files() && !request.file().path().empty())) {
    return Guarded(plugin_, request, deadline, cancelled);
  }
  const std::shared_ptr<const CachedFile> file = files_.Find(request.file().sha256());
  if (file == nullptr) {
    return Error(absl::StatusCode::kNotFound, "the model file has to be sent first", "MODEL_FILE_NEEDED", "file");
  }
  v1::CountRequest with_path = request;
  with_path.mutable_file()->set_path(file->path());
  with_path.mutable_file()->set_digest_checked(true);
  return Guarded(plugin_, with_path, deadline, cancelled);
}

grpc::Status CountService::PutModelFile(grpc::ServerContext*, grpc::ServerReader<v1::ModelFileChunk>* reader,
                                        v1::PutModelFileResponse*) {
  v1::ModelFileChunk chunk;
  if (!reader->Read(&chunk)) return ToGrpc(absl::InvalidArgumentError("file: is missing"));
  if (files_.Find(chunk.file().sha256()) != nullptr) return grpc::Status::OK;
  absl::StatusOr<std::unique_ptr<ModelFileCache::Writer>> writer =
      files_.Begin(chunk.file().sha256(), chunk.file().size_bytes());
  if (!writer.ok()) return ToGrpc(writer.status());
  do {
    if (const absl::Status status = (*writer)->Append(chunk.data()); !status.ok()) return ToGrpc(status);
  } while (reader->Read(&chunk));
  return ToGrpc((*writer)->Finish());
}

bool CountService::TakeTurn(absl::Time deadline, const base::Cancellation& cancelled) {
  base::MutexLock lock(mutex_);
  while (running_ >= info_.max_concurrent_counts()) {
    const absl::Duration left = deadline - base::Clock::Real().Now();
    if (left <= absl::ZeroDuration() || base::IsCancelled(cancelled)) {
      turn_.WakeOne();  // It may have been woken for a turn that it does not take.
      return false;
    }
    turn_.WaitFor(mutex_, std::min(left, kLook));
  }
  ++running_;
  return true;
}

void CountService::GiveTurn() {
  base::MutexLock lock(mutex_);
  --running_;
  turn_.WakeOne();
}

}  // namespace planner::plugin
