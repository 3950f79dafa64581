#pragma once

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace planner::base {

/// A clock that stands still until it is told otherwise. Thread-safe.
class FakeClock : public Clock {
 public:
  /// 2026-01-01T00:00:00Z unless told otherwise.
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1767225600)) : now_(now) {}

  absl::Time Now() const override {
    MutexLock lock(mutex_);
    return now_;
  }
  void Advance(absl::Duration duration) {
    MutexLock lock(mutex_);
    now_ += duration;
  }

 private:
  mutable Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::base
