#pragma once

#include <cstdint>
#include <string>

#include "core/model/description.h"

namespace planner::model {

/// Mamba, as data. Paths are those of the published weights.
struct MambaArchitecture {
  std::string family = "mamba";
  int64_t vocab = 1;
  int64_t hidden = 1;
  int64_t layers = 1;
  int64_t inner = 1;      ///< Width inside a mixer, usually 2 x hidden.
  int64_t state = 16;     ///< States a channel.
  int64_t kernel = 4;     ///< Of the causal convolution.
  int64_t step_rank = 1;  ///< Of the projection to time steps, usually hidden / 16.
  bool bias = false;      ///< Of the projections.
  bool convolution_bias = true;
  bool tied = true;
  bool has_head = true;
};

/// The description. The scan counts, for each position, channel and state: the discretization (two
/// products, an exp, one more product with the input), the update (a product and a sum), and as a
/// matrix product the read-out, inner x state MACs a position.
ModelDescription DescribeMamba(MambaArchitecture architecture);

}  // namespace planner::model
