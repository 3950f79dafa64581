#include "services/server/live_streams.h"

#include <vector>

#include "core/base/error.h"
#include "fmt/format.h"

namespace planner::server {
namespace {

absl::Status Ending() { return absl::UnavailableError("the daemon ends: ask again"); }

}  // namespace

absl::Status LiveStreams::Add(const std::shared_ptr<LiveStream>& stream) {
  base::MutexLock lock(mutex_);
  if (is_ending_) return Ending();
  if (streams_.size() >= most_) {
    return base::WithReason(absl::ResourceExhaustedError(fmt::format("too many streams at once: max={}", most_)),
                            "TOO_MANY_STREAMS");
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
