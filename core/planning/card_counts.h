#pragma once

#include <cstdint>
#include <vector>

#include "core/cluster/snapshot.h"
#include "core/planning/job.h"

namespace planner::planning {

/// The numbers of cards that a pool offers to a job: within a node its powers of two, then whole nodes; and the
/// caller's own bounds.
struct CardRange {
  /// Where `most` comes from.
  enum class End { kUnasked, kAsked, kPool, kFree, kQuota };

  int64_t least = 1;
  int64_t most = 1;  ///< Below `least`: the pool is too small.
  int64_t per_node = 8;
  End end = End::kUnasked;

  bool empty() const { return most < least; }
  bool single() const { return most == least; }
  /// Not more than so many, for such a reason.
  void Bound(int64_t cards, End why) {
    if (cards < most) {
      most = cards;
      end = why;
    }
  }

  /// The smallest offered number from `cards` on; 0 if there is none. Node of 8: 3 -> 4, 9 -> 16, 17 -> 24.
  int64_t AtLeast(int64_t cards) const;
  /// The largest offered number up to `cards`; 0 if there is none. Node of 8: 3 -> 2, 15 -> 8, 23 -> 16.
  int64_t AtMost(int64_t cards) const;
  /// From `least` on by doublings, and `most`: 24 numbers at most.
  std::vector<int64_t> Doublings() const;
};

/// Cards of a type without a pool, and of a pool without an end, that are looked at where no limit asks for more.
inline constexpr int64_t kMostCardsUnasked = 1024;
inline constexpr int64_t kMostCards = 1000000;

/// What a pool and the job's bounds leave. `limits_ask_for_more`: a deadline or budget may need more than
/// kMostCardsUnasked.
CardRange RangeOf(const cluster::Pool& pool, const JobSpec& job, bool limits_ask_for_more);

}  // namespace planner::planning
