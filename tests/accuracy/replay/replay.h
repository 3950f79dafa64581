#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/calibration/calibration.h"
#include "core/perf/step_constants.h"
#include "tests/accuracy/fitting/row.h"

namespace planner::replay {

/// Rows of a table of measured runs in its order, described. INVALID_ARGUMENT: it is none.
absl::StatusOr<std::vector<fitting::Row>> RowsOf(const std::string& csv, const perf::StepTimeConstants& constants);

/// What a row's run is like. From its description alone: neither its source nor what was measured.
calibration::Kind KindOf(const fitting::Row& row, const perf::StepTimeConstants& constants);

/// One row, predicted before it was learned.
struct Outcome {
  std::string source;                                ///< Publication.
  double before = 0;                                 ///< |predicted / measured - 1| of the model alone,
  double after = 0;                                  ///< and corrected by what all rows before it taught,
  double again = 0;  ///< and once more when the whole table is learned: of the same job a second time.
  bool within_before = false, within_after = false;  ///< The 90 % interval.
  double narrowed = 1;                               ///< Width of the interval over that of the model alone.
  bool is_measured = false;
};

/// Whose runs a row is corrected by.
enum class Sites {
  kOne,      ///< All before it: one planner for everybody.
  kEachOwn,  ///< Those before it of its own publication: each has a planner of its own.
};

/// ln(predicted / measured) of each row, by the model alone.
std::vector<double> LogRatiosOf(const std::vector<fitting::Row>& rows, const perf::StepTimeConstants& constants);

/// Predict, correct, learn: row by row. All rows are of the same moment, as the tables have no times. `log_ratios`: LogRatiosOf, or those
/// of other constants; `constants` give the intervals.
std::vector<Outcome> Replay(const std::vector<fitting::Row>& rows, const std::vector<double>& log_ratios,
                            const perf::StepTimeConstants& constants, Sites sites = Sites::kOne);

/// The mean of the middle ones; 0 of none.
double Median(std::vector<double> values);

/// Of the outcomes of one source, or of several.
struct Summary {
  std::string source;
  size_t rows = 0, measured = 0;
  double median_before = 0, median_after = 0, median_again = 0;
  double mean_before = 0, mean_after = 0;
  double coverage_before = 0, coverage_after = 0;
  double narrowed = 1;  ///< Mean.

  /// Of the median error: -0.3 is 30 % lower.
  double change() const { return median_before > 0 ? median_after / median_before - 1 : 0; }
};
Summary SummaryOf(std::string source, const std::vector<Outcome>& outcomes);

/// Of each source with at least `least` rows, in the order of the table.
std::vector<Summary> SummariesBySource(const std::vector<Outcome>& outcomes, size_t least);

}  // namespace planner::replay
