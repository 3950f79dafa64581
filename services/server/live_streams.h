#pragma once

#include <map>
#include <memory>

#include "absl/status/status.h"
#include "core/base/mutex.h"

namespace planner::server {

/// A stream that goes on for as long as its client likes.
class LiveStream {
 public:
  virtual ~LiveStream() = default;
  /// Ends it with the status as soon as what is being sent is sent. Does not block.
  virtual void EndSoon(const absl::Status& status) = 0;
  /// Breaks off what EndSoon still waits for.
  virtual void BreakOff() = 0;
};

/// The streams of one kind: how many there may be, and how all of them end. Thread-safe.
class LiveStreams {
 public:
  explicit LiveStreams(size_t most) : most_(most) {}

  /// Takes a place for a stream, which gives it back with Remove before it tells its client the end: who has seen a stream end finds its
  /// place free. OK; RESOURCE_EXHAUSTED (reason TOO_MANY_STREAMS): there is none left;
  /// UNAVAILABLE: the daemon ends.
  absl::Status Add(const std::shared_ptr<LiveStream>& stream);
  void Remove(const LiveStream* stream);
  size_t size();

  /// Ends all with UNAVAILABLE, and takes no other: for the end of the daemon.
  void EndAll();
  void BreakOffAll();

 private:
  const size_t most_;
  base::Mutex mutex_;
  std::map<const LiveStream*, std::weak_ptr<LiveStream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool is_ending_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace planner::server
