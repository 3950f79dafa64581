#include "core/perf/step_flops.h"

namespace planner::perf {
namespace {

/// Work::flops() without its bound of 64 bits.
double Flops(const counting::Work& work) { return 2.0 * static_cast<double>(work.macs); }

}  // namespace

SampleFlops PerSample(const counting::CostReport& report, double samples) {
  return {Flops(report.forward) / samples, Flops(report.backward) / samples, Flops(report.attention_forward) / samples,
          Flops(report.block_forward) / samples};
}

SampleFlops WithFrozenBase(SampleFlops base, double adapter_forward) {
  base.backward = base.backward / 2 + base.attention_forward + 2 * adapter_forward;
  base.forward += adapter_forward;
  return base;
}

}  // namespace planner::perf
