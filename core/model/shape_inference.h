#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace planner::model {

/// Sizes of a tensor's dimensions.
using Shape = std::vector<int64_t>;

inline constexpr size_t kMaxDimensions = 8;                      ///< Of one tensor.
inline constexpr int64_t kMaxTensorElements = int64_t{1} << 60;  ///< Elements of one tensor.

/// How a window slides over one dimension, as torch.nn's convolutions and pools define it.
struct Window {
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;  ///< On both sides.
  int64_t dilation = 1;
  int64_t output_padding = 0;  ///< Of transposed convolutions.
};

/// An input that a layer cannot take: INVALID_ARGUMENT without a field, which the caller that knows the layer adds.
absl::Status Mismatch(std::string_view message);

/// "1x3x224x224"; "scalar" for no dimensions.
std::string ShapeText(const Shape& shape);

/// Product of the sizes; INVALID_ARGUMENT beyond 2^60.
absl::StatusOr<int64_t> ElementsOf(const Shape& shape);

/// The dimension itself; negative ones count from the end: (-1, 4) is 3.
absl::StatusOr<int64_t> DimensionOf(int64_t dimension, size_t rank);

/// floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. 224 by kernel 7, stride 2, padding 3: 112.
absl::StatusOr<int64_t> ConvolutionSize(int64_t in, const Window& window);

/// As ConvolutionSize; with `ceil_mode` rounded up, less the last window if it would begin beyond the input and its left
/// padding (torch's pooling_output_shape). 109 by kernel 3, stride 2: 54, and 54 with ceil_mode; 6 by 3 and 2: 2, and 3.
absl::StatusOr<int64_t> PoolSize(int64_t in, const Window& window, bool ceil_mode);

/// (in - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1. 28 by kernel 4, stride 2, padding 1: 56.
absl::StatusOr<int64_t> TransposedSize(int64_t in, const Window& window);

/// Shapes aligned at their last dimensions, sizes of 1 stretched: {2, 1, 4} and {3, 1} give {2, 3, 4}.
absl::StatusOr<Shape> Broadcast(const std::vector<Shape>& shapes);

/// `target` with 0 as the input's size at that place and one -1 as what remains: {2, 6, 4} to {0, -1} is {2, 24}.
absl::StatusOr<Shape> ReshapeTo(const Shape& input, const std::vector<int64_t>& target);

}  // namespace planner::model
