// Stand-ins for convolutions, norms, pooling, padding, resizing and embeddings.

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "plugins/libtorch/engine/meta/call.h"
#include "plugins/libtorch/engine/meta/families.h"
#include "plugins/libtorch/engine/rules/convolution_shape.h"

namespace planner::libtorch::meta {
namespace {

at::Tensor ConvolutionResult(const at::Tensor& input, const at::Tensor& weight, const Call& call) {
  const Sizes stride = call.Ints(3);
  const Sizes padding = call.Ints(4);
  const Sizes dilation = call.Ints(5);
  const Sizes output_padding = call.Ints(7);
  const ConvolutionGeometry geometry{.stride = stride,
                                     .padding = padding,
                                     .dilation = dilation,
                                     .output_padding = output_padding,
                                     .transposed = call.Bool(6),
                                     .groups = call.Int(8)};
  const auto sizes = ConvolutionOutput({input.sizes().data(), input.sizes().size()},
                                       {weight.sizes().data(), weight.sizes().size()}, geometry);
  if (!sizes.ok()) Refuse(std::string(sizes.status().message()));
  if (input.scalar_type() != weight.scalar_type()) {
    Refuse(std::string("Input type (") + c10::toString(input.scalar_type()) + ") and weight type (" +
           c10::toString(weight.scalar_type()) + ") should be the same");
  }
  if (IsChannelsLast(input) || IsChannelsLast(weight)) {
    const auto format = sizes->size() == 5 ? c10::MemoryFormat::ChannelsLast3d : c10::MemoryFormat::ChannelsLast;
    if (sizes->size() == 4 || sizes->size() == 5) return at::empty(*sizes, On(input).memory_format(format));
  }
  return Empty(*sizes, input);
}

void Convolution(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(ConvolutionResult(call.Tensor(0), call.Tensor(1), call));
}

/// Which gradients are wanted is argument kMask.
template <size_t kMask>
void ConvolutionBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor grad = call.Tensor(0);
  const std::vector<bool> mask = call.Bools(kMask);
  const at::Tensor input = If(mask[0], call.Tensor(1));
  const at::Tensor weight = If(mask[1], call.Tensor(2));
  const at::Tensor bias = mask[2] ? Empty({grad.size(1)}, grad) : at::Tensor();
  call.Return(input, weight, bias);
}

void NativeBatchNorm(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  if (input.dim() < 2) Refuse("Expected more than 1 dimension for batch normalization");
  const at::Tensor weight = call.Tensor(1);
  if (weight.defined() && weight.numel() != input.size(1)) {
    Refuse("weight should contain " + std::to_string(input.size(1)) + " elements not " +
           std::to_string(weight.numel()));
  }
  const at::Tensor running_mean = call.Tensor(3);
  if (running_mean.defined() && running_mean.numel() != input.size(1)) {
    Refuse("running_mean should contain " + std::to_string(input.size(1)) + " elements not " +
           std::to_string(running_mean.numel()));
  }
  const Sizes statistics = {call.Bool(5) ? input.size(1) : 0};
  call.Return(EmptyLike(input), Empty(statistics, input), Empty(statistics, input));
}

/// The gradients of a norm of argument 1, its weights and its biases, of which those of argument 9 are wanted.
void ReturnNormGradients(Call& call, int64_t channels) {
  const at::Tensor input = call.Tensor(1);
  const std::vector<bool> mask = call.Bools(9);
  call.Return(If(mask[0], input), mask[1] ? Empty({channels}, input) : at::Tensor(),
              mask[2] ? Empty({channels}, input) : at::Tensor());
}

void NativeBatchNormBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  ReturnNormGradients(call, call.Tensor(1).size(1));
}

void NativeLayerNormBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(1);
  const at::Tensor weight = call.Tensor(5);
  const at::Tensor bias = call.Tensor(6);
  const std::vector<bool> mask = call.Bools(7);
  call.Return(If(mask[0], input), If(mask[1], weight), If(mask[2], bias.defined() ? bias : weight));
}

