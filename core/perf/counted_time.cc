#include "core/perf/counted_time.h"

#include <algorithm>

#include "core/perf/collective_time.h"
#include "fmt/format.h"

namespace planner::perf {
namespace {

constexpr double kBandwidthFraction = 0.75;
constexpr double kTensorCoreEfficiency = 0.5;
constexpr double kVectorEfficiency = 0.75;
constexpr double kSpreadLow = 0.45;
constexpr double kSpreadHigh = 1.6;
constexpr double kCeiling = 0.95;  ///< Nothing reaches its dense peak.

}  // namespace

double AccessedBytesPerSample(const counting::CostReport& report, double samples, double element_bytes) {
  constexpr double kPassesOfWeights = 3;
  const double weights = kPassesOfWeights * static_cast<double>(report.parameters) * element_bytes;
  return std::max(report.accessed_bytes - weights, report.accessed_bytes / 2) / samples;
}

Utilization CountedUtilization(const hardware::GpuType& gpu, double peak_flops_per_second,
                               std::string_view peak_precision, const SampleWork& work) {
  const double efficiency = peak_precision == "fp32" ? kVectorEfficiency : kTensorCoreEfficiency;
  const double compute = work.flops / (peak_flops_per_second * efficiency);
  const double memory = work.bytes / (gpu.memory_bandwidth * kBandwidthFraction);
  Utilization result;
  result.ratio = work.flops / ((compute + memory) * peak_flops_per_second);
  result.low = result.ratio * kSpreadLow;
  result.high = std::min(result.ratio * kSpreadHigh, kCeiling);
  result.source = fmt::format(
      "counted per sample: {:.4g} GFLOP / ({:.5g} TFLOP/s x {:g}) + {:.4g} MB / ({:.4g} GB/s x {:g}) = {:.4g} us of "
      "products + "
      "{:.4g} us of memory",
      work.flops / 1e9, peak_flops_per_second / 1e12, efficiency, work.bytes / 1e6, gpu.memory_bandwidth / 1e9,
      kBandwidthFraction, compute * 1e6, memory * 1e6);
  return result;
}

CountedWait CountedWaitOf(const CountedStep& step, const Machine& machine, const SharedConstants& shared) {
  constexpr double kKernelsOfOperator = 3;
  constexpr double kLaunchSeconds = 8e-6;
  constexpr double kBackwardShare = 2.0 / 3.0;
  constexpr double kBucketBytes = 25.0 * 1024 * 1024;
  CountedWait wait;
  wait.launch =
      std::max(0.0, step.passes * step.operators * kKernelsOfOperator * kLaunchSeconds - step.compute_seconds);
  if (step.cards <= 1) return wait;
  const Group group{step.cards, 1};
  const auto all_reduce = [&](double bytes) { return 2 * GatherSeconds(machine, shared, group, bytes); };
  const double hidden = kBackwardShare * (step.compute_seconds + wait.launch) / step.passes;
  wait.gradients =
      std::max(all_reduce(std::min(step.gradient_bytes, kBucketBytes)), all_reduce(step.gradient_bytes) - hidden);
  return wait;
}

}  // namespace planner::perf
