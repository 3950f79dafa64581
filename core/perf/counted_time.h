#pragma once

#include <string_view>

#include "core/counting/cost_report.h"
#include "core/hardware/gpu_type.h"
#include "core/perf/machine.h"
#include "core/perf/step_constants.h"
#include "core/perf/utilization.h"

namespace planner::perf {

/// What one sample of a counted model asks of a card.
struct SampleWork {
  double flops = 0;  ///< Of matrix products and convolutions, forward and backward.
  double bytes = 0;  ///< That operators read and write, without the weights.
};

/// Bytes of one sample in a count of `samples` of them. Weights are passed once per batch, not per sample: read forward, read
/// backward, and their gradients written: 3 x parameters x `element_bytes`, which a count of one sample would charge to it
/// alone. At least half of the bytes stay, for models whose weights the counter did not see passed. ResNet-50 in 16 bits: one
/// sample counts 543 MB, of them 153 MB of weights: 390 MB; four count 1,711 MB: 389 MB each. 0: the counter found no bytes.
double AccessedBytesPerSample(const counting::CostReport& report, double samples, double element_bytes);

/// The utilization that a counted model reaches: its FLOPs over the peak during
///
///   t = flops / (peak x e) + bytes / (memory bandwidth x 0.75),   e = 0.5; of fp32 without tensor cores 0.75
///
/// A sum, not the longer of the two: what waits for memory (norms, activations, additions) are other kernels than the products,
/// and kernels of one stream run one after the other. ResNet-50 in 16 bits on an A100-SXM-80GB: 24.3 GFLOP / (312 TFLOP/s x
/// 0.5) + 389 MB / (2.04 TB/s x 0.75) = 156 + 254 us = 2,440 samples/s, a ratio of 0.19; published 2,470 (table in the test).
///
/// The constants are what kernels reach, chosen before any training was looked at and not fitted to one:
/// - 0.75: BabelStream reaches 0.83 to 0.92 of the bandwidth of V100 and A100 with arrays of GBs; smaller tensors less.
/// - 0.5: cuBLAS reaches 0.8 of the peak on square products of thousands, convolutions with few channels a quarter.
/// - Interval: ratio x 0.45 (eager kernels, slow input, waiting for gradients of other cards) to x 1.6 (fused kernels).
///
/// `gpu.memory_bandwidth` must be known.
Utilization CountedUtilization(const hardware::GpuType& gpu, double peak_flops_per_second, std::string_view peak_precision,
                               const SampleWork& work);

/// One step of a counted model that only data parallelism splits.
struct CountedStep {
  double compute_seconds = 0;  ///< Of one card: what the utilization says.
  double gradient_bytes = 0;   ///< Of all parameters.
  double operators = 0;        ///< Calls of one forward pass.
  double passes = 1;           ///< Microbatches.
  double cards = 1;
};

/// What a step takes beyond its compute.
struct CountedWait {
  double launch = 0;     ///< As far as the host needs longer to launch the kernels than the card to run them.
  double gradients = 0;  ///< Of their all-reduce, as far as the backward pass does not hide it.
  double total() const { return launch + gradients; }
};

/// The host launches a kernel for each operator forward and two backward, 8 us each (PyTorch's eager dispatch takes 5 to 10). The
/// all-reduce of the gradients is a ring, 2 (n - 1)/n x bytes / bandwidth and its latency; buckets go out during the backward pass, two thirds of
/// the compute, but for the last one of 25 MiB (DistributedDataParallel's own). ResNet-50 (175 operators, 102 MB of fp32 gradients):
/// at least 4.2 ms a step; on 1,024 cards of eight with 25 GB/s each, ring of 200 GB/s: 1.0 ms, of which 0.26 ms and the latency are not
/// hidden.
CountedWait CountedWaitOf(const CountedStep& step, const Machine& machine, const SharedConstants& shared);

}  // namespace planner::perf
