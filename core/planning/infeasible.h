#pragma once

#include <optional>
#include <string>

#include "core/planning/pool_search.h"

namespace planner::planning {

/// Why a pool cannot run the job before any number of cards is tried: too few cards, a degree that fits no layout, no
/// price for a budget, a deadline that has passed. nullopt: it may.
std::optional<std::string> ReasonBeforeSearch(const PoolContext& context);

/// By how much one trial misses the limits or the memory: a sentence without its full stop.
std::string ReasonOf(const PoolContext& context, const Trial& trial);
/// Why so few cards cannot hold the states, whatever the layout.
std::string StatesReason(const PoolContext& context, int64_t gpus);

/// Remembers of the numbers of cards that failed those that say the most.
class FailedTrials {
 public:
  void Add(const Trial& trial);

  /// After one Add at least: by how much the closest one missed: "A100-SXM-80GB x 8: needs 112.4 GiB per card, has 79.4
  /// GiB: 33.0 GiB too much, even with ZeRO-3 and full recomputation; 16 cards would fit".
  std::string Reason(PoolContext& context) const;

 private:
  std::optional<Trial> fastest_late_;  ///< Missed the deadline by the least.
  std::optional<Trial> cheapest_;      ///< Missed the budget by the least.
  std::optional<Trial> too_long_;
  std::optional<Trial> not_free_;
  std::optional<Trial> least_memory_;  ///< Missed the memory by the least.
  int64_t without_layout_ = 0;         ///< The last one.
};

}  // namespace planner::planning
