#include "core/planning/pareto.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace planner::planning {

std::vector<size_t> ParetoFront(std::span<const Price> options) {
  std::vector<size_t> order(options.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const auto key = [&](size_t i) { return std::make_tuple(options[i].seconds, options[i].gpus, options[i].cost, i); };
    return key(a) < key(b);
  });
  std::vector<size_t> front;
  for (const size_t candidate : order) {
    // Whatever comes earlier takes no more time.
    const bool beaten = std::any_of(front.begin(), front.end(), [&](size_t other) {
      return options[other].gpus <= options[candidate].gpus && options[other].cost <= options[candidate].cost;
    });
    if (!beaten) front.push_back(candidate);
  }
  return front;
}

}  // namespace planner::planning
