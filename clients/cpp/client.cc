#include "clients/cpp/client.h"

#include <poll.h>

#include <algorithm>
#include <random>
#include <utility>

#include "clients/cpp/status.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::cpp {
namespace {

/// Enough for chance; each thread has its own.
std::mt19937_64& Random() {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return random;
}

}  // namespace

World World::Real() {
  return {.now = [] { return base::Clock::Real().Now(); },
          .wait =
              [](absl::Duration duration, grpc::Channel* channel) {
                const absl::Time end = base::Clock::Real().Now() + duration;
                if (channel != nullptr && !channel->WaitForConnected(absl::ToChronoTime(end))) return;
                const absl::Duration left = std::max(end - base::Clock::Real().Now(), absl::ZeroDuration());
                poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)))));
              },
          .random = [] { return std::uniform_real_distribution<double>()(Random()); }};
}

Client::Client(std::vector<std::shared_ptr<grpc::Channel>> channels, absl::Duration timeout, const RetryOptions& retry, World world)
    : channels_(std::move(channels)), timeout_(timeout), retry_(retry), world_(std::move(world)) {}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  if (options.addresses.empty()) return base::InvalidField("addresses", "there is none");
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (const std::string& address : options.addresses) {
    ASSIGN_OR_RETURN(channels.emplace_back(), cpp::Connect(address, options.tls));
  }
  return std::make_unique<Client>(std::move(channels), options.timeout, options.retry);
}

std::string Client::NewRequestId() {
  std::mt19937_64& random = Random();
  return fmt::format("{:016x}{:016x}", random(), random());
}

absl::Status Client::Connected(grpc::Channel& channel, absl::Time deadline) const {
  if (channels_.size() < 2) return absl::OkStatus();
  // A call that has little time leaves the others their share of it.
  const absl::Time now = world_.now();
  const absl::Duration share = std::max(deadline - now, absl::ZeroDuration()) / static_cast<int64_t>(channels_.size());
  const auto until = absl::ToChronoTime(now + std::min(share, retry_.longest_connect));
  constexpr bool kTryToConnect = true;
  for (auto state = channel.GetState(kTryToConnect); state == GRPC_CHANNEL_IDLE || state == GRPC_CHANNEL_CONNECTING;
       state = channel.GetState(kTryToConnect)) {
    if (!channel.WaitForStateChange(state, until)) return absl::UnavailableError("does not answer, and has others beside it");
  }
  return absl::OkStatus();  // Connected, or the call itself will say why not.
}

absl::Status Client::Run(absl::Time deadline, const Try& once) {
  Retry retry(retry_, channels_.size(), deadline, world_.random);
  size_t index = current_;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    absl::Status status = Connected(*channels_[index], deadline);
    if (status.ok()) status = FromGrpc(once(channels_[index], context));
    const std::optional<absl::Duration> wait = retry.After(status, world_.now());
    if (!wait.has_value()) {
      // A process that stands still keeps its connections: the next call is of another one.
      const bool is_mute = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
      current_ = is_mute ? (index + 1) % channels_.size() : index;
      return status;
    }
    index = (index + 1) % channels_.size();
    if (*wait > absl::ZeroDuration()) world_.wait(*wait, channels_[index].get());
  }
}

}  // namespace planner::cpp
