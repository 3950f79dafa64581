#include "services/server/live_streams.h"

#include <vector>

#include "core/base/error.h"
#include "core/base/retry_after.h"
#include "fmt/format.h"

namespace planner::server {
namespace {

/// Streams last long: who is one too many should not ask often.
constexpr absl::Duration kSurplusWait = absl::Seconds(5);

absl::Status Ending() { return absl::UnavailableError("the daemon ends: ask again"); }

}  // namespace

absl::Status LiveStreams::Add(const std::shared_ptr<LiveStream>& stream) {
  base::MutexLock lock(mutex_);
  if (is_ending_) return Ending();
  if (streams_.size() >= most_) {
    const absl::Status surplus = absl::ResourceExhaustedError(fmt::format("too many streams at once: max={}", most_));
    return base::WithRetryAfter(base::WithReason(surplus, "TOO_MANY_STREAMS"), kSurplusWait);
  }
  streams_[stream.get()] = stream;
  return absl::OkStatus();
}

void LiveStreams::Remove(const LiveStream* stream) {
  base::MutexLock lock(mutex_);
  streams_.erase(stream);
}

size_t LiveStreams::size() {
  base::MutexLock lock(mutex_);
  return streams_.size();
}

void LiveStreams::EndAll() {
  std::map<const LiveStream*, std::weak_ptr<LiveStream>> streams;
  {
    base::MutexLock lock(mutex_);
    is_ending_ = true;
    streams = streams_;
  }
  for (const auto& [key, weak] : streams) {
    if (const std::shared_ptr<LiveStream> stream = weak.lock()) stream->EndSoon(Ending());
  }
}

void LiveStreams::BreakOffAll() {
  std::map<const LiveStream*, std::weak_ptr<LiveStream>> streams;
  {
    base::MutexLock lock(mutex_);
    streams = streams_;
  }
  for (const auto& [key, weak] : streams) {
    if (const std::shared_ptr<LiveStream> stream = weak.lock()) stream->BreakOff();
  }
}

}  // namespace planner::server
