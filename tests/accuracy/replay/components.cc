#include "tests/accuracy/replay/components.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "tests/accuracy/replay/replay.h"

namespace planner::replay {

using calibration::kLevels;

std::array<double, kLevels> ScatterByLevel(const std::vector<Residual>& residuals, Pairs pairs) {
  std::array<std::map<std::pair<std::string, std::string>, std::vector<double>>, kLevels> differences;
  for (size_t i = 0; i < residuals.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const Residual& a = residuals[i];
      const Residual& b = residuals[j];
      if (pairs == Pairs::kOfOnePublication && a.source != b.source) continue;
      size_t level = 0;
      while (level + 1 < kLevels && a.path[level + 1] == b.path[level + 1]) ++level;
      differences[level][std::minmax(a.source, b.source)].push_back(std::abs(a.log_ratio - b.log_ratio));
    }
  }
  std::array<double, kLevels> scatter = {};
  for (size_t level = 0; level < kLevels; ++level) {
    std::vector<double> deviations;
    for (auto& [sources, values] : differences[level]) {
      if (values.size() >= 3) deviations.push_back(Median(values) / 0.6745 / std::numbers::sqrt2);
    }
    scatter[level] = Median(deviations);
  }
  return scatter;
}

}  // namespace planner::replay
