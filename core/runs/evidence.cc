#include "core/runs/evidence.h"

#include "core/runs/forecast.h"

namespace planner::runs {
namespace {

constexpr double kLeastSteps = 20;
constexpr double kLeastProgress = 0.1;
constexpr double kMostRatio = 10;

}  // namespace

bool IsEvidence(const Pace& pace, double last_step, const Planned& planned, bool has_succeeded) {
  if (!pace.is_measured() || pace.steps < kLeastSteps) return false;
  const double ratio = absl::FDivDuration(pace.step, planned.step);
  if (!(ratio <= kMostRatio && ratio >= 1 / kMostRatio)) return false;
  return has_succeeded || ProgressOf(last_step, planned) > kLeastProgress;
}

}  // namespace planner::runs
