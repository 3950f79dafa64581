#include "services/server/rpc.h"

#include <algorithm>
#include <exception>
#include <new>

#include "core/base/error.h"
#include "core/base/retry_after.h"
#include "fmt/format.h"
#include "services/errors/grpc_status.h"

namespace planner::server {
namespace {

constexpr char kRequestId[] = "x-request-id";
constexpr size_t kMaxRequestId = 128;
/// After which a call that was one too many may find a place: most take milliseconds.
constexpr absl::Duration kSurplusWait = absl::Milliseconds(100);

/// One of the calls that run at once.
class Slot {
 public:
  Slot(std::atomic<int>& running, int limit, telemetry::RpcProbe& probe)
      : running_(running), probe_(probe), granted_(++running <= limit) {
    if (granted_) probe_.CallBegins();
  }
  ~Slot() {
    --running_;
    if (granted_) probe_.CallEnds();
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  bool granted() const { return granted_; }

 private:
  std::atomic<int>& running_;
  telemetry::RpcProbe& probe_;
  const bool granted_;
};

/// gRPC aborts the process if metadata that it sends has anything but printable ASCII; what arrives may have.
bool IsPrintableAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace

std::string RequestIdFrom(std::string_view sent, IdSource& ids) {
  const std::string_view id = sent.substr(0, kMaxRequestId);
  return id.empty() || !IsPrintableAscii(id) ? ids.Next() : std::string(id);
}

namespace {

std::string RequestIdOf(const grpc::ServerContextBase& context, IdSource& ids) {
  const auto found = context.client_metadata().find(kRequestId);
  if (found == context.client_metadata().end()) return ids.Next();
  return RequestIdFrom({found->second.data(), found->second.size()}, ids);
}

}  // namespace

RpcRunner::RpcRunner(RpcOptions options, const base::Clock& clock, IdSource& ids, telemetry::RpcProbe& probe,
                     telemetry::Log* log)
    : options_(options), clock_(clock), ids_(ids), probe_(probe), log_(log) {
  probe_.SetLimit(options_.max_concurrent_calls);
}

absl::Status RpcRunner::Guarded(const Call& call, const StatusHandler& handler) {
  const Slot slot(running_, options_.max_concurrent_calls, probe_);
  if (!slot.granted()) {
    const absl::Status surplus = absl::ResourceExhaustedError(
        fmt::format("too many calls at once: max_concurrent_calls={}", options_.max_concurrent_calls));
    return base::WithRetryAfter(base::WithReason(surplus, "TOO_MANY_CALLS"), kSurplusWait);
  }
  const auto late = [&] {
    return clock_.Now() < call.deadline ? absl::OkStatus() : absl::DeadlineExceededError("the deadline has passed");
  };
  // Nothing of ours throws, but libraries may, and memory may run out: that costs one call, not the daemon.
  try {
    if (absl::Status status = late(); !status.ok()) return status;
    if (absl::Status status = handler(call); !status.ok()) {
      return absl::IsCancelled(status) && Ending()
                 ? absl::UnavailableError("the daemon ends, and the call took too long to wait for")
                 : status;
    }
    return late();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(fmt::format("unexpected error: {}", error.what()));
  }
}

grpc::Status RpcRunner::RunStatus(std::string_view method, grpc::ServerContext& context, const StatusHandler& handler) {
  Started started = Begin(context);
  started.call.deadline = std::min(started.call.deadline, started.start + options_.max_call);
  started.call.cancelled = [this, &context] { return context.IsCancelled() || Ending(); };
  return End(method, started, Guarded(started.call, handler));
}

RpcRunner::Started RpcRunner::Begin(grpc::ServerContextBase& context) {
  const absl::Time start = clock_.Now();
  Started started{{absl::FromChrono(context.deadline()), RequestIdOf(context, ids_)}, start};
  context.AddInitialMetadata(kRequestId, started.call.request_id);
  return started;
}

grpc::Status RpcRunner::End(std::string_view method, const Started& started, const absl::Status& status) {
  const absl::Duration duration = clock_.Now() - started.start;
  probe_.Record(method, status.code(), duration);
  if (log_ != nullptr) Log(method, started.call, status, duration);
  return errors::ToGrpcStatus(status);
}

void RpcRunner::Log(std::string_view method, const Call& call, const absl::Status& status, absl::Duration duration) {
  constexpr size_t kMaxMessage = 200;
  const telemetry::Field event = {"event", "rpc"};
  const telemetry::Field name = {"method", std::string(method)};
  const telemetry::Field code = {"code", errors::CodeName(status)};
  const telemetry::Field id = {"request_id", call.request_id};
  const telemetry::Field seconds = {"duration_seconds", fmt::format("{:.6f}", absl::ToDoubleSeconds(duration))};
  if (status.ok()) return log_->Write(telemetry::Level::kInfo, {event, name, code, id, seconds});
  const bool ours = absl::IsInternal(status) || absl::IsDataLoss(status);
  const std::string message = errors::Printable({status.message().data(), status.message().size()}, kMaxMessage);
  log_->Write(ours ? telemetry::Level::kError : telemetry::Level::kInfo,
              {event, name, code, id, seconds, {"message", message}});
}

}  // namespace planner::server
