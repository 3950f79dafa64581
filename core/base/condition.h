#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"

namespace planner::base {

/// Lets threads wait for what another one changes under the same Mutex. Wake-ups may be for nothing: wait in a loop that looks at
/// what is waited for, and at the deadline by a Clock.
class Condition {
 public:
  /// Gives the mutex away while it waits, and has it again when it returns.
  void Wait(Mutex& mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Lockable lockable{mutex};
    condition_.wait(lockable);
  }
  /// The same, for `duration` at most (one of an hour at most, so that nothing can overflow).
  void WaitFor(Mutex& mutex, absl::Duration duration) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Lockable lockable{mutex};
    condition_.wait_for(lockable, absl::ToChronoNanoseconds(std::min(duration, absl::Hours(1))));
  }
  void WakeAll() { condition_.notify_all(); }
  void WakeOne() { condition_.notify_one(); }

 private:
  /// The mutex under the names that the standard library asks for.
  struct Lockable {
    Mutex& mutex;
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Lock(); }      // NOLINT(readability-identifier-naming)
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Unlock(); }  // NOLINT(readability-identifier-naming)
  };

  std::condition_variable_any condition_;
};

}  // namespace planner::base