void NativeGroupNorm(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes statistics = {call.Int(3), call.Int(6)};
  call.Return(at::empty(input.sizes(), On(input)), Empty(statistics, input), Empty(statistics, input));
}

void NativeGroupNormBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  ReturnNormGradients(call, call.Int(6));
}

/// Its sizes with `last` as the last of them.
Sizes WithLast(const at::Tensor& input, const Sizes& last, const char* what) {
  Sizes sizes = input.sizes().vec();
  if (last.size() > sizes.size()) Refuse(std::string(what) + ": the input has too few dimensions");
  std::copy(last.begin(), last.end(), sizes.end() - static_cast<std::ptrdiff_t>(last.size()));
  return sizes;
}

void AdaptivePool(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = WithLast(input, call.Ints(1), "adaptive pooling");
  if (sizes.size() == 4 && IsChannelsLast(input)) {
    call.Return(at::empty(sizes, On(input).memory_format(c10::MemoryFormat::ChannelsLast)));
    return;
  }
  call.Return(Empty(sizes, input));
}

void MaxPool3d(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes kernel = call.Ints(1);
  const Sizes stride = call.Ints(2);
  const Sizes padding = call.Ints(3);
  const Sizes dilation = call.Ints(4);
  Sizes sizes = input.sizes().vec();
  if (sizes.size() < 4) Refuse("non-empty 4D or 5D (batch mode) tensor expected for input");
  for (size_t i = 0; i < 3; ++i) {
    int64_t& size = sizes[sizes.size() - 3 + i];
    size = PooledSize(size, At(kernel, i, 1), At(padding, i, 0), At(stride, i, At(kernel, i, 1)), At(dilation, i, 1),
                      call.Bool(5));
    if (size <= 0) Refuse("max_pool3d: the output size is too small");
  }
  call.Return(Empty(sizes, input), Indices(sizes));
}

template <size_t kDimensions>
void Pad(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes padding = call.Ints(1);
  Sizes sizes = input.sizes().vec();
  for (size_t i = 0; i < kDimensions; ++i) sizes[sizes.size() - 1 - i] += padding.at(2 * i) + padding.at(2 * i + 1);
  call.Return(Empty(sizes, input));
}

void MaxUnpool(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  call.Return(Empty(WithLast(input, call.Ints(2), "max_unpool"), input));
}

void EmbeddingDenseBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor grad = call.Tensor(0);
  call.Return(Empty({call.Int(2), grad.size(-1)}, grad));
}

void Im2Col(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes kernel = call.Ints(1);
  Sizes sizes = input.sizes().vec();
  if (sizes.size() < 3) Refuse("im2col: Expected 3D or 4D (batch mode) tensor");
  const size_t first = sizes.size() - 3;
  int64_t columns = 1;
  for (size_t i = 0; i < 2; ++i) {
    columns *= PooledSize(sizes[first + 1 + i], At(kernel, i, 1), At(call.Ints(3), i, 0), At(call.Ints(4), i, 1),
                          At(call.Ints(2), i, 1), false);
  }
  Sizes result(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(first));
  result.push_back(sizes[first] * At(kernel, 0, 1) * At(kernel, 1, 1));
  result.push_back(columns);
  call.Return(Empty(result, input));
}

void Col2Im(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes kernel = call.Ints(2);
  Sizes sizes = input.sizes().vec();
  sizes.pop_back();
  if (sizes.empty()) Refuse("col2im: Expected 2D or 3D (batch mode) tensor");
  sizes.back() /= At(kernel, 0, 1) * At(kernel, 1, 1);
  for (const int64_t size : call.Ints(1)) sizes.push_back(size);
  call.Return(Empty(sizes, input));
}

