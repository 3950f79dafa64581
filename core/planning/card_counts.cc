#include "core/planning/card_counts.h"

#include <algorithm>
#include <bit>

namespace planner::planning {
namespace {

/// Next and previous number without the caller's bounds.
int64_t RoundUp(int64_t cards, int64_t per_node) {
  if (cards < per_node) return std::min(per_node, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(cards))));
  return (cards + per_node - 1) / per_node * per_node;
}

int64_t RoundDown(int64_t cards, int64_t per_node) {
  if (cards < per_node) return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(cards)));
  return cards / per_node * per_node;
}

}  // namespace

int64_t CardRange::AtLeast(int64_t cards) const {
  if (empty() || cards > most) return 0;
  if (cards <= least) return least;
  return std::min(RoundUp(cards, per_node), most);
}

int64_t CardRange::AtMost(int64_t cards) const {
  if (empty() || cards < least) return 0;
  if (cards >= most) return most;
  return std::max(RoundDown(cards, per_node), least);
}

std::vector<int64_t> CardRange::Doublings() const {
  std::vector<int64_t> counts;
  if (empty()) return counts;
  for (int64_t cards = least; cards != 0 && cards < most; cards = AtLeast(2 * cards)) counts.push_back(cards);
  counts.push_back(most);
  return counts;
}

CardRange RangeOf(const cluster::Pool& pool, const JobSpec& job, bool limits_ask_for_more) {
  CardRange range;
  range.per_node = std::max(1, pool.gpus_per_node);
  range.least = std::clamp<int64_t>(job.min_gpus.value_or(1), 1, kMostCards);
  const int64_t unasked = limits_ask_for_more ? kMostCards : std::max(kMostCardsUnasked, range.least);
  range.most = std::clamp<int64_t>(job.max_gpus.value_or(unasked), 1, kMostCards);
  range.end = job.max_gpus ? CardRange::End::kAsked : CardRange::End::kUnasked;
  if (pool.node_count) {
    const int64_t nodes = std::clamp<int64_t>(*pool.node_count, 0, kMostCards);
    const int64_t cards = nodes * range.per_node;
    range.Bound(cards, CardRange::End::kPool);
    if (range.most == cards) range.end = CardRange::End::kPool;
  }
  return range;
}

}  // namespace planner::planning
