#pragma once

#include <string>
#include <string_view>

#include "core/hardware/gpu_type.h"

namespace planner::perf {

/// Hardware FLOPs over the dense peak: what is expected, and the 90 % interval.
struct Utilization {
  double ratio = 0;
  double low = 0;
  double high = 0;
  std::string source;  ///< For the explanation: what the figure rests on.
};

/// The written default for models that are no transformers, where not even their bytes are known (CountedUtilization): convolutional and
/// recurrent networks, layer by layer bound by memory more than by products. Half of what small transformers were published to reach on the
/// same architecture; an estimate, with a spread to match. `peak_precision` is the entry of GpuType::peak_flops that the training uses.
/// A100-SXM in 16 bits: 0.20, 0.06 to 0.36.
Utilization DefaultUtilization(const hardware::GpuType& gpu, std::string_view peak_precision);

}  // namespace planner::perf