/// _embedding_bag(weight, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset, …)
void EmbeddingBag(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor weight = call.Tensor(0);
  const at::Tensor indices = call.Tensor(1);
  const int64_t bags = call.Tensor(2).size(0) - (call.Bool(7) ? 1 : 0);
  call.Return(Empty({bags, weight.size(1)}, weight), Indices({indices.numel()}), Indices({bags}), Indices({bags}));
}

void EmbeddingBagBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor grad = call.Tensor(0);
  call.Return(Empty({call.Int(5), grad.size(1)}, grad));
}

/// upsample_nearest3d.vec(input, output_size, scale_factors)
void UpsampleNearest3d(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  Sizes sizes = input.sizes().vec();
  for (size_t i = 0; i < 3 && sizes.size() == 5; ++i) {
    if (!call[1].isNone()) {
      sizes[2 + i] = call.Ints(1).at(i);
    } else {
      sizes[2 + i] = static_cast<int64_t>(static_cast<double>(sizes[2 + i]) * call[2].toDoubleVector().at(i));
    }
  }
  call.Return(Empty(sizes, input));
}

void UpsampleNearest3dBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Empty(call.Ints(2), call.Tensor(0)));
}

}  // namespace

void AddLayers(KernelTable& table) {
  table.insert({
      {"aten::convolution", &Convolution},
      {"aten::_convolution", &Convolution},
      {"aten::convolution_overrideable", &Convolution},
      {"aten::convolution_backward", &ConvolutionBackward<10>},
      {"aten::convolution_backward_overrideable", &ConvolutionBackward<9>},
      {"aten::native_batch_norm", &NativeBatchNorm},
      {"aten::native_batch_norm_backward", &NativeBatchNormBackward},
      {"aten::native_layer_norm_backward", &NativeLayerNormBackward},
      {"aten::native_group_norm", &NativeGroupNorm},
      {"aten::native_group_norm_backward", &NativeGroupNormBackward},
      {"aten::im2col", &Im2Col},
      {"aten::col2im", &Col2Im},
      {"aten::_embedding_bag", &EmbeddingBag},
      {"aten::_embedding_bag_forward_only", &EmbeddingBag},
      {"aten::_embedding_bag_dense_backward", &EmbeddingBagBackward},
      {"aten::upsample_nearest3d.vec", &UpsampleNearest3d},
      {"aten::_upsample_nearest_exact3d.vec", &UpsampleNearest3d},
      {"aten::upsample_nearest3d_backward.vec", &UpsampleNearest3dBackward},
      {"aten::_upsample_nearest_exact3d_backward.vec", &UpsampleNearest3dBackward},
      {"aten::_adaptive_avg_pool2d", &AdaptivePool},
      {"aten::_adaptive_avg_pool3d", &AdaptivePool},
      {"aten::_adaptive_avg_pool2d_backward", &Same<1>},
      {"aten::_adaptive_avg_pool3d_backward", &Same<1>},
      {"aten::max_pool3d_with_indices", &MaxPool3d},
      {"aten::max_pool3d_with_indices_backward", &Same<1>},
      {"aten::fractional_max_pool3d_backward", &Same<1>},
      {"aten::max_unpool2d", &MaxUnpool},
      {"aten::max_unpool3d", &MaxUnpool},
      {"aten::reflection_pad2d", &Pad<2>},
      {"aten::reflection_pad1d_backward", &Same<1>},
      {"aten::reflection_pad2d_backward", &Same<1>},
      {"aten::reflection_pad3d_backward", &Same<1>},
      {"aten::replication_pad1d_backward", &Same<1>},
      {"aten::replication_pad2d_backward", &Same<1>},
      {"aten::replication_pad3d_backward", &Same<1>},
      {"aten::embedding_dense_backward", &EmbeddingDenseBackward},
      {"aten::_weight_norm_interface", &SameTwo<0, 1>},
      {"aten::_weight_norm_interface_backward", &SameTwo<1, 2>},
  });
}

}  // namespace planner::libtorch::meta
