#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace planner::planning {

/// What an option asks for. Less is better of each.
struct Price {
  double seconds = 0;
  double gpus = 0;
  double cost = 0;  ///< Money, or card hours where options without a price are among them.
};

/// Indices of the options that no other beats: at most as much of everything, and less of something. By rising seconds, then
/// cards, then cost, then index; of equal ones the first. (1 h, 8, 10), (2 h, 4, 10), (2 h, 8, 20): the first two.
std::vector<size_t> ParetoFront(std::span<const Price> options);

}  // namespace planner::planning
