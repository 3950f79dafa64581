#include "core/schedule/levels.h"

#include <algorithm>

namespace planner::schedule {

using cluster::Micros;
using cluster::Step;

size_t Levels::StepAt(Micros time) {
  const auto step = std::partition_point(steps_.begin(), steps_.end(), [&](const Step& one) { return one.start < time; });
  const auto at = static_cast<size_t>(step - steps_.begin());
  if (step == steps_.end() || step->start != time) {
    steps_.insert(step, {time, at == 0 ? 0 : steps_[at - 1].level});
  }
  return at;
}

void Levels::Add(Micros start, Micros end, int64_t amount) {
  const size_t first = StepAt(start);
  const size_t last = end == cluster::kForever ? steps_.size() : StepAt(end);
  for (size_t i = first; i < last; ++i) steps_[i].level += amount;
  // Between the two ends the differences are what they were.
  for (const size_t edge : {last, first}) {
    if (edge < steps_.size() && steps_[edge].level == (edge == 0 ? 0 : steps_[edge - 1].level)) {
      steps_.erase(steps_.begin() + static_cast<ptrdiff_t>(edge));
    }
  }
}

int64_t Levels::Highest(Micros start, Micros end) const {
  auto step = std::partition_point(steps_.begin(), steps_.end(), [&](const Step& one) { return one.start <= start; });
  int64_t highest = step == steps_.begin() ? 0 : std::prev(step)->level;
  for (; step != steps_.end() && step->start < end; ++step) highest = std::max(highest, step->level);
  return highest;
}

}  // namespace planner::schedule
