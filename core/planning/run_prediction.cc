#include "core/planning/run_prediction.h"

#include <algorithm>
#include <cmath>

#include "core/base/status_macros.h"
#include "core/planning/memory_interval.h"

namespace planner::planning {
namespace {

constexpr int64_t kMostTensorParallel = 8;

}  // namespace

absl::StatusOr<perf::StepTime> StepTimeOf(const RunDescription& description, const perf::StepTimeConstants& constants) {
  ASSIGN_OR_RETURN(const perf::Machine machine,
                   perf::MakeMachine(*description.gpu, *description.precision, constants, description.machine));
  perf::StepJob job = description.job;
  job.framework = constants.Framework(description.framework);
  if (description.framework == "layer_microbench") {
    job.framework = constants.Framework("megatron-lm");
    job.framework.step_ms = 0;
    job.framework.micro_batch_ms = 0;
  }
  perf::StepTime best =
      perf::EstimateStepTime(job, machine, constants.shared, description.layout, description.micro_batches);
  if (!description.layout_is_unknown) return best;
  // Whoever trained it chose well: more tensor parallelism in place of data parallelism, if that is faster.
  perf::Layout layout = description.layout;
  double micro_batch = static_cast<double>(layout.micro_batch_size);
  while (layout.tensor_parallel < kMostTensorParallel && layout.data_parallel % 2 == 0) {
    layout.tensor_parallel *= 2;
    layout.data_parallel /= 2;
    layout.sequence_parallel = true;
    micro_batch *= 2;
    const double sequences = static_cast<double>(description.layout.micro_batch_size) * description.micro_batches;
    // The same tokens in a microbatch of each card, or one sequence at a time.
    for (const double size : {micro_batch, 1.0}) {
      layout.micro_batch_size = static_cast<int64_t>(size);
      const double micro_batches = sequences * static_cast<double>(description.layout.data_parallel) /
                                   static_cast<double>(layout.data_parallel) / size;
      if (micro_batches < 1) continue;
      const perf::StepTime other = perf::EstimateStepTime(job, machine, constants.shared, layout, micro_batches);
      if (other.total() < best.total()) best = other;
    }
  }
  return best;
}

double PeakMemoryOf(const RunDescription& description) {
  perf::Layout layout = description.layout;
  const auto bytes = [&](double micro_batches) {
    return static_cast<double>(parallel::PeakMemory(description.memory, layout, micro_batches).total_bytes());
  };
  double least = bytes(description.micro_batches);
  if (!description.layout_is_unknown) return least;
  layout.micro_batch_size = 1;
  while (true) {
    least = std::min(least, bytes(description.micro_batches));
    if (layout.tensor_parallel >= kMostTensorParallel || layout.data_parallel % 2 != 0) return least;
    layout.tensor_parallel *= 2;
    layout.data_parallel /= 2;
    layout.sequence_parallel = true;
  }
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
  const double factor = std::exp(catalogs.constants.HalfWidth(description->framework, description->gpu->architecture,
                                                              description->memory.parameters));
  prediction.low_step_seconds = step->total() / factor;
  prediction.high_step_seconds = step->total() * factor;
  const double peak = PeakMemoryOf(*description);
  constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
  prediction.peak_memory_gib = peak / kGib;
  const double memory_factor = std::exp(MemoryHalfWidth(description->framework));
  prediction.low_peak_memory_gib = *prediction.peak_memory_gib / memory_factor;
  prediction.high_peak_memory_gib = *prediction.peak_memory_gib * memory_factor;
  prediction.fits = peak <= description->capacity_bytes;
  return prediction;
}

}  // namespace planner::planning
