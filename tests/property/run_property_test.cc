// Laws of runs: whatever is reported, in whatever order, the forecast holds together.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "core/runs/drift.h"
#include "core/runs/forecast.h"
#include "core/runs/thinning.h"

namespace planner::runs {
namespace {

constexpr absl::Time kStart = absl::FromUnixSeconds(1'767'225'600);
constexpr double kDeviations = 1.645;

class RandomRuns {
 public:
  explicit RandomRuns(unsigned seed) : random_(seed) {}

  double Real(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }
  int64_t Integer(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  double Normal() { return std::normal_distribution<double>()(random_); }
  bool OneIn(int64_t of) { return Integer(1, of) == 1; }

  Planned Plan() {
    Planned planned;
    planned.start = kStart;
    planned.steps = std::floor(std::exp(Real(std::log(20.0), std::log(1e6))));
    planned.step = absl::Seconds(std::exp(Real(std::log(0.01), std::log(100.0))));
    planned.total = planned.steps * planned.step;
    const double width = Real(0.05, 0.4);
    planned.low = planned.total * std::exp(-width);
    planned.high = planned.total * std::exp(width);
    planned.tokens_per_step = 4096;
    return planned;
  }

  /// Anything that may be reported: gaps, restarts, stand-stills, steps beyond the plan.
  std::vector<Sample> Reports(const Planned& planned, int64_t count) {
    std::vector<Sample> samples;
    absl::Time time = kStart;
    double step = OneIn(4) ? Real(0, planned.steps) : 0;
    for (int64_t i = 0; i < count; ++i) {
      const double steps = planned.steps / static_cast<double>(count) * Real(0, 3);
      time += planned.step * (steps * std::exp(Real(-2, 2)));
      if (OneIn(20)) time += planned.total * Real(0, 0.3);
      step = OneIn(20) ? step * Real(0, 1) : step + steps;
      samples.push_back({.time = time, .step = static_cast<int64_t>(step)});
    }
    return samples;
  }

  template <typename T>
  void Shuffle(std::vector<T>& all) {
    std::shuffle(all.begin(), all.end(), random_);
  }

 private:
  std::mt19937 random_;
};

/// As it is known after its newest sample.
Forecast ForecastOf(const std::vector<Sample>& samples, const Planned& planned) {
  const Pace pace = PaceOf(samples, planned);
  return ForecastAt(samples.back().time, static_cast<double>(samples.back().step), planned, pace);
}

TEST(RunLaws, TheIntervalHoldsTheForecastAndNoTimeIsPast) {
  RandomRuns random(1);
  for (int i = 0; i < 5000; ++i) {
    const Planned planned = random.Plan();
    const std::vector<Sample> samples = Thinned(random.Reports(planned, random.Integer(1, 60)));
    const Forecast forecast = ForecastOf(samples, planned);
    EXPECT_LE(samples.back().time, forecast.low);
    EXPECT_LE(forecast.low, forecast.finish);
    EXPECT_LE(forecast.finish, forecast.high);
    EXPECT_LT(forecast.high, absl::InfiniteFuture());
    const double progress = ProgressOf(static_cast<double>(samples.back().step), planned);
    EXPECT_GE(progress, 0);
    EXPECT_LE(progress, 1);
    const absl::Time now = samples.back().time + planned.total * random.Real(0, 3);
    const Reports reports = {kStart, samples.back().time, static_cast<int64_t>(samples.size())};
    const Forecast later = StillRunning(forecast, reports, now);
    EXPECT_LE(std::max(now, forecast.low), later.low);
    EXPECT_LE(later.low, later.finish);
    EXPECT_LE(later.finish, later.high);
  }
}

TEST(RunLaws, TheIntervalOfASteadyRunNarrowsFromThePlansToNothing) {
  RandomRuns random(2);
  for (int i = 0; i < 1000; ++i) {
    const Planned planned = random.Plan();
    const double width = std::log(absl::FDivDuration(planned.high, planned.total));
    const double ratio = std::exp(width * random.Real(-1, 1));
    const Forecast plan = PlannedForecast(planned, 0);
    absl::Duration before = plan.high - plan.low;
    EXPECT_NEAR(absl::FDivDuration(before, planned.high - planned.low), 1, 1e-6);
    std::vector<Sample> samples;
    for (int k = 1; k <= 20; ++k) {
      const auto step = static_cast<int64_t>(planned.steps * k / 20);
      samples.push_back({.time = kStart + planned.step * (static_cast<double>(step) * ratio), .step = step});
      const Forecast forecast = ForecastOf(samples, planned);
      const absl::Duration now = forecast.high - forecast.low;
      EXPECT_LT(now, before) << "plan " << i << ", step " << step << " of " << planned.steps;
      before = now;
    }
    EXPECT_EQ(before, absl::ZeroDuration());
    EXPECT_EQ(ForecastOf(samples, planned).finish, samples.back().time);
  }
}

TEST(RunLaws, OrderBatchesAndRepetitionsDoNotMatter) {
  RandomRuns random(3);
  for (int i = 0; i < 300; ++i) {
    const Planned planned = random.Plan();
    std::vector<Sample> all = random.Reports(planned, random.Integer(2, 2000));
    const std::vector<Sample> at_once = Thinned(all);
    random.Shuffle(all);
    std::vector<Sample> kept;
    for (size_t begin = 0; begin < all.size();) {
      const size_t end = std::min(all.size(), begin + static_cast<size_t>(random.Integer(1, 400)));
      for (size_t k = begin; k < end; ++k) kept.push_back(all[k]);
      if (random.OneIn(2)) kept.push_back(all[begin]);
      kept = Thinned(std::move(kept));
      begin = end;
    }
    const Forecast one = ForecastOf(at_once, planned);
    const Forecast other = ForecastOf(kept, planned);
    EXPECT_EQ(one.finish, other.finish);
    EXPECT_EQ(one.low, other.low);
    EXPECT_EQ(one.high, other.high);
  }
}

TEST(RunLaws, ThinningHardlyMovesThePace) {
  RandomRuns random(4);
  for (int i = 0; i < 20; ++i) {
    const Planned planned = random.Plan();
    std::vector<Sample> all;
    absl::Time time = kStart;
    for (int64_t step = 0; step < 20'000; ++step) {
      all.push_back({.time = time, .step = step});
      time += planned.step * (1.1 * std::exp(0.1 * random.Normal()));
    }
    const double from_all = absl::FDivDuration(PaceOf(all, planned).step, planned.step);
    const double from_kept = absl::FDivDuration(PaceOf(Thinned(all), planned).step, planned.step);
    // A median of means of forty: above the median by e^(0.1^2 / 2) = 1.005.
    EXPECT_NEAR(from_all, 1.1, 0.01);
    EXPECT_NEAR(from_kept, 1.1 * 1.005, 0.01);
  }
}

/// Plans whose error is what their interval says, runs whose steps scatter as is assumed: nine of ten finish within the interval, asked at any
/// moment.
TEST(RunLaws, NineOfTenRunsFinishWithinTheirInterval) {
  RandomRuns random(5);
  constexpr int kRuns = 4000;
  for (const double part : {0.02, 0.1, 0.3, 0.6, 0.9}) {
    int within = 0;
    for (int i = 0; i < kRuns; ++i) {
      const Planned planned = random.Plan();
      const double width = std::log(absl::FDivDuration(planned.high, planned.total));
      const double ratio = std::exp(width / kDeviations * random.Normal());
      const double done = std::max(1.0, std::floor(planned.steps * part));
      // The plan's interval is of the steps to come as they will be; those that were are not quite like them.
      const double past = ratio * std::exp(std::hypot(0.3 / std::sqrt(done), 0.03) * random.Normal());
      const double rest = ratio;
      const absl::Time at = kStart + planned.step * (done * past);
      const Forecast forecast = ForecastOf({{.time = at, .step = static_cast<int64_t>(done)}}, planned);
      const absl::Time finish = at + planned.step * ((planned.steps - done) * rest);
      if (forecast.low <= finish && finish <= forecast.high) ++within;
    }
    EXPECT_NEAR(static_cast<double>(within) / kRuns, 0.9, 0.03) << "after " << part;
  }
}

}  // namespace
}  // namespace planner::runs
