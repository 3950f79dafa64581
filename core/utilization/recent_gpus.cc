#include "core/utilization/recent_gpus.h"

namespace planner::utilization {
namespace {

int64_t MinuteOf(absl::Time time) { return absl::ToInt64Minutes(absl::Floor(time - absl::UnixEpoch(), absl::Minutes(1))); }

}  // namespace

void RecentGpus::Add(uint64_t gpu, absl::Time time, bool is_occupied) {
  if (last_.size() >= most_gpus_ && !last_.contains(gpu)) {
    last_.clear();
    counts_.clear();
  }
  const auto [known, is_new] = last_.try_emplace(gpu, Last{time, is_occupied});
  if (!is_new) {
    if (time < known->second.time) return;
    const auto count = counts_.find(MinuteOf(known->second.time));
    count->second.measured -= 1;
    count->second.occupied -= known->second.is_occupied ? 1 : 0;
    if (count->second.measured == 0) counts_.erase(count);
    known->second = {time, is_occupied};
  }
  Count& count = counts_[MinuteOf(time)];
  count.measured += 1;
  count.occupied += is_occupied ? 1 : 0;
}

RecentGpus::Count RecentGpus::At(absl::Time now) const {
  Count sum;
  for (auto at = counts_.lower_bound(MinuteOf(now) - minutes_ + 1); at != counts_.end(); ++at) {
    sum.measured += at->second.measured;
    sum.occupied += at->second.occupied;
  }
  return sum;
}

}  // namespace planner::utilization
