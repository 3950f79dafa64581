#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "services/server/runs.h"
#include "services/server/worker_pool.h"

namespace planner::server {

/// Writes what streams report. What is asked for while a transaction runs shares the next one, so that a thousand runs that report at once
/// wait for the disk a few times and not a thousand. Thread-safe.
class ProgressWriter {
 public:
  using Done = std::function<void(absl::StatusOr<ReportOutcome>)>;
  /// Reports that share a transaction at most: more would only make bookings wait behind them.
  static constexpr size_t kMostTogether = 64;

  /// Must outlive it.
  explicit ProgressWriter(Runs& runs) : runs_(runs) {}

  /// Does not block. `done` is called from the writer's thread, after the write is kept; it must not throw.
  void Write(RunReport report, Done done);
  /// Reports that are not in a transaction yet.
  size_t waiting();

 private:
  void WriteWhatWaits();

  Runs& runs_;
  base::Mutex mutex_;
  std::deque<std::pair<RunReport, Done>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  WorkerPool worker_{1};  ///< Last: it ends first.
};

}  // namespace planner::server
