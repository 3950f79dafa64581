#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/calibration/kind.h"
#include "core/calibration/shrinkage.h"

namespace planner::calibration {

/// A run that was measured.
struct Evidence {
  Kind kind;
  double log_ratio =
      0;            ///< ln(measured / predicted) of its step time, predicted by the model alone, without a correction.
  absl::Time time;  ///< When it was measured.
};

/// The beginning of the day of `time` (UTC): as old as runs are made.
absl::Time StartOfDay(absl::Time time);

struct CalibrationOptions {
  /// After which a run counts for half. Drivers, libraries and frameworks change a few times a year.
  absl::Duration half_life = absl::Hours(24 * 180);
  /// Variance components: standard deviations of log ratios between the groups of each level, within the one above. Where they are
  /// from: README.md.
  std::array<double, kLevels> spreads = {0.04, 0.02, 0.1, 0.1, 0.03, 0.04, 0.02, 0.05};
  /// And between runs that are alike in everything.
  double noise = 0.03;
};

/// What measurements say of a prediction.
struct Correction {
  double factor = 1;     ///< Measured over predicted times that are to be expected: the prediction is multiplied by it.
  double deviation = 0;  ///< Standard deviation of the logarithm of what will be measured around the corrected time.
  double runs = 0;       ///< Effective number of runs that it is from.
  std::optional<Level> level;  ///< That weighs most; absent: the model alone.

  /// MEASURED: runs of the same class of models on the same GPU type, or closer ones, weigh most. Otherwise PREDICTED.
  bool is_measured() const { return level && *level >= Level::kGpu; }
  /// Nine of ten lie within a factor of exp(half width), of which `predicted` is that without a correction; never wider than
  /// it. Deviation 0.05: 1.645 x 0.05 = 0.082.
  double HalfWidth(double predicted) const;
};

/// Measured over predicted step times, learned from runs: the performance model is the prior. A value; const members are
/// safe for concurrent use. Reads no clock: the same evidence in the same order and the same moment give the same correction.
///
/// 1. Each level's estimate is that of the level above, moved toward its own runs (Shrink).
/// 2. How deep to go is decided by what would have been right so far: before a run is learned, every level's estimate is held
///    against it, and each group keeps the odds of its own estimate against those of the groups in it (context tree weighting:
///    Willems, Shtarkov and Tjalkens 1995), from even ones. A class of models on a GPU type keeps those of no correction at all; it begins with
///    the odds of its framework on its family, as far as they can be overruled by its own runs. The burden of proof is on the correction: nothing
///    is corrected until the odds for it are e^2 = 7 to 1. But the first run of all of its class of models on a GPU type moves its
///    like a little, as nothing speaks against it.
/// 3. What is left is cut to what is sure of it: a mean m of variance v becomes m (1 - v / m^2), and nothing within one deviation
///    of 0 (James and Stein's positive part: on average m^2 is the variance of true corrections plus v). 0.10 +- 0.03 becomes
///    0.091, 0.03 +- 0.03 nothing. With runs that are alike in everything it becomes m / (1 + v / m^2), so that the first one moves
///    it: 0.03 +- 0.03 becomes 0.015.
class Calibration {
 public:
  explicit Calibration(CalibrationOptions options = {});
  /// Learns in order of time; of the same time in the given order. What Learn refuses is left out.
  Calibration(std::vector<Evidence> evidence, CalibrationOptions options = {});

  /// INVALID_ARGUMENT: the ratio is no number, or a factor of more than 1,000: a mistake in units, not a slow run. Runs should come in order of their time; one from the future ages all others.
  absl::Status Learn(const Evidence& evidence);

  /// A run at 1.2 times the prediction moves that of its like to 1.002, two to 1.11, three to 1.15, twenty to 1.198. Evidence of later than `now` counts
  /// in full.
  Correction CorrectionFor(const Kind& kind, absl::Time now) const;

  /// The least factor of all kinds that agree with `kind` down to `level`, also of those of which no run is known.
  double LeastFactor(const Kind& kind, Level level, absl::Time now) const;
  /// Whether a run was learned that agrees with `kind` down to `level`.
  bool Knows(const Kind& kind, Level level) const;

  /// Makes all runs as old as they are at `now`. Within a day of it, or of the last run, a correction costs microseconds, and
  /// runs have the age of that moment (a day is 0.4 % of a run's weight); otherwise it goes through all runs. Learning a run of a later day
  /// does it for the beginning of that day (UTC), so that it does not matter when in between it was done.
  void AgeTo(absl::Time now);

  /// Runs learned, whatever their age.
  size_t size() const { return size_; }

 private:
  /// Logarithm of odds, which age toward even ones.
  struct Odds {
    double log = 0;
    absl::Time at = absl::InfinitePast();
  };
  struct Run {
    double log_ratio;
    absl::Time time;
  };
  struct Group {
    std::map<std::string, size_t, std::less<>> groups;  ///< In it: indices of groups_.
    std::vector<Run> runs;                              ///< Of the last level.
    size_t size = 0;                                    ///< Runs in it, whatever their age.
    Summary summary;                                    ///< At as_of_.
    Odds own;                                           ///< Of its estimate against those of the groups in it.
    Odds model;  ///< Of a family, and of a GPU type: of no correction against any.
  };
  /// What one level says of a kind, the first one being the model alone.
  struct Estimate {
    Belief belief;
    double runs = 0;
    double excess = 1;
    double stop = 0;  ///< Share of what came down to this level that goes no further.
  };

  double Aged(absl::Time then, absl::Time now) const;
  double Share(const Odds& odds, absl::Time now) const;
  /// Of no correction for what the groups lead to.
  Odds OddsOfModel(const std::vector<size_t>& groups, absl::Time now) const;
  /// Whether what the groups say is to be believed.
  bool IsProven(const std::vector<size_t>& groups, absl::Time now) const;
  /// What a GPU type begins with.
  Odds FirstOdds(const Odds& family, absl::Time now) const;
  bool IsFresh(absl::Time now) const;
  /// Remembered if that is fresh.
  Summary SummaryOf(size_t group, size_t level, absl::Time now) const;
  Summary Summarized(size_t group, size_t level, absl::Time now) const;
  void Refresh(size_t group, size_t level);
  /// Indices of the groups that the path leads through, as far as there are any.
  std::vector<size_t> GroupsOf(const Path& path) const;
  std::vector<Estimate> EstimatesOf(const std::vector<size_t>& groups, absl::Time now) const;
  Correction CorrectionBy(const std::vector<size_t>& groups, absl::Time now) const;
  void Judge(const std::vector<size_t>& groups, const Evidence& evidence);
  void Update(Odds& odds, double change, absl::Time now) const;

  CalibrationOptions options_;
  std::vector<Group> groups_;  ///< The first one is that of all runs.
  absl::Time as_of_ = absl::InfinitePast();
  size_t size_ = 0;
};

}  // namespace planner::calibration
