#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "core/counting/counter.h"

namespace planner::counting {

/// A counter that remembers its counts of model files (kTorchScript: what they are of cannot change, and they take long); all
/// else goes straight through. Key: the file's sha256, the inputs and batch, mode, bytes of an activation, the counter's name and
/// version. The counts used longest ago make room. Equal requests at once are counted once: the others wait, each until its own
/// deadline, and get the same error where the count fails for a reason of the model's. Only reports are kept, never errors.
/// Thread-safe.
class CachedCounter final : public Counter {
 public:
  /// `max_bytes` of memory for reports, about. The rest must outlive it.
  CachedCounter(const Counter& counter, const base::Clock& clock, int64_t max_bytes = int64_t{64} << 20);

  CounterInfo Info() const override { return counter_.Info(); }
  void Learn(absl::Time deadline) const override { counter_.Learn(deadline); }
  absl::StatusOr<CostReport> Count(const CountRequest& request) const override;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const CostReport> report;
    int64_t bytes = 0;
  };
  /// A count at work.
  struct Running {
    std::atomic<int> waiting = 0;  ///< Others than the one that counts. While there are any, it is not cancelled.
    bool done = false;
    absl::StatusOr<std::shared_ptr<const CostReport>> result;
  };

  std::shared_ptr<const CostReport> Remembered(const std::string& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remember(const std::string& key, std::shared_ptr<const CostReport> report) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Waits for another's count: until it is done (OK), the deadline, or the cancellation.
  absl::Status Await(const Running& other, const CountRequest& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Counts, and tells those who wait.
  absl::StatusOr<std::shared_ptr<const CostReport>> CountFor(const std::string& key, const std::shared_ptr<Running>& running,
                                                             const CountRequest& request) const;

  const Counter& counter_;
  const base::Clock& clock_;
  const int64_t max_bytes_;
  mutable base::Mutex mutex_;
  mutable base::Condition finished_;
  mutable std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  ///< Last used first.
  mutable std::map<std::string, std::list<Entry>::iterator> index_ ABSL_GUARDED_BY(mutex_);
  mutable std::map<std::string, std::shared_ptr<Running>> running_ ABSL_GUARDED_BY(mutex_);
  mutable int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace planner::counting
