#include "core/runs/drift.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace planner::runs {
namespace {

constexpr absl::Duration kLeastPatience = absl::Minutes(10);
constexpr double kMissedReports = 10;

absl::Duration BetweenReports(const Reports& reports) {
  return std::max(absl::ZeroDuration(), reports.newest - reports.start) / std::max<int64_t>(1, reports.count);
}

std::string TimeText(absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M UTC", time, absl::UTCTimeZone()); }

/// "2h10m", "5m", "45s".
std::string DurationText(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, duration < absl::Minutes(10) ? absl::Seconds(1) : absl::Minutes(1)));
}

}  // namespace

absl::Duration PatienceOf(const Reports& reports) {
  return std::max(kLeastPatience, kMissedReports * BetweenReports(reports));
}

Forecast StillRunning(Forecast forecast, const Reports& reports, absl::Time now) {
  const absl::Duration lost = std::max(absl::ZeroDuration(), now - reports.newest - PatienceOf(reports));
  for (absl::Time* time : {&forecast.finish, &forecast.low, &forecast.high}) *time = std::max(now, *time + lost);
  return forecast;
}

Drift DriftOf(absl::Time finish, const Forecast& plan) {
  if (finish > plan.high) return Drift::kLate;
  return finish < plan.low ? Drift::kEarly : Drift::kOnPlan;
}

std::string DriftText(double step_ratio, absl::Time finish, absl::Time planned_finish, bool has_ended) {
  const std::string ends =
      fmt::format("{} {} instead of {}", has_ended ? "finished" : "finishes", TimeText(finish), TimeText(planned_finish));
  if (!(step_ratio > 0)) return ends;
  // Rates that are so far off are told as factors: "300 % slower" says less than "4.0 times".
  if (step_ratio >= 3) return fmt::format("takes {:.3g} times the planned time of a step: {}", step_ratio, ends);
  const double percent = std::round((step_ratio - 1) * 100);
  if (percent == 0) return "as fast as planned: " + ends;
  return fmt::format("{} % {} than planned: {}", std::abs(percent), percent > 0 ? "slower" : "faster", ends);
}

std::string StallText(const Reports& reports, absl::Time now) {
  const std::string silent =
      fmt::format("nothing has been reported since {}, for {}", TimeText(reports.newest), DurationText(now - reports.newest));
  if (reports.count < 2) return silent;
  return fmt::format("{}; before, a report came every {}", silent, DurationText(BetweenReports(reports)));
}

}  // namespace planner::runs
