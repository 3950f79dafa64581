#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/planning/measured_run.h"
#include "core/planning/run_errors.h"
#include "core/planning/run_prediction.h"

namespace planner::planning {

/// A row of the table with what is predicted of it.
struct ValidatedRun {
  MeasuredRun run;
  std::string gpu_type;  ///< The catalogue's name; as the table has it where it is unknown.
  RunPrediction prediction;
  RunComparison comparison;
};

/// A table of measured runs, held against the predictions.
struct RunValidation {
  std::vector<ValidatedRun> rows;  ///< In the order of the table.
  RunErrors overall;
  std::vector<NamedErrors> sources;
  std::vector<NamedErrors> publications;
  std::vector<NamedErrors> gpu_families;
  std::vector<std::string> warnings;  ///< Of the table as a whole: ids that several rows have.
};

/// Predicts every run. One that cannot be predicted is skipped with its reason. DEADLINE_EXCEEDED as soon as `is_late`.
absl::StatusOr<RunValidation> ValidateRuns(std::vector<MeasuredRun> runs, const RunCatalogs& catalogs,
                                           const std::function<bool()>& is_late);

}  // namespace planner::planning
