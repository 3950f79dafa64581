#pragma once

#include <cstdint>
#include <vector>

#include "core/cluster/calendar.h"

namespace planner::schedule {

/// How much of something is in use when: 8 from 0, 24 from 10, 0 from 50. Not safe for concurrent use.
class Levels {
 public:
  /// So much more (less, if negative) in [start, end). Time: by the steps between, and a move of those behind.
  void Add(cluster::Micros start, cluster::Micros end, int64_t amount);

  /// In [start, end), which is not empty.
  int64_t Highest(cluster::Micros start, cluster::Micros end) const;

  /// By rising start, no two neighbours alike; 0 before the first.
  const std::vector<cluster::Step>& steps() const { return steps_; }

 private:
  /// The step that begins at `time`, made where there is none.
  size_t StepAt(cluster::Micros time);

  std::vector<cluster::Step> steps_;
};

}  // namespace planner::schedule
