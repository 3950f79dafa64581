#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/perf/step_constants.h"
#include "core/perf/step_time.h"
#include "core/planning/run_description.h"

namespace planner::planning {

/// What predictions look up.
struct RunCatalogs {
  const hardware::GpuCatalog& gpus;
  const std::vector<KnownModel>& models;
  const perf::StepTimeConstants& constants;
};

/// What is predicted of one row. Nothing is, and `skipped` says why, or everything but what does not apply.
struct RunPrediction {
  std::optional<double> step_seconds;
  std::optional<double> low_step_seconds, high_step_seconds;  ///< 90 % interval.
  std::optional<double> peak_memory_gib;
  std::optional<double> low_peak_memory_gib, high_peak_memory_gib;  ///< 90 % interval.
  std::optional<bool> fits;  ///< Whether the peak is within what the driver reports.
  std::string skipped;
  perf::StepTime terms;
};

/// Predicts a run from its description alone: its results, source, id and status are not looked at, but that rows marked
/// suspect or analytic are skipped. Pure, safe for concurrent use.
RunPrediction Predict(const MeasuredRun& run, const RunCatalogs& catalogs);

/// Peak bytes of the fullest card. Where the layout is unknown, of the one of 1 to 8 tensor-parallel cards, a sequence at a
/// time, that needs least.
double PeakMemoryOf(const RunDescription& description);

/// Terms of the step of a described run.
absl::StatusOr<perf::StepTime> StepTimeOf(const RunDescription& description, const perf::StepTimeConstants& constants);

}  // namespace planner::planning
