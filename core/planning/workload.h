#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/counting/counter.h"
#include "core/hardware/gpu_type.h"
#include "core/hardware/precision.h"
#include "core/parallel/enumerate.h"
#include "core/parallel/memory.h"
#include "core/perf/step_flops.h"
#include "core/perf/step_time.h"
#include "core/perf/utilization.h"
#include "core/planning/job.h"

namespace planner::planning {

/// A job with its defaults filled in and its model counted: the numbers that planning needs, the same for every card.
struct Workload {
  perf::SampleFlops flops;
  int64_t parameters = 0;
  int64_t active_parameters = 0;
  parallel::MemoryInputs memory;
  parallel::LayoutSpace space;                     ///< For nodes of 8; the card's own domain is set for each pool.
  const hardware::Precision* precision = nullptr;  ///< Static.
  double samples = 0;                              ///< In all; 0: no data set.
  double tokens_per_sample = 0;                    ///< 0: the model has no sequences.
  /// What the step-time model needs, but for the framework's constants; absent where the model is no transformer, or was counted.
  std::optional<perf::StepJob> step_job;
  std::string framework;  ///< JobSpec::framework.
  const hardware::Optimizer* optimizer = nullptr;  ///< Static.
  int64_t adapter_rank = 0;                        ///< Of LoRA and QLoRA; 0: all weights are trained.
  bool base_in_4_bits = false;                     ///< QLoRA.
  double step_scale = 1;  ///< Counted FLOPs over those that step_job tells, where they differ.
  double operator_calls = 0;  ///< Of one forward pass; where the model is no transformer.
  double sample_bytes = 0;  ///< perf::AccessedBytesPerSample, where the time is told from it; 0: the written default holds.
  bool ratio_is_given = false;                     ///< `ratio` replaces the default utilization.
  bool ratio_counts_recompute = true;
  bool recompute_is_assumed = false;  ///< `space.fixed.recompute` is what a given hardware ratio is taken to mean.
  double ratio = 0;
  std::string counter;
  std::string counter_version;
  std::vector<std::string> explanation;  ///< Defaults that were taken.
  std::vector<std::string> warnings;

  /// Samples that are trained with batches of `batch`: those of the data set, but at least one step; 0: no data set.
  double TrainedSamples(int64_t batch) const { return samples > 0 ? std::max(samples, static_cast<double>(batch)) : 0; }
  /// FLOPs of one sample with what `recompute` adds.
  double HardwareFlops(parallel::Recompute recompute) const;
  /// The FLOPs of one sample that the utilization is about: hardware FLOPs, or model FLOPs where such a ratio was
  /// given.
  double TimedFlops(parallel::Recompute recompute) const {
    return ratio_counts_recompute ? HardwareFlops(recompute) : flops.model();
  }
};

/// Tokens of one step where the caller names no batch: 0.5M below 1e9 parameters, 1M below 3e9, 2M below 10e9, 4M from
/// there on (GPT-3, LLaMA and their kin), in powers of two.
int64_t DefaultBatchTokens(double parameters);
/// Samples of one step of a model without sequences (vision), and sequences of one step of LoRA and QLoRA.
inline constexpr int64_t kDefaultBatchSamples = 1024;
inline constexpr int64_t kDefaultAdapterBatch = 64;
/// Rank of LoRA and QLoRA.
inline constexpr int64_t kDefaultLoraRank = 16;

/// INVALID_ARGUMENT with the request's field for numbers that are no training at all. Services validate more; this
/// keeps the planner itself safe from any JobSpec.
absl::Status CheckJob(const JobSpec& job);

/// INVALID_ARGUMENT at "model", reason NO_PARAMETERS, for a loaded module without parameters: a frozen one is no training.
/// Counts the model at one sample (everything is linear in the batch) and fills in the defaults. A loaded module is counted with
/// the inputs as they are given, and its figures shared out over their batch, because only it knows what they mean. A given hardware ratio
/// with recomputation left to us means full recomputation: a published figure that counts recomputed FLOPs apart from
/// model FLOPs was taken with it (GPT-3 at 140 of 312 TFLOP/s: 34 days), and without it the two ratios would be the
/// same.
absl::StatusOr<Workload> MakeWorkload(const JobSpec& job, const counting::Counter& counter, absl::Time deadline,
                                      const base::Cancellation& cancelled = {});

}  // namespace planner::planning
