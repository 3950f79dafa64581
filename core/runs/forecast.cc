#include "core/runs/forecast.h"

#include <algorithm>
#include <cmath>

namespace planner::runs {
namespace {

/// Of the normal distribution: 90 % lie within so many deviations.
constexpr double kDeviations = 1.645;
/// Deviation of the logarithm of one step's time.
constexpr double kStepNoise = 0.3;
/// Of that of the steps to come from those that were.
constexpr double kRunNoise = 0.03;
/// To either side, where a plan has no interval.
constexpr double kUnknownWidth = 0.1823;  // ln 1.2
/// Of measured over planned step time: beyond, one of them is a mistake, and no time of it is told.
constexpr double kMostLogRatio = 11.5;  // ln 100,000

/// Half widths of the plan's interval, as logarithms.
struct Widths {
  double below = kUnknownWidth;
  double above = kUnknownWidth;
};

Widths WidthsOf(const Planned& planned) {
  if (planned.low <= absl::ZeroDuration() || planned.high <= planned.low) return {};
  return {std::max(0.0, -std::log(absl::FDivDuration(planned.low, planned.total))),
          std::max(0.0, std::log(absl::FDivDuration(planned.high, planned.total)))};
}

double RestAt(double step, const Planned& planned) { return std::clamp(1 - step / planned.steps, 0.0, 1.0); }

/// What is left of the plan: 1 where nothing is measured.
double ShareOfPlan(const Widths& widths, double steps) {
  if (!(steps > 0)) return 1;
  const double deviation = (widths.below + widths.above) / 2 / kDeviations;
  const double variance = kStepNoise * kStepNoise / steps + kRunNoise * kRunNoise;
  return variance / (variance + deviation * deviation);
}

}  // namespace

Forecast PlannedForecast(const Planned& planned, double first_step) {
  return ForecastAt(planned.start, first_step, planned, {});
}

Forecast ForecastAt(absl::Time at, double step, const Planned& planned, const Pace& pace) {
  const Widths widths = WidthsOf(planned);
  const double share = pace.is_measured() ? ShareOfPlan(widths, pace.steps) : 1;
  const double log_ratio = pace.is_measured() ? std::log(absl::FDivDuration(pace.step, planned.step)) : 0;
  const double ratio = std::exp((1 - share) * std::clamp(log_ratio, -kMostLogRatio, kMostLogRatio));
  const absl::Duration rest = planned.total * (RestAt(step, planned) * ratio);
  return {at + rest, at + rest * std::exp(-widths.below * std::sqrt(share)), at + rest * std::exp(widths.above * std::sqrt(share))};
}

double ProgressOf(double step, const Planned& planned) { return planned.has_end() ? 1 - RestAt(step, planned) : 0; }

double PlannedProgressAt(absl::Time time, const Planned& planned, double first_step) {
  if (!planned.has_end()) return 0;
  return std::clamp(first_step / planned.steps + absl::FDivDuration(time - planned.start, planned.total), 0.0, 1.0);
}

double FirstStepOf(absl::Time time, const Planned& planned, double progress) {
  if (!planned.has_end()) return 0;
  constexpr double kRounding = 1e-9;
  const double share = progress - absl::FDivDuration(time - planned.start, planned.total);
  return share < kRounding ? 0 : share * planned.steps;
}

}  // namespace planner::runs
