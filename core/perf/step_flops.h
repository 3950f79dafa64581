#pragma once

#include "core/counting/cost_report.h"

namespace planner::perf {

/// Matrix FLOPs (2 x MACs, attention in full) of training on one sample. Doubles: they are scaled to whole trainings.
struct SampleFlops {
  double forward = 0;
  double backward = 0;
  double attention_forward = 0;  ///< What selective recomputation adds: the attention cores once more.
  double block_forward = 0;      ///< What full recomputation adds: every block once more, not the head.

  /// What the model needs, without recomputation.
  double model() const { return forward + backward; }
};

/// The share of one sample in a count of `samples` of them.
SampleFlops PerSample(const counting::CostReport& report, double samples);

/// With frozen weights and trained adapters: the backward pass propagates gradients through the base once (no weight
/// gradients: half of a full backward pass, but all of the attention cores', which have no weights), and runs the adapters forward
/// once and backward twice. A base of 6 TFLOP (2 forward, 4 backward), 0.5 of the forward ones in attention cores, with adapters of
/// 0.01 costs 2.01 + 2.52: 1.5 through the weights, 1 through the cores, 0.02 of the adapters.
SampleFlops WithFrozenBase(SampleFlops base, double adapter_forward);

/// Seconds that `flops` take: flops / (cards x peak x ratio). SC21 (2104.04473): GPT-3 with full recomputation, 4.30e23
/// FLOPs on 1,024 cards of 312 TFLOP/s at 140/312: 3.00e6 s, 34.7 days (published: 34).
inline double Seconds(double flops, double gpus, double peak_flops_per_second, double ratio) {
  return flops / (gpus * peak_flops_per_second * ratio);
}

}  // namespace planner::perf
