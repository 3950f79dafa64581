#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "core/base/condition.h"
#include "core/base/mutex.h"

namespace planner::server {

/// A few threads for work that blocks (files), so that gRPC's own threads never do. They start with the first work. Thread-safe.
/// The queue has no limit of its own: whoever uses it bounds what it asks for at once.
class WorkerPool {
 public:
  explicit WorkerPool(int threads) : thread_count_(threads) {}
  /// Does what was asked for, then ends.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// `work` must not throw.
  void Run(std::function<void()> work);

 private:
  void WorkUntilTheEnd();

  const int thread_count_;
  base::Mutex mutex_;
  base::Condition changed_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::server
