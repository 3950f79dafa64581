#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cpp/channel.h"
#include "clients/cpp/retry.h"

namespace planner::cpp {

struct ClientOptions {
  /// Of replicas of one planner: "planner1:7070", "unix:/run/planner/plannerd.sock". At least one.
  std::vector<std::string> addresses;
  TlsFiles tls;
  absl::Duration timeout = absl::Seconds(30);  ///< Of a call, with all its tries.
  RetryOptions retry;
};

/// Time and chance, for tests to replace.
struct World {
  std::function<absl::Time()> now;
  /// Lets time pass. Meanwhile the channel, if there is one, connects: a handshake only goes on while somebody polls its channel.
  std::function<void(absl::Duration, grpc::Channel*)> wait;
  std::function<double()> random;  ///< 0 to 1.

  static World Real();
};

/// Calls a planner, whichever of its replicas is there. Every call has a deadline and is tried again where that may help (Retry). A request
/// that makes something gets a request_id where it has none, so that it is made once however often it is tried. Thread-safe.
///
///     ASSIGN_OR_RETURN(const auto client, cpp::Client::Connect({.addresses = {"planner1:7070", "planner2:7070"}}));
///     ASSIGN_OR_RETURN(const v1::EstimateResponse estimate, client->Call(&v1::EstimationService::Stub::Estimate, request));
class Client {
 public:
  /// Connects with the first call. INVALID_ARGUMENT at "addresses": there is none, or one that is malformed; FAILED_PRECONDITION: a file
  /// of `tls` cannot be read.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& options);

  /// The channels of a planner's replicas, at least one.
  Client(std::vector<std::shared_ptr<grpc::Channel>> channels, absl::Duration timeout, const RetryOptions& retry,
         World world = World::Real());

  /// One unary call. The server's error of the last try (clients/cpp/status.h has its reason); UNAVAILABLE, DEADLINE_EXCEEDED.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Request request) {
    return CallBy(world_.now() + timeout_, method, std::move(request));
  }
  /// The same with a deadline of its own.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> CallBy(absl::Time deadline, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                  Request request) {
    if constexpr (requires { request.set_request_id(std::string()); }) {
      if (request.request_id().empty() && !request.validate_only()) request.set_request_id(NewRequestId());
    }
    Response response;
    const absl::Status status =
        Run(deadline, [&](const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context) {
          response.Clear();
          return (Stub(channel).*method)(&context, request, &response);
        });
    if (!status.ok()) return status;
    return response;
  }

  /// The replica that answered last, for streams.
  std::shared_ptr<grpc::Channel> channel() const { return channels_[current_]; }

 private:
  using Try = std::function<grpc::Status(const std::shared_ptr<grpc::Channel>&, grpc::ClientContext&)>;

  absl::Status Run(absl::Time deadline, const Try& once);
  /// UNAVAILABLE: it could not be connected to in RetryOptions::longest_connect, and there are others.
  absl::Status Connected(grpc::Channel& channel, absl::Time deadline) const;
  static std::string NewRequestId();

  const std::vector<std::shared_ptr<grpc::Channel>> channels_;
  const absl::Duration timeout_;
  const RetryOptions retry_;
  const World world_;
  std::atomic<size_t> current_ = 0;
};

}  // namespace planner::cpp
