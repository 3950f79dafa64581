#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/base/clock.h"
#include "services/server/id_source.h"
#include "services/telemetry/log.h"
#include "services/telemetry/rpc_probe.h"

namespace planner::server {

/// What a handler knows of its call.
struct Call {
  absl::Time deadline;     ///< The client's or ours, whichever comes first.
  std::string request_id;  ///< Of the client's metadata x-request-id, or made here.
  base::Cancellation cancelled = {};  ///< The client has gone, or the daemon ends (EndCallsAt). Unary calls only.
};

/// The request id that a client has sent, its first 128 characters; a new one where it has sent none or one with anything
/// but printable ASCII.
std::string RequestIdFrom(std::string_view sent, IdSource& ids);

struct RpcOptions {
  absl::Duration max_call = absl::Seconds(30);  ///< Longest call, whatever the client's deadline.
  int max_concurrent_calls = 64;                ///< The surplus is refused with RESOURCE_EXHAUSTED.
};

/// Runs every unary call, and begins and ends the streams: gives it a deadline and a request id (which the answer's metadata repeats),
/// refuses the surplus, turns exceptions into INTERNAL and our errors into gRPC's, writes the access log
/// and the metrics. Thread-safe.
class RpcRunner {
 public:
  /// `log` may be null. All must outlive the runner.
  RpcRunner(RpcOptions options, const base::Clock& clock, IdSource& ids, telemetry::RpcProbe& probe,
            telemetry::Log* log);

  /// `handler` is a function of Call that gives absl::StatusOr<Response>.
  template <typename Response, typename Handler>
  grpc::Status Run(std::string_view method, grpc::ServerContext& context, Response* response, const Handler& handler) {
    return RunStatus(method, context, [&](const Call& call) -> absl::Status {
      absl::StatusOr<Response> answer = handler(call);
      if (answer.ok()) *response = *std::move(answer);
      return answer.status();
    });
  }

  /// A stream at work: no function is around it as around a unary call.
  struct Started {
    Call call;  ///< Its deadline is the client's alone: how long a stream may take depends on what it is for.
    absl::Time start;
  };
  Started Begin(grpc::ServerContextBase& context);
  /// Once for each Begin: metrics, a line of the log, and the status for the client.
  grpc::Status End(std::string_view method, const Started& started, const absl::Status& status);

  /// Unary calls that are still at work at `time` are cancelled then, and answered with UNAVAILABLE.
  void EndCallsAt(absl::Time time) { end_nanoseconds_ = absl::ToUnixNanos(time); }

  const RpcOptions& options() const { return options_; }

 private:
  using StatusHandler = std::function<absl::Status(const Call&)>;

  grpc::Status RunStatus(std::string_view method, grpc::ServerContext& context, const StatusHandler& handler);
  /// The handler's status, whatever happens in it.
  absl::Status Guarded(const Call& call, const StatusHandler& handler);

  /// A line of the access log; failures say why.
  void Log(std::string_view method, const Call& call, const absl::Status& status, absl::Duration duration);

  const RpcOptions options_;
  const base::Clock& clock_;
  IdSource& ids_;
  telemetry::RpcProbe& probe_;
  telemetry::Log* const log_;
  bool Ending() const { return absl::ToUnixNanos(clock_.Now()) >= end_nanoseconds_; }

  std::atomic<int> running_ = 0;
  std::atomic<int64_t> end_nanoseconds_ = std::numeric_limits<int64_t>::max();
};

}  // namespace planner::server
