#include "core/planning/memory_interval.h"

#include <algorithm>
#include <array>

namespace planner::planning {
namespace {

struct Width {
  std::string_view framework;
  double half_width;
};

// 91 rows: SimuMax (24, megatron-core), BLOOM (20, megatron-deepspeed), torchtune and litgpt (27, single), torchtitan (19, of
// which six do not print their microbatch), ColossalAI (1).
constexpr std::array kWidths = {Width{"megatron-core", 0.145}, Width{"megatron-deepspeed", 0.208},
                                Width{"single", 0.173}, Width{"torchtitan", 0.325}};
constexpr double kAll = 0.242;

}  // namespace

double MemoryHalfWidth(std::string_view framework) {
  const auto* const found =
      std::find_if(kWidths.begin(), kWidths.end(), [&](const Width& width) { return width.framework == framework; });
  return found == kWidths.end() ? kAll : found->half_width;
}

}  // namespace planner::planning
