#include "plugins/libtorch/engine/rules/convolution_shape.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace planner::libtorch {
namespace {

int64_t At(std::span<const int64_t> list, size_t index, int64_t otherwise) {
  if (list.empty()) return otherwise;
  return list.size() == 1 ? list[0] : list[index];
}

std::string Text(std::span<const int64_t> sizes) { return absl::StrCat("[", absl::StrJoin(sizes, ", "), "]"); }

}  // namespace

absl::StatusOr<std::vector<int64_t>> ConvolutionOutput(std::span<const int64_t> input, std::span<const int64_t> weight,
                                                       const ConvolutionGeometry& geometry) {
  if (input.size() != weight.size() || input.size() < 3) {
    return absl::InvalidArgumentError(absl::StrCat("Expected ", weight.size(), "-dimensional input for ", weight.size(),
                                                   "-dimensional weight ", Text(weight), ", but got ", input.size(),
                                                   "-dimensional input of size ", Text(input), " instead"));
  }
  const int64_t channels = geometry.transposed ? weight[0] : weight[1] * geometry.groups;
  if (input[1] != channels) {
    return absl::InvalidArgumentError(absl::StrCat("Given groups=", geometry.groups, ", weight of size ", Text(weight),
                                                   ", expected input", Text(input), " to have ", channels,
                                                   " channels, but got ", input[1], " channels instead"));
  }
  std::vector<int64_t> output = {input[0], geometry.transposed ? weight[1] * geometry.groups : weight[0]};
  for (size_t i = 0; i + 2 < input.size(); ++i) {
    const int64_t stride = At(geometry.stride, i, 1);
    const int64_t padding = At(geometry.padding, i, 0);
    const int64_t extent = At(geometry.dilation, i, 1) * (weight[i + 2] - 1) + 1;
    int64_t size = 0;
    if (geometry.transposed) {
      size = (input[i + 2] - 1) * stride - 2 * padding + extent + At(geometry.output_padding, i, 0);
    } else {
      const int64_t padded = input[i + 2] + 2 * padding;
      if (stride <= 0) return absl::InvalidArgumentError("non-positive stride is not supported");
      if (padded < extent) {
        return absl::InvalidArgumentError(absl::StrCat("Calculated padded input size per channel: ", padded,
                                                       ". Kernel size: ", extent,
                                                       ". Kernel size can't be greater than actual input size"));
      }
      size = (padded - extent) / stride + 1;
    }
    if (size <= 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("Given input size ", Text(input), " and weight ", Text(weight), ", the output size is too small"));
    }
    output.push_back(size);
  }
  return output;
}

int64_t PooledSize(int64_t input, int64_t kernel, int64_t padding, int64_t stride, int64_t dilation, bool ceil_mode) {
  if (stride <= 0) return 0;
  const int64_t span = input + 2 * padding - dilation * (kernel - 1) - 1 + (ceil_mode ? stride - 1 : 0);
  int64_t size = (span < 0 ? -1 : span / stride) + 1;
  // The last window starts within the input or the padding before it.
  if (ceil_mode && (size - 1) * stride >= input + padding) --size;
  return size;
}

}  // namespace planner::libtorch
