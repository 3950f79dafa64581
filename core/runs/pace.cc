#include "core/runs/pace.h"

#include <algorithm>
#include <utility>

namespace planner::runs {
namespace {

/// How much faster than planned a run may look: at its first report, before it is taken to go on from a checkpoint; later, before a fall is
/// taken for a correction.
constexpr double kFastest = 4;
/// Of the planned steps, while which nothing is steady.
constexpr double kWarmUp = 0.1;

/// Steps that took `seconds` each.
struct Stretch {
  double seconds = 0;
  double steps = 0;
};

/// Of steps, not of stretches; between two where half of the steps are on either side.
double MedianOf(std::vector<Stretch> stretches) {
  std::sort(stretches.begin(), stretches.end(),
            [](const Stretch& a, const Stretch& b) { return std::pair(a.seconds, a.steps) < std::pair(b.seconds, b.steps); });
  double all = 0;
  for (const Stretch& one : stretches) all += one.steps;
  double below = 0;
  for (size_t i = 0; i < stretches.size(); ++i) {
    below += stretches[i].steps;
    if (2 * below > all) return stretches[i].seconds;
    if (2 * below == all && i + 1 < stretches.size()) return (stretches[i].seconds + stretches[i + 1].seconds) / 2;
  }
  return stretches.empty() ? 0 : stretches.back().seconds;
}

bool GoesOn(const Sample& first, const Planned& planned) {
  const absl::Duration planned_time = static_cast<double>(first.step) * planned.step;
  return planned_time > kFastest * (first.time - planned.start);
}

}  // namespace

Pace PaceOf(const std::vector<Sample>& samples, const Planned& planned) {
  Pace pace;
  if (samples.empty()) return pace;
  Sample before = samples.front();
  if (GoesOn(before, planned)) {
    const auto least = std::min_element(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.step < b.step; });
    pace.first_step = static_cast<double>(least->step);
  } else {
    before = {.time = planned.start};
  }
  const double warm = pace.first_step + kWarmUp * std::max(0.0, planned.steps - pace.first_step);
  std::vector<Stretch> all, steady;
  const double fastest = absl::ToDoubleSeconds(planned.step) / kFastest;
  bool is_newest_counted = false, is_newest_steady = false;
  for (const Sample& sample : samples) {
    const double seconds = absl::ToDoubleSeconds(sample.time - before.time);
    const double steps = static_cast<double>(sample.step) - static_cast<double>(before.step);
    if (steps < 0 && is_newest_counted && all.back().seconds < fastest) {
      pace.steps -= all.back().steps;
      all.pop_back();
      if (is_newest_steady) steady.pop_back();
    }
    is_newest_counted = seconds > 0 && steps > 0;
    is_newest_steady = is_newest_counted && static_cast<double>(before.step) >= warm;
    if (is_newest_counted) {
      all.push_back({seconds / steps, steps});
      pace.steps += steps;
    }
    if (is_newest_steady) steady.push_back(all.back());
    before = sample;
  }
  if (!all.empty()) {
    pace.step = absl::Seconds(MedianOf(std::move(steady.empty() ? all : steady)));
    return pace;
  }
  const auto rated = std::find_if(samples.rbegin(), samples.rend(), [](const Sample& sample) {
    return sample.tokens_per_second.value_or(0) > 0;
  });
  if (rated != samples.rend() && planned.tokens_per_step > 0) {
    pace.step = absl::Seconds(planned.tokens_per_step / *rated->tokens_per_second);
    pace.steps = 1;
  }
  return pace;
}

}  // namespace planner::runs
