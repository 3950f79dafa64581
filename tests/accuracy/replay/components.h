#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/calibration/kind.h"

namespace planner::replay {

/// A run's kind, where it was published, and ln(measured / predicted).
struct Residual {
  calibration::Path path;
  std::string source;
  double log_ratio = 0;
};

enum class Pairs { kAll, kOfOnePublication };

/// For each level the standard deviation of a run around runs that agree down to this level, and no further: of pairs of
/// runs, median |difference| / 0.6745 / sqrt(2), by pairs of publications (with three pairs of runs or more), and of those the
/// median, so that neither the largest publication nor the noisiest one decides. 0: no pairs.
std::array<double, calibration::kLevels> ScatterByLevel(const std::vector<Residual>& residuals, Pairs pairs);

}  // namespace planner::replay
