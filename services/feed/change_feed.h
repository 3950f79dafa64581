#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "core/store/store.h"

namespace planner::feed {

/// Who wants to know of changes. The feed calls from one thread, one call after the other; it may be made to read the store, but what
/// it does holds up all others.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  /// First, and once: looks at what is there. Every later change comes by OnChanges; what is written while it looks may come, too.
  virtual void Begin(absl::Time now) = 0;
  /// In place of Begin, where the store cannot be read: nothing else will come.
  virtual void Fail(const absl::Status& status) = 0;
  virtual void OnChanges(const store::Changes& changes, absl::Time now) = 0;
  /// When something changes without a write (a hold expires): OnTime is called then.
  virtual absl::Time NextTime() const { return absl::InfiniteFuture(); }
  virtual void OnTime(absl::Time /*now*/) {}
};

struct ChangeFeedOptions {
  /// What subscribers are told of.
  std::vector<store::Kind> kinds = {store::Kind::kCluster, store::Kind::kPlan, store::Kind::kReservation};
  /// Between two looks at the store's version, for changes by other processes. Those of this one are told by Wake.
  absl::Duration interval = absl::Milliseconds(250);
  /// Between two looks, however often it is woken: a thousand bookings a second must not become a thousand looks.
  absl::Duration shortest_interval = absl::Milliseconds(20);
  /// Returns when another process may have changed something, or when the time is over: a database that says so itself (LISTEN) is
  /// quicker than the interval. It has a thread of its own. Null: there is no such thing.
  std::function<void(absl::Duration)> wait;
  /// False: there is no thread, and only Turn does anything. For tests.
  bool has_thread = true;
};

/// Notices that a store has changed, whoever has changed it, and tells what. Its thread starts with the first subscriber, and sleeps
/// while there are none. Thread-safe.
class ChangeFeed {
 public:
  /// Both must outlive it.
  ChangeFeed(store::Store& store, const base::Clock& clock, ChangeFeedOptions options);
  ~ChangeFeed() { Stop(); }
  ChangeFeed(const ChangeFeed&) = delete;
  ChangeFeed& operator=(const ChangeFeed&) = delete;

  /// Does not block: the subscriber's Begin is called soon, with everything seen that was written before.
  void Subscribe(std::shared_ptr<Subscriber> subscriber);
  /// Does not block: a call that is under way goes on.
  void Unsubscribe(const Subscriber* subscriber);

  /// Something may have changed: looks at once. Costs next to nothing where nobody has subscribed.
  void Wake();

  /// Ends the threads and lets subscribers go: no call to any of them comes after it.
  void Stop();

  /// Looks once, and tells. How long nothing needs to be looked at; infinite: nobody has subscribed. Only where there is no thread.
  absl::Duration Turn();

 private:
  void Run();
  void WaitForOthers();
  /// Moves to the store's version and tells what has changed on the way.
  absl::Status CatchUp(absl::Time now);
  bool IsNeeded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !joining_.empty() || !subscribers_.empty(); }

  store::Store& store_;
  const base::Clock& clock_;
  const ChangeFeedOptions options_;

  // Of the thread that turns alone.
  int64_t version_ = -1;    ///< What has been told of; below 0: nobody was there.
  absl::Duration backoff_;  ///< Longer than the interval while the store cannot be read.

  base::Mutex mutex_;
  base::Condition changed_;
  base::Condition needed_;
  std::vector<std::shared_ptr<Subscriber>> joining_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Subscriber>> subscribers_ ABSL_GUARDED_BY(mutex_);
  bool is_woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_resting_ ABSL_GUARDED_BY(mutex_) = false;  ///< Looks no sooner than the shortest interval.
  bool is_ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::feed
