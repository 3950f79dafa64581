#include "core/planning/run_prediction.h"

#include "core/base/status_macros.h"

namespace planner::planning {

absl::StatusOr<perf::StepTime> StepTimeOf(const RunDescription& description, const perf::StepTimeConstants& constants) {
  ASSIGN_OR_RETURN(const perf::Machine machine, perf::MakeMachine(*description.gpu, *description.precision, constants,
                                                                  description.machine));
  perf::StepJob job = description.job;
  job.framework = constants.Framework(description.framework);
  if (description.framework == "layer_microbench") {
    job.framework = constants.Framework("megatron-lm");
    job.framework.step_ms = 0;
    job.framework.micro_batch_ms = 0;
  }
  return perf::EstimateStepTime(job, machine, constants.shared, description.layout, description.micro_batches);
}

RunPrediction Predict(const MeasuredRun& run, const RunCatalogs& catalogs) {
  RunPrediction prediction;
  if (!IsComparable(run)) {
    prediction.skipped = "the row is marked " + run.status;
    return prediction;
  }
  const auto description = DescribeRun(run, catalogs.gpus, catalogs.models);
  if (!description.ok()) {
    prediction.skipped = std::string(description.status().message());
    return prediction;
  }
  const auto step = StepTimeOf(*description, catalogs.constants);
  if (!step.ok()) {
    prediction.skipped = std::string(step.status().message());
    return prediction;
  }
  prediction.terms = *step;
  prediction.step_seconds = step->total();
  constexpr double kIntervalFactor = 1.3;
  prediction.low_step_seconds = step->total() / kIntervalFactor;
  prediction.high_step_seconds = step->total() * kIntervalFactor;
  const parallel::MemoryPerGpu peak =
      parallel::PeakMemory(description->memory, description->layout, description->micro_batches);
  constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
  prediction.peak_memory_gib = static_cast<double>(peak.total_bytes()) / kGib;
  prediction.fits = static_cast<double>(peak.total_bytes()) <= description->capacity_bytes;
  return prediction;
}

}  // namespace planner::planning
