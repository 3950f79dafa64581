#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::libtorch {

/// The numbers of a convolution. Each list has one entry per spatial dimension, or one for all.
struct ConvolutionGeometry {
  std::span<const int64_t> stride;
  std::span<const int64_t> padding;
  std::span<const int64_t> dilation;
  std::span<const int64_t> output_padding;  ///< Transposed only.
  bool transposed = false;
  int64_t groups = 1;
};

/// Sizes of a convolution's output. 1x3x224x224 by 64x3x7x7, stride 2, padding 3: 1x64x112x112.
/// INVALID_ARGUMENT, in torch's words, where input and weight do not fit.
absl::StatusOr<std::vector<int64_t>> ConvolutionOutput(std::span<const int64_t> input, std::span<const int64_t> weight,
                                                       const ConvolutionGeometry& geometry);

/// Positions of a pooling window along one dimension, as torch counts them.
int64_t PooledSize(int64_t input, int64_t kernel, int64_t padding, int64_t stride, int64_t dilation, bool ceil_mode);

}  // namespace planner::libtorch
