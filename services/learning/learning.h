#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/calibration/calibration.h"
#include "core/store/store.h"
#include "services/telemetry/log.h"

namespace planner::learning {

/// What the stored runs say of predicted step times, in memory: what has changed since is read, not all again, so that every replica knows
/// what any of them has recorded. Depends on the stored runs and the day alone, not on when or in which order they were read. Thread-safe.
class Learning {
 public:
  /// The store must outlive it; the log too, where there is one.
  explicit Learning(store::Store& store, telemetry::Log* log = nullptr, calibration::CalibrationOptions options = {})
      : store_(store), log_(log), options_(options) {}

  /// As of `now`: of all runs that are stored, as old as they are at the beginning of that day (UTC). The same value until a run or the day
  /// changes; costs one look at the store's version then. A record that cannot be read is left out and logged.
  absl::StatusOr<std::shared_ptr<const calibration::Calibration>> Current(absl::Time now);

 private:
  /// In order of time; of the same time, by name.
  using Key = std::pair<absl::Time, std::string>;

  /// What is new, in order. `anew` becomes true where learning that on top of the rest is not enough.
  std::vector<calibration::Evidence> Apply(const store::Changes& changes, absl::Time day, bool& anew)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// False: it was not known.
  bool Forget(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  store::Store& store_;
  telemetry::Log* const log_;
  const calibration::CalibrationOptions options_;

  base::Mutex mutex_;
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time day_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::map<Key, calibration::Evidence> evidence_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Time> times_ ABSL_GUARDED_BY(mutex_);  ///< By name.
  std::shared_ptr<const calibration::Calibration> learned_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::learning
