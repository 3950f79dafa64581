#include "services/feed/change_feed.h"

#include <algorithm>
#include <utility>

#include "core/base/status_macros.h"

namespace planner::feed {
namespace {

/// Between two looks at a store that cannot be read.
constexpr absl::Duration kLongestBackoff = absl::Seconds(5);
/// How long one wait for other processes is: the end of the feed waits for it.
constexpr absl::Duration kOneWait = absl::Milliseconds(500);

}  // namespace

ChangeFeed::ChangeFeed(store::Store& store, const base::Clock& clock, ChangeFeedOptions options)
    : store_(store), clock_(clock), options_(std::move(options)), backoff_(options_.interval) {}

void ChangeFeed::Stop() {
  std::vector<std::thread> threads;
  {
    base::MutexLock lock(mutex_);
    is_ending_ = true;
    threads.swap(threads_);
  }
  changed_.WakeAll();
  needed_.WakeAll();
  for (std::thread& thread : threads) thread.join();
  std::vector<std::shared_ptr<Subscriber>> gone;
  base::MutexLock lock(mutex_);
  for (auto* all : {&joining_, &subscribers_}) {
    gone.insert(gone.end(), all->begin(), all->end());
    all->clear();
  }
}

void ChangeFeed::Subscribe(std::shared_ptr<Subscriber> subscriber) {
  base::MutexLock lock(mutex_);
  if (is_ending_) return;
  joining_.push_back(std::move(subscriber));
  if (options_.has_thread && threads_.empty()) {
    threads_.emplace_back([this] { Run(); });
    if (options_.wait) threads_.emplace_back([this] { WaitForOthers(); });
  }
  changed_.WakeAll();
  needed_.WakeAll();
}

void ChangeFeed::Unsubscribe(const Subscriber* subscriber) {
  // What is let go here must not be destroyed under the lock: its end may come back to the feed.
  std::vector<std::shared_ptr<Subscriber>> gone;
  base::MutexLock lock(mutex_);
  for (auto* all : {&joining_, &subscribers_}) {
    const auto found = std::find_if(all->begin(), all->end(), [&](const auto& one) { return one.get() == subscriber; });
    if (found == all->end()) continue;
    gone.push_back(std::move(*found));
    all->erase(found);
  }
}

void ChangeFeed::Wake() {
  base::MutexLock lock(mutex_);
  if (!IsNeeded()) return;
  is_woken_ = true;
  if (!is_resting_) changed_.WakeAll();
}

absl::Status ChangeFeed::CatchUp(absl::Time now) {
  ASSIGN_OR_RETURN(const int64_t version, store_.Version());
  if (version_ < 0) version_ = version;
  if (version == version_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const store::Changes changes, store_.ChangesSince(options_.kinds, version_));
  version_ = changes.version;
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  {
    base::MutexLock lock(mutex_);
    subscribers = subscribers_;
  }
  for (const auto& subscriber : subscribers) subscriber->OnChanges(changes, now);
  return absl::OkStatus();
}

absl::Duration ChangeFeed::Turn() {
  std::vector<std::shared_ptr<Subscriber>> joining;
  {
    base::MutexLock lock(mutex_);
    is_woken_ = false;
    joining = joining_;
    if (!IsNeeded()) {
      version_ = -1;
      return absl::InfiniteDuration();
    }
  }
  const absl::Time now = clock_.Now();
  // The others first: who joins has seen all that they are told here.
  const absl::Status caught_up = CatchUp(now);
  backoff_ = caught_up.ok() ? options_.interval : std::min(2 * backoff_, kLongestBackoff);
  for (const auto& subscriber : joining) {
    if (caught_up.ok()) {
      subscriber->Begin(now);
    } else {
      subscriber->Fail(caught_up);
    }
  }
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  {
    base::MutexLock lock(mutex_);
    for (const auto& subscriber : joining) {
      const auto found = std::find(joining_.begin(), joining_.end(), subscriber);
      if (found == joining_.end()) continue;  // Left meanwhile.
      joining_.erase(found);
      if (caught_up.ok()) subscribers_.push_back(subscriber);
    }
    subscribers = subscribers_;
  }
  absl::Duration pause = backoff_;
  for (const auto& subscriber : subscribers) {
    if (subscriber->NextTime() <= now) subscriber->OnTime(now);
    pause = std::min(pause, std::max(absl::ZeroDuration(), subscriber->NextTime() - now));
  }
  return pause;
}

void ChangeFeed::Run() {
  while (true) {
    const absl::Duration pause = Turn();
    base::MutexLock lock(mutex_);
    if (!is_ending_ && IsNeeded()) {
      is_resting_ = true;
      changed_.WaitFor(mutex_, options_.shortest_interval);
      is_resting_ = false;
    }
    if (!is_ending_ && !is_woken_ && joining_.empty()) {
      if (IsNeeded()) {
        changed_.WaitFor(mutex_, pause);
      } else {
        while (!is_ending_ && !IsNeeded()) changed_.Wait(mutex_);
      }
    }
    if (is_ending_) return;
  }
}

void ChangeFeed::WaitForOthers() {
  while (true) {
    {
      base::MutexLock lock(mutex_);
      // A wait that fails at once, as while the database is away, must not become a busy loop.
      needed_.WaitFor(mutex_, options_.shortest_interval);
      while (!is_ending_ && !IsNeeded()) needed_.Wait(mutex_);
      if (is_ending_) return;
    }
    options_.wait(kOneWait);
    Wake();
  }
}

}  // namespace planner::feed
