#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/layer_graph_leaf.h"

namespace planner::model {
namespace {

/// The size of every spatial dimension of [batch, channels, ...]; 1 to 3 of them.
absl::StatusOr<Shape> SpatialSizes(const Shape& input) {
  if (input.size() < 3 || input.size() > 5) {
    return Mismatch(
        absl::StrCat("expects an input of batch, channels and 1 to 3 spatial dimensions: shape=", ShapeText(input)));
  }
  return Shape(input.begin() + 2, input.end());
}

/// One value for each of `dimensions`: all of them from one, or `fallback` from none.
absl::StatusOr<Shape> PerDimension(std::string_view field, const graph::Sizes& values, size_t dimensions,
                                   const Shape& fallback, int64_t minimum) {
  for (size_t i = 0; i < values.size(); ++i) {
    const absl::Status status = minimum == 0 ? CheckSizeOrZero(field, values[i]) : CheckSize(field, values[i]);
    if (!status.ok()) {
      return base::InvalidField(
          absl::StrCat(std::string(field), "[", i, "]"),
          absl::StrCat(minimum == 0 ? "must be 0 or more, at most 2^31-1: " : "must be positive, at most 2^31-1: ",
                       std::string(field), "=", values[i]));
    }
  }
  if (values.empty()) {
    if (fallback.empty()) return base::InvalidField(field, "is required");
    return fallback;
  }
  if (values.size() == 1) return Shape(dimensions, values[0]);
  if (values.size() != dimensions) {
    return base::InvalidField(
        field, absl::StrCat("must have one value or one for each spatial dimension of the input: values=",
                            values.size(), " dimensions=", dimensions));
  }
  return values;
}

/// The windows over all spatial dimensions.
absl::StatusOr<std::vector<Window>> WindowsOf(size_t dimensions, const graph::Sizes& kernel, const graph::Sizes& stride,
                                              const graph::Sizes& padding, const graph::Sizes& dilation,
                                              bool stride_is_kernel) {
  const Shape ones(dimensions, 1);
  ASSIGN_OR_RETURN(const Shape kernels, PerDimension("kernel", kernel, dimensions, {}, 1));
  ASSIGN_OR_RETURN(const Shape strides,
                   PerDimension("stride", stride, dimensions, stride_is_kernel ? kernels : ones, 1));
  ASSIGN_OR_RETURN(const Shape paddings, PerDimension("padding", padding, dimensions, Shape(dimensions, 0), 0));
  ASSIGN_OR_RETURN(const Shape dilations, PerDimension("dilation", dilation, dimensions, ones, 1));
  std::vector<Window> windows;
  for (size_t i = 0; i < dimensions; ++i) {
    windows.push_back({.kernel = kernels[i], .stride = strides[i], .padding = paddings[i], .dilation = dilations[i]});
  }
  return windows;
}

absl::Status CheckChannels(int64_t in, int64_t out, int64_t groups) {
  RETURN_IF_ERROR(CheckSize("out_channels", out));
  RETURN_IF_ERROR(CheckSize("groups", groups));
  if (out % groups != 0) {
    return base::InvalidField("groups",
                              absl::StrCat("must divide out_channels: groups=", groups, " out_channels=", out));
  }
  if (in % groups != 0) {
    return base::InvalidField("groups",
                              absl::StrCat("must divide the input's channels: groups=", groups, " in_channels=", in));
  }
  return absl::OkStatus();
}

/// The batch, channels, and sizes of a convolution's output.
Shape WithSpatial(int64_t batch, int64_t channels, const Shape& spatial) {
  Shape shape = {batch, channels};
  shape.insert(shape.end(), spatial.begin(), spatial.end());
  return shape;
}

Shape KernelOf(const std::vector<Window>& windows) {
  Shape kernel;
  for (const Window& window : windows) kernel.push_back(window.kernel);
  return kernel;
}

/// Pooling from `in` to `out` elements whose windows hold `window` elements each.
Expansion Pooled(std::string_view kind, graph::PoolKind pool, int64_t in, int64_t out, int64_t window, Shape output) {
  const bool max = pool == graph::PoolKind::kMax;
  // A maximum is window - 1 comparisons, a mean as many sums and a division. Both keep their input, a maximum also
  // the place where it was found.
  return {Leaf(kind, Elementwise{max ? "max_pool" : "avg_pool", out, max ? window - 1 : window, max ? in + out : in}),
          std::move(output)};
}

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

std::string WithDimensions(std::string_view name, size_t dimensions) {
  return absl::StrCat(std::string(name), dimensions, "d");
}

absl::StatusOr<Expansion> ExpandConvolution(const graph::Convolution& conv, const Shape& input) {
  ASSIGN_OR_RETURN(const Shape in, SpatialSizes(input));
  RETURN_IF_ERROR(CheckStated("in_channels", conv.in_channels, input[1], "input channels", input));
  RETURN_IF_ERROR(CheckChannels(input[1], conv.out_channels, conv.groups));
  ASSIGN_OR_RETURN(const std::vector<Window> windows,
                   WindowsOf(in.size(), conv.kernel, conv.stride, conv.padding, conv.dilation, false));
  Shape out = in;
  for (size_t i = 0; i < in.size(); ++i) {
    if (conv.same) {
      if (windows[i].stride != 1) {
        return base::InvalidField("same", absl::StrCat("needs stride 1: stride=", windows[i].stride));
      }
      if (!conv.padding.empty()) return base::InvalidField("padding", "cannot be given together with same");
    } else {
      ASSIGN_OR_RETURN(out[i], ConvolutionSize(in[i], windows[i]));
    }
  }
  return Expansion{Leaf(WithDimensions("Conv", in.size()), Convolution{.batch = input[0],
                                                                       .in_channels = input[1],
                                                                       .out_channels = conv.out_channels,
                                                                       .groups = conv.groups,
                                                                       .kernel = KernelOf(windows),
                                                                       .in_size = in,
                                                                       .out_size = out,
                                                                       .bias = conv.bias}),
                   WithSpatial(input[0], conv.out_channels, out)};
}

absl::StatusOr<Expansion> ExpandTransposedConvolution(const graph::TransposedConvolution& conv, const Shape& input) {
  ASSIGN_OR_RETURN(const Shape in, SpatialSizes(input));
  RETURN_IF_ERROR(CheckStated("in_channels", conv.in_channels, input[1], "input channels", input));
  RETURN_IF_ERROR(CheckChannels(input[1], conv.out_channels, conv.groups));
  ASSIGN_OR_RETURN(std::vector<Window> windows,
                   WindowsOf(in.size(), conv.kernel, conv.stride, conv.padding, conv.dilation, false));
  ASSIGN_OR_RETURN(const Shape added,
                   PerDimension("output_padding", conv.output_padding, in.size(), Shape(in.size(), 0), 0));
  Shape out = in;
  for (size_t i = 0; i < in.size(); ++i) {
    windows[i].output_padding = added[i];
    if (added[i] > 0 && added[i] >= std::max(windows[i].stride, windows[i].dilation)) {
      return base::InvalidField("output_padding",
                                absl::StrCat("must be less than the stride or the dilation: output_padding=", added[i],
                                             " stride=", windows[i].stride));
    }
    ASSIGN_OR_RETURN(out[i], TransposedSize(in[i], windows[i]));
  }
  return Expansion{Leaf(WithDimensions("ConvTranspose", in.size()), Convolution{.batch = input[0],
                                                                                .in_channels = input[1],
                                                                                .out_channels = conv.out_channels,
                                                                                .groups = conv.groups,
                                                                                .kernel = KernelOf(windows),
                                                                                .in_size = in,
                                                                                .out_size = out,
                                                                                .bias = conv.bias,
                                                                                .transposed = true}),
                   WithSpatial(input[0], conv.out_channels, out)};
}

absl::StatusOr<Expansion> ExpandPool(const graph::Pool& pool, const Shape& input) {
  ASSIGN_OR_RETURN(const Shape in, SpatialSizes(input));
  ASSIGN_OR_RETURN(const std::vector<Window> windows,
                   WindowsOf(in.size(), pool.kernel, pool.stride, pool.padding, pool.dilation, true));
  if (pool.kind == graph::PoolKind::kAverage && !pool.dilation.empty()) {
    return base::InvalidField("dilation", "is for MAX only");
  }
  Shape out = in;
  for (size_t i = 0; i < in.size(); ++i) {
    if (windows[i].padding > windows[i].kernel / 2) {
      return base::InvalidField("padding", absl::StrCat("must be at most half the kernel: padding=", windows[i].padding,
                                                        " kernel=", windows[i].kernel));
    }
    ASSIGN_OR_RETURN(out[i], PoolSize(in[i], windows[i], pool.ceil_mode));
  }
  ASSIGN_OR_RETURN(const int64_t window, ElementsOf(KernelOf(windows)));
  ASSIGN_OR_RETURN(const int64_t in_elements, ElementsOf(input));
  Shape output = WithSpatial(input[0], input[1], out);
  ASSIGN_OR_RETURN(const int64_t out_elements, ElementsOf(output));
  const char* name = pool.kind == graph::PoolKind::kMax ? "MaxPool" : "AvgPool";
  return Pooled(WithDimensions(name, in.size()), pool.kind, in_elements, out_elements, window, std::move(output));
}

absl::StatusOr<Expansion> ExpandAdaptivePool(const graph::AdaptivePool& pool, const Shape& input) {
  ASSIGN_OR_RETURN(const Shape in, SpatialSizes(input));
  ASSIGN_OR_RETURN(const Shape out, PerDimension("output_size", pool.output_size, in.size(), {}, 1));
  int64_t window = 1;
  for (size_t i = 0; i < in.size(); ++i) window *= CeilDivide(in[i], out[i]);  // At most the input's elements.
  ASSIGN_OR_RETURN(const int64_t in_elements, ElementsOf(input));
  Shape output = WithSpatial(input[0], input[1], out);
  ASSIGN_OR_RETURN(const int64_t out_elements, ElementsOf(output));
  const char* name = pool.kind == graph::PoolKind::kMax ? "AdaptiveMaxPool" : "AdaptiveAvgPool";
  return Pooled(WithDimensions(name, in.size()), pool.kind, in_elements, out_elements, window, std::move(output));
}

absl::StatusOr<Expansion> ExpandGlobalPool(const graph::GlobalPool& pool, const Shape& input) {
  ASSIGN_OR_RETURN(const Shape in, SpatialSizes(input));
  ASSIGN_OR_RETURN(const int64_t in_elements, ElementsOf(input));
  ASSIGN_OR_RETURN(const int64_t window, ElementsOf(in));
  Shape output = {input[0], input[1]};
  if (pool.keep_dimensions) output.resize(input.size(), 1);
  const char* name = pool.kind == graph::PoolKind::kMax ? "GlobalMaxPool" : "GlobalAvgPool";
  return Pooled(WithDimensions(name, in.size()), pool.kind, in_elements, input[0] * input[1], window,
                std::move(output));
}

absl::StatusOr<Expansion> ExpandUpsample(const graph::Upsample& upsample, const Shape& input) {
  ASSIGN_OR_RETURN(const Shape in, SpatialSizes(input));
  if (upsample.size.empty() == upsample.scale.empty()) {
    return base::InvalidField("size", "must be given, or else scale, and not both");
  }
  Shape out = in;
  if (upsample.scale.empty()) {
    ASSIGN_OR_RETURN(out, PerDimension("size", upsample.size, in.size(), {}, 1));
  } else {
    if (upsample.scale.size() != 1 && upsample.scale.size() != in.size()) {
      return base::InvalidField(
          "scale", absl::StrCat("must have one value or one for each spatial dimension of the input: values=",
                                upsample.scale.size(), " dimensions=", in.size()));
    }
    for (size_t i = 0; i < in.size(); ++i) {
      const double scale = upsample.scale[upsample.scale.size() == 1 ? 0 : i];
      if (!(scale > 0 && scale <= 65536)) {  // Also true for NaN.
        return base::InvalidField("scale", absl::StrCat("must be above 0 and at most 65536: scale=", scale));
      }
      const double size = std::floor(static_cast<double>(in[i]) * scale);
      if (size < 1 || size > static_cast<double>(kMaxLayerSize)) {
        return Mismatch(absl::StrCat("has an output without a valid size: size=", in[i], " scale=", scale));
      }
      out[i] = static_cast<int64_t>(size);
    }
  }
  if (upsample.mode == graph::UpsampleMode::kBicubic && in.size() != 2) {
    return Mismatch(absl::StrCat("expects two spatial dimensions, since it is bicubic: shape=", ShapeText(input)));
  }
  const bool linear = upsample.mode == graph::UpsampleMode::kLinear;
  // Every output is a weighted sum of its neighbours: two a dimension, four for bicubic, which needs a product for each
  // and the sums between them.
  const int64_t neighbours = linear ? int64_t{1} << in.size() : 16;
  const bool nearest = upsample.mode == graph::UpsampleMode::kNearest;
  Shape output = WithSpatial(input[0], input[1], out);
  ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(output));
  return Expansion{Leaf("Upsample", Elementwise{nearest  ? "upsample_nearest"
                                                : linear ? "upsample_linear"
                                                         : "upsample_bicubic",
                                                elements, nearest ? 0 : 2 * neighbours - 1, 0}),
                   std::move(output)};
}

}  // namespace planner::model
