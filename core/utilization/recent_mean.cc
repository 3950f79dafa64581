#include "core/utilization/recent_mean.h"

namespace planner::utilization {

int64_t RecentMean::MinuteOf(absl::Time time) {
  return absl::ToInt64Minutes(absl::Floor(time - absl::UnixEpoch(), absl::Minutes(1)));
}

void RecentMean::Add(absl::Time time, double value, absl::Time now) {
  const int64_t oldest = MinuteOf(now) - minutes_ + 1;
  totals_.erase(totals_.begin(), totals_.lower_bound(oldest));
  if (MinuteOf(time) >= oldest) totals_[MinuteOf(time)].Add(value);
}

Total RecentMean::At(absl::Time now) const {
  Total total;
  for (auto at = totals_.lower_bound(MinuteOf(now) - minutes_ + 1); at != totals_.end(); ++at) total.Merge(at->second);
  return total;
}

}  // namespace planner::utilization
