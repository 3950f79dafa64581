#include "core/planning/run_prediction.h"

#include <algorithm>
#include <cmath>

#include "absl/functional/function_ref.h"
#include "core/base/status_macros.h"
#include "core/planning/memory_interval.h"

namespace planner::planning {
namespace {

constexpr int64_t kMostTensorParallel = 8;

using Estimate = absl::FunctionRef<perf::StepTime(const perf::StepJob&, const perf::Layout&, double micro_batches)>;

/// Of an unknown layout: more tensor parallelism in place of data parallelism, if that is faster.
perf::StepTime FastestTensorParallel(const RunDescription& description, Estimate estimate) {
  perf::StepTime best = estimate(description.job, description.layout, description.micro_batches);
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
      const perf::StepTime other = estimate(description.job, layout, micro_batches);
      if (other.total() < best.total()) best = other;
    }
  }
  return best;
}

/// Of an unknown layout: states that groups of nodes share in place of all replicas, if that is faster and fits.
perf::StepTime FastestShardGroup(const RunDescription& all, double domain, Estimate estimate) {
  perf::StepTime best = FastestTensorParallel(all, estimate);
  if (all.layout.zero_stage < 3 || all.layout.shard_group > 0) return best;
  const int64_t replicas = all.layout.replicas();
  for (auto group = std::max<int64_t>(2, static_cast<int64_t>(domain)); group < replicas; group *= 2) {
    if (replicas % group != 0) continue;
    RunDescription groups = all;
    groups.layout.shard_group = group;
    if (all.recompute_is_unknown) ChooseRecompute(groups);
    const double bytes =
        static_cast<double>(parallel::PeakMemory(groups.memory, groups.layout, groups.micro_batches).total_bytes());
    if (bytes > groups.capacity_bytes) continue;
    const perf::StepTime other = FastestTensorParallel(groups, estimate);
    if (other.total() < best.total()) best = other;
  }
  return best;
}

}  // namespace

absl::StatusOr<perf::StepTime> StepTimeOf(const RunDescription& description, const perf::StepTimeConstants& constants) {
  ASSIGN_OR_RETURN(const perf::Machine machine,
                   perf::MakeMachine(*description.gpu, *description.precision, constants, description.machine));
  perf::FrameworkConstants framework = constants.Framework(description.framework);
  if (description.framework == "layer_microbench") {
    framework = constants.Framework("megatron-lm");
    framework.step_ms = 0;
    framework.micro_batch_ms = 0;
  }
  const auto estimate = [&](perf::StepJob job, const perf::Layout& layout, double micro_batches) {
    job.framework = framework;
    return perf::EstimateStepTime(job, machine, constants.shared, layout, micro_batches);
  };
  // Whoever trained in a layout that is not told chose well.
  const perf::StepTime step = description.layout_is_unknown
                                  ? FastestShardGroup(description, machine.domain, estimate)
                                  : estimate(description.job, description.layout, description.micro_batches);
  return description.goodput < 1 ? step * (1 / description.goodput) : step;
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
