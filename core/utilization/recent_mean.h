#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "absl/time/time.h"
#include "core/utilization/summary.h"

namespace planner::utilization {

/// The mean of what was measured in the last minutes: a gauge that goes away when nothing comes any more. A few numbers, however many
/// samples. Not safe for concurrent use.
class RecentMean {
 public:
  /// Whole minutes.
  explicit RecentMean(int64_t minutes = 5) : minutes_(minutes) {}

  /// What is older than the window at `now` is left out.
  void Add(absl::Time time, double value, absl::Time now);
  /// Of the minute of `now`, those before it in the window, and what comes from clocks that are ahead.
  Total At(absl::Time now) const;

 private:
  static int64_t MinuteOf(absl::Time time);

  const int64_t minutes_;
  std::map<int64_t, Total> totals_;  ///< By minute since 1970.
};

}  // namespace planner::utilization
