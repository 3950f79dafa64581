#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace planner::planning {

/// A measured run beside its prediction. Zero is "not known" for times and memory.
struct RunComparison {
  std::string source;              ///< Where the measurement is from.
  std::string gpu_family;          ///< Architecture of its cards, "Ampere"; empty: unknown.
  bool ran_out_of_memory = false;  ///< As measured; it has no time then.
  bool predicted = false;          ///< Otherwise it was skipped, and all below is unknown.
  double measured_step_seconds = 0;
  double predicted_step_seconds = 0;
  double low_step_seconds = 0;  ///< 90 % interval of the predicted one.
  double high_step_seconds = 0;
  double measured_peak_gib = 0;
  double predicted_peak_gib = 0;
  double low_peak_gib = 0;  ///< 90 % interval of the predicted one.
  double high_peak_gib = 0;
  std::optional<bool> fits;  ///< Whether it is predicted to fit.
};

/// How far predictions are from measurements. Ratios are fractions: 0.05 is 5 %; 0 where no row has both figures.
struct RunErrors {
  int row_count = 0;
  int predicted_count = 0;
  int skipped_count = 0;
  int time_count = 0;  ///< Rows whose time is measured and predicted.
  /// Mean of |predicted - measured| / measured: 9 s for 10 s and 12 s for 10 s -> 0.15.
  double time_mape = 0;
  /// Median of predicted / measured, of an even number the mean of the middle two: 0.9, 1.2 -> 1.05.
  double time_median_ratio = 0;
  /// Part of the rows whose measured time lies in the interval, its ends included.
  double time_coverage = 0;
  int memory_count = 0;
  double memory_mape = 0;
  double memory_median_ratio = 0;
  double memory_coverage = 0;  ///< As time_coverage.
  int oom_count = 0;        ///< Predicted rows that ran out of memory.
  int oom_right_count = 0;  ///< Those predicted not to fit.
  int ran_count = 0;        ///< Predicted rows that ran.
  int ran_wrong_count = 0;  ///< Those predicted not to fit.
};

/// The errors of `rows`. Linear but for the medians' sort.
RunErrors ErrorsOf(std::span<const RunComparison> rows);

/// The errors of the rows that have a name in common.
struct NamedErrors {
  std::string name;
  RunErrors errors;
};

/// What `errors` are grouped by: `name` of a row.
using NameOfRun = std::string_view (*)(const RunComparison&);

/// `rows` grouped by `name`, in the order in which the names first occur.
std::vector<NamedErrors> ErrorsBy(NameOfRun name, std::span<const RunComparison> rows);

std::string_view SourceOf(const RunComparison& row);
std::string_view GpuFamilyOf(const RunComparison& row);
/// The source up to its first " / ": the tables of one publication are told apart behind it.
/// "llm-foundry README / A100 40GB" -> "llm-foundry README".
std::string_view PublicationOf(const RunComparison& row);

}  // namespace planner::planning
