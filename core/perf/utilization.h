#pragma once

#include <string>
#include <string_view>

#include "core/hardware/gpu_type.h"

namespace planner::perf {

/// What utilization depends on in a written default.
enum class WorkKind {
  kDense,    ///< Transformers without experts.
  kExperts,  ///< Mixtures of experts: smaller products and all-to-all exchanges.
  kOther,    ///< Convolutional, recurrent and described layer by layer: bound by memory more than by products.
};

/// Hardware FLOPs over the dense peak: what is expected, and the 90 % interval.
struct Utilization {
  double ratio = 0;
  double low = 0;
  double high = 0;
  std::string source;  ///< For the explanation: what the figure rests on.
};

/// The written default: no measurement of this cluster, no step-time model. `peak_precision` is the entry of
/// GpuType::peak_flops that the training uses, `parameters` the active ones. The figures are broad medians of published
/// runs by architecture, never fitted to one: table in utilization.cc. Dense 65B on A100-SXM: 0.50 (LLaMA's own GPU
/// hours give 0.496).
Utilization DefaultUtilization(const hardware::GpuType& gpu, std::string_view peak_precision, WorkKind kind,
                               double parameters);

}  // namespace planner::perf
