#include "core/planning/run_validation.h"

#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace planner::planning {
namespace {

RunComparison Compare(const MeasuredRun& run, const RunPrediction& prediction, const hardware::GpuType* gpu) {
  RunComparison comparison;
  comparison.source = run.source;
  comparison.gpu_family = gpu == nullptr ? "" : gpu->architecture;
  comparison.ran_out_of_memory = run.status == "oom";
  comparison.predicted = prediction.skipped.empty();
  if (!comparison.ran_out_of_memory) comparison.measured_step_seconds = MeasuredStepSeconds(run).value_or(0);
  comparison.measured_peak_gib = MeasuredPeakMemoryGib(run).value_or(0);
  if (!comparison.predicted) return comparison;
  comparison.predicted_step_seconds = prediction.step_seconds.value_or(0);
  comparison.low_step_seconds = prediction.low_step_seconds.value_or(0);
  comparison.high_step_seconds = prediction.high_step_seconds.value_or(0);
  comparison.predicted_peak_gib = prediction.peak_memory_gib.value_or(0);
  comparison.fits = prediction.fits;
  return comparison;
}

}  // namespace

absl::StatusOr<RunValidation> ValidateRuns(std::vector<MeasuredRun> runs, const RunCatalogs& catalogs,
                                           const std::function<bool()>& is_late) {
  RunValidation validation;
  validation.rows.reserve(runs.size());
  std::vector<RunComparison> comparisons;
  comparisons.reserve(runs.size());
  for (MeasuredRun& run : runs) {
    if (is_late()) {
      return absl::DeadlineExceededError(
          fmt::format("the table took too long: {} of {} rows are predicted", comparisons.size(), runs.size()));
    }
    RunPrediction prediction;
    if (run.problem.empty()) {
      prediction = Predict(run, catalogs);
    } else {
      prediction.skipped = run.problem;
    }
    const auto gpu = catalogs.gpus.Find(run.gpu_type);
    comparisons.push_back(Compare(run, prediction, gpu.ok() ? *gpu : nullptr));
    const std::string gpu_type = gpu.ok() ? (*gpu)->name : run.gpu_type;
    validation.rows.push_back({std::move(run), gpu_type, std::move(prediction), comparisons.back()});
  }
  validation.overall = ErrorsOf(comparisons);
  validation.sources = ErrorsBy(SourceOf, comparisons);
  validation.publications = ErrorsBy(PublicationOf, comparisons);
  validation.gpu_families = ErrorsBy(GpuFamilyOf, comparisons);
  return validation;
}

}  // namespace planner::planning
