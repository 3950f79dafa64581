#include "core/planning/run_validation.h"

#include <map>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace planner::planning {
namespace {

constexpr size_t kMostIdBytes = 40;  ///< In a warning.

/// What may be a time in seconds or a memory in GiB: what is not is nothing to compare with, whoever says it.
bool IsPlausible(double value) { return value >= 1e-9 && value <= 1e15; }

double Known(const std::optional<double>& value) { return value && IsPlausible(*value) ? *value : 0; }

RunPrediction PredictOrSkip(const MeasuredRun& run, const RunCatalogs& catalogs) {
  RunPrediction prediction;
  prediction.skipped = run.problem;
  if (run.problem.empty()) prediction = Predict(run, catalogs);
  if (!prediction.skipped.empty()) return prediction;
  for (const auto& value : {prediction.step_seconds, prediction.low_step_seconds, prediction.high_step_seconds}) {
    if (!value || !IsPlausible(*value)) {
      prediction.skipped =
          fmt::format("the step would take {:.3g} s: sizes are out of all proportion", value.value_or(0));
      return prediction;
    }
  }
  return prediction;
}

RunComparison Compare(const MeasuredRun& run, const RunPrediction& prediction, const hardware::GpuType* gpu) {
  RunComparison comparison;
  comparison.source = run.source;
  comparison.gpu_family = gpu == nullptr ? "" : gpu->architecture;
  comparison.ran_out_of_memory = run.status == "oom";
  comparison.predicted = prediction.skipped.empty();
  if (!comparison.ran_out_of_memory) comparison.measured_step_seconds = Known(MeasuredStepSeconds(run));
  comparison.measured_peak_gib = Known(MeasuredPeakMemoryGib(run));
  if (!comparison.predicted) return comparison;
  comparison.predicted_step_seconds = Known(prediction.step_seconds);
  comparison.low_step_seconds = Known(prediction.low_step_seconds);
  comparison.high_step_seconds = Known(prediction.high_step_seconds);
  comparison.predicted_peak_gib = Known(prediction.peak_memory_gib);
  comparison.low_peak_gib = Known(prediction.low_peak_memory_gib);
  comparison.high_peak_gib = Known(prediction.high_peak_memory_gib);
  comparison.fits = prediction.fits;
  return comparison;
}

/// One sentence for all ids that several rows have; none where there are none.
std::vector<std::string> WarnOfTwins(const std::vector<MeasuredRun>& runs) {
  constexpr size_t kMostNamed = 5;
  std::map<std::string_view, int> rows;
  for (const MeasuredRun& run : runs) {
    if (!run.id.empty()) ++rows[run.id];
  }
  std::vector<std::string> twins;
  for (const auto& [id, count] : rows) {
    if (count > 1) twins.push_back(fmt::format("\"{}\" ({} rows)", id.substr(0, kMostIdBytes), count));
  }
  if (twins.empty()) return {};
  const size_t rest = twins.size() > kMostNamed ? twins.size() - kMostNamed : 0;
  twins.resize(twins.size() - rest);
  return {fmt::format("ids are there more than once, and each row is counted: {}{}", fmt::join(twins, ", "),
                      rest > 0 ? fmt::format(" and {} more", rest) : "")};
}

}  // namespace

absl::StatusOr<RunValidation> ValidateRuns(std::vector<MeasuredRun> runs, const RunCatalogs& catalogs,
                                           const std::function<bool()>& is_late) {
  RunValidation validation;
  validation.warnings = WarnOfTwins(runs);
  validation.rows.reserve(runs.size());
  std::vector<RunComparison> comparisons;
  comparisons.reserve(runs.size());
  for (MeasuredRun& run : runs) {
    if (is_late()) {
      return absl::DeadlineExceededError(
          fmt::format("the table took too long: {} of {} rows are predicted", comparisons.size(), runs.size()));
    }
    RunPrediction prediction = PredictOrSkip(run, catalogs);
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
