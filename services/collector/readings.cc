#include "services/collector/readings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace planner::collector {
namespace {

constexpr absl::Duration kMostAhead = absl::Minutes(1);
constexpr double kRounding = 1.001;
constexpr double kMostBytes = 1LL << 50;
constexpr double kMostWatts = 1e5;  ///< Of one GPU.

bool IsRatio(utilization::Metric metric) { return metric != utilization::kMemoryUsedBytes && metric != utilization::kPowerWatts; }

double MostOf(utilization::Metric metric) {
  if (IsRatio(metric)) return 1;
  return metric == utilization::kPowerWatts ? kMostWatts : kMostBytes;
}

/// Why series are left out, and how many.
class Reasons {
 public:
  void Add(const char* reason) { counts_[reason] += 1; }
  bool Has(const char* reason) const { return counts_.count(reason) > 0; }
  std::string Text(size_t series_count) const {
    std::vector<std::string> parts;
    size_t count = 0;
    for (const auto& [reason, number] : counts_) {
      parts.push_back(fmt::format("{} {}", number, reason));
      count += number;
    }
    return count == 0 ? "" : fmt::format("{} of {} series are left out: {}", count, series_count, fmt::join(parts, ", "));
  }
  size_t kinds() const { return counts_.size(); }

 private:
  std::map<std::string, size_t> counts_;
};

constexpr char kTooOld[] = "too old";

/// What is wrong with a value, or null.
const char* WrongWith(const Series& series, double value, double most, bool has_gpu, absl::Duration max_age, absl::Time now) {
  if (!has_gpu) return "of no known node and GPU";
  if (std::isnan(value)) return "NaN";
  if (!(value >= 0 && value <= most)) return "out of range";
  if (series.time > now + kMostAhead) return "in the future";
  return series.time < now - max_age ? kTooOld : nullptr;
}

}  // namespace

Readings Judge(const Query& query, const std::vector<Series>& series, const std::vector<std::optional<Gpu>>& gpus, absl::Duration max_age,
               absl::Time now) {
  Readings readings;
  const double limit = MostOf(query.metric);
  const double tolerated = IsRatio(query.metric) ? limit * kRounding : limit;
  Reasons reasons;
  std::map<std::pair<std::string, int>, size_t> places;
  for (size_t i = 0; i < series.size(); ++i) {
    const double value = series[i].value * query.scale;
    if (IsRatio(query.metric) && query.scale == 1 && value > tolerated && value <= 100 * kRounding) {
      return {{}, Outcome::kImplausible, fmt::format("{} where 0 to 1 was said: is it in percent?", value)};
    }
    const char* wrong = WrongWith(series[i], value, tolerated, gpus[i].has_value(), max_age, now);
    if (wrong != nullptr) {
      reasons.Add(wrong);
      continue;
    }
    const Reading reading{*gpus[i], series[i].time, std::min(value, limit)};
    const auto [place, is_new] = places.try_emplace({reading.gpu.node, reading.gpu.number}, readings.values.size());
    if (is_new) {
      readings.values.push_back(reading);
    } else {
      Reading& other = readings.values[place->second];
      if (std::tie(reading.time, reading.value) > std::tie(other.time, other.value)) other = reading;
    }
  }
  readings.trouble = series.empty() ? "no series" : reasons.Text(series.size());
  if (readings.values.empty()) {
    const bool is_old = series.empty() || (reasons.kinds() == 1 && reasons.Has(kTooOld));
    readings.outcome = is_old ? Outcome::kStale : Outcome::kImplausible;
  }
  return readings;
}

}  // namespace planner::collector
