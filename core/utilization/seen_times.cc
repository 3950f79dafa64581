#include "core/utilization/seen_times.h"

#include <algorithm>

namespace planner::utilization {

SeenTimes::Answer SeenTimes::Take(uint64_t gpu, absl::Time time) {
  auto found = times_.find(gpu);
  if (found == times_.end()) {
    if (times_.size() >= most_gpus_) times_.clear();
    Times none;
    none.fill(kNone);
    found = times_.emplace(gpu, none).first;
  }
  Times& times = found->second;
  const int64_t micros = absl::ToUnixMicros(time);
  if (std::find(times.begin(), times.end(), micros) != times.end()) return Answer::kRepeated;
  if (micros < times.back()) return Answer::kTooOld;
  // Into its place; the oldest one falls out at the end.
  auto* const place = std::find_if(times.begin(), times.end(), [&](int64_t one) { return one < micros; });
  std::copy_backward(place, times.end() - 1, times.end());
  *place = micros;
  return Answer::kNew;
}

}  // namespace planner::utilization
