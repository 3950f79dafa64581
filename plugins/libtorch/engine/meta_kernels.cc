#include "plugins/libtorch/engine/meta_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <torch/library.h>

#include "plugins/libtorch/engine/rules/convolution_shape.h"

namespace planner::libtorch {
namespace {

using Stack = torch::jit::Stack;
using Sizes = std::vector<int64_t>;

/// The arguments of one call; Return replaces them by the results.
class Call {
 public:
  Call(Stack& stack, size_t count) : stack_(stack), first_(stack.size() - count), count_(count) {}

  size_t count() const { return count_; }
  const c10::IValue& operator[](size_t index) const { return stack_[first_ + index]; }
  /// Undefined where None was given.
  at::Tensor Tensor(size_t index) const {
    const c10::IValue& value = (*this)[index];
    return value.isTensor() ? value.toTensor() : at::Tensor();
  }
  int64_t Int(size_t index) const { return (*this)[index].toInt(); }
  bool Bool(size_t index) const { return (*this)[index].toBool(); }
  Sizes Ints(size_t index) const {
    const c10::IValue& value = (*this)[index];
    if (value.isNone()) return {};
    if (value.isInt()) return {value.toInt()};
    return value.toIntVector();
  }
  std::vector<bool> Bools(size_t index) const {
    std::vector<bool> flags;
    for (const bool flag : (*this)[index].toBoolList()) flags.push_back(flag);
    return flags;
  }

  template <typename... Results>
  void Return(Results&&... results) {
    stack_.resize(first_);
    (stack_.emplace_back(std::forward<Results>(results)), ...);
  }

 private:
  Stack& stack_;
  size_t first_;
  size_t count_;
};

[[noreturn]] void Refuse(const std::string& text) { throw std::runtime_error(text); }

at::TensorOptions On(const at::Tensor& like) { return at::TensorOptions().dtype(like.dtype()).device(c10::kMeta); }

at::Tensor Empty(const Sizes& sizes, const at::Tensor& like) { return at::empty(sizes, On(like)); }

at::Tensor EmptyLike(const at::Tensor& like) { return at::empty_like(like, at::TensorOptions().device(c10::kMeta)); }

at::Tensor Indices(const Sizes& sizes) {
  return at::empty(sizes, at::TensorOptions().dtype(at::kLong).device(c10::kMeta));
}

/// `tensor` like the one at `index`, or undefined where the mask leaves it out.
at::Tensor If(bool wanted, const at::Tensor& like) { return wanted && like.defined() ? EmptyLike(like) : at::Tensor(); }

int64_t At(const Sizes& list, size_t index, int64_t otherwise) {
  if (list.empty()) return otherwise;
  return list.size() == 1 ? list[0] : list.at(index);
}

bool IsChannelsLast(const at::Tensor& tensor) {
  const c10::MemoryFormat format = tensor.suggest_memory_format();
  return format == c10::MemoryFormat::ChannelsLast || format == c10::MemoryFormat::ChannelsLast3d;
}

// ------------------------------------------------------------------------------------------------- element-wise and alike

template <size_t kIndex>
void Same(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(EmptyLike(call.Tensor(kIndex)));
}

/// Like the argument, real where it is complex.
void RealSame(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor self = call.Tensor(0);
  call.Return(
      at::empty_like(self, at::TensorOptions().dtype(c10::toRealValueType(self.scalar_type())).device(c10::kMeta)));
}

/// In place: the result is the argument itself.
template <size_t kIndex>
void Itself(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(call.Tensor(kIndex));
}

template <size_t kIndex>
void SameIndices(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Indices(call.Tensor(kIndex).sizes().vec()));
}

/// Two results, each like an argument.
template <size_t kFirst, size_t kSecond>
void SameTwo(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor first = call.Tensor(kFirst);
  const at::Tensor second = call.Tensor(kSecond);
  call.Return(EmptyLike(first), EmptyLike(second));
}

/// set_(self, source) with a storage: all of it, as a vector.
void SetStorage(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor self = call.Tensor(0);
  c10::Storage storage = call[1].toStorage();
  const auto elements = static_cast<int64_t>(storage.nbytes() / std::max<size_t>(self.itemsize(), 1));
  self.unsafeGetTensorImpl()->set_storage_keep_dtype(std::move(storage));
  self.unsafeGetTensorImpl()->set_sizes_contiguous({elements});
  call.Return(self);
}

void Nothing(Stack& stack, size_t count) { Call(stack, count).Return(); }

void False(Stack& stack, size_t count) { Call(stack, count).Return(false); }

at::ScalarType TypeOf(const at::Tensor& left, const at::Tensor& right) {
  return right.defined() ? at::result_type(left, right) : left.scalar_type();
}

at::Tensor OfType(const Sizes& sizes, at::ScalarType type) {
  return at::empty(sizes, at::TensorOptions().dtype(type).device(c10::kMeta));
}

Sizes Broadcast(const at::Tensor& left, const at::Tensor& right) {
  return right.defined() ? Sizes(at::infer_size(left.sizes(), right.sizes())) : left.sizes().vec();
}

/// An element-wise operator of two tensors, the second of which may be a number.
void Binary(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor left = call.Tensor(0);
  const at::Tensor right = call.Tensor(1);
  call.Return(OfType(Broadcast(left, right), TypeOf(left, right)));
}

void Where(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor chosen = call.Tensor(1);
  const at::Tensor other = call.Tensor(2);
  const Sizes both = Broadcast(chosen, other);
  call.Return(OfType(Sizes(at::infer_size(both, call.Tensor(0).sizes())), TypeOf(chosen, other)));
}

void BinaryBool(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(OfType(Broadcast(call.Tensor(0), call.Tensor(1)), at::kBool));
}

/// complex(real, imag), polar(abs, angle)
void Complex(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor real = call.Tensor(0);
  call.Return(OfType(Broadcast(real, call.Tensor(1)), c10::toComplexType(real.scalar_type())));
}

void Diag(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const int64_t offset = call.Int(1);
  const int64_t shift = std::abs(offset);
  if (input.dim() == 1) {
    call.Return(Empty({input.size(0) + shift, input.size(0) + shift}, input));
    return;
  }
  const int64_t rows = input.size(0) + std::min<int64_t>(offset, 0);
  const int64_t columns = input.size(1) - std::max<int64_t>(offset, 0);
  call.Return(Empty({std::max<int64_t>(std::min(rows, columns), 0)}, input));
}

void SameBool(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(OfType(call.Tensor(0).sizes().vec(), at::kBool));
}

// ------------------------------------------------------------------------------------------------------------ convolution

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

void ConvolutionBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor grad = call.Tensor(0);
  const std::vector<bool> mask = call.Bools(10);
  const at::Tensor input = If(mask[0], call.Tensor(1));
  const at::Tensor weight = If(mask[1], call.Tensor(2));
  const at::Tensor bias = mask[2] ? Empty({grad.size(1)}, grad) : at::Tensor();
  call.Return(input, weight, bias);
}

void ConvolutionBackwardOverrideable(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor grad = call.Tensor(0);
  const std::vector<bool> mask = call.Bools(9);
  const at::Tensor input = If(mask[0], call.Tensor(1));
  const at::Tensor weight = If(mask[1], call.Tensor(2));
  const at::Tensor bias = mask[2] ? Empty({grad.size(1)}, grad) : at::Tensor();
  call.Return(input, weight, bias);
}

// ------------------------------------------------------------------------------------------------------------------ norms

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

void NativeBatchNormBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(1);
  const std::vector<bool> mask = call.Bools(9);
  const Sizes channels = {input.size(1)};
  call.Return(If(mask[0], input), mask[1] ? Empty(channels, input) : at::Tensor(),
              mask[2] ? Empty(channels, input) : at::Tensor());
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
  const at::Tensor input = call.Tensor(1);
  const Sizes channels = {call.Int(6)};
  const std::vector<bool> mask = call.Bools(9);
  call.Return(If(mask[0], input), mask[1] ? Empty(channels, input) : at::Tensor(),
              mask[2] ? Empty(channels, input) : at::Tensor());
}

// ---------------------------------------------------------------------------------------------------------------- pooling

void AdaptivePool(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes size = call.Ints(1);
  Sizes sizes = input.sizes().vec();
  if (size.size() > sizes.size()) Refuse("adaptive pooling: the input has too few dimensions");
  std::copy(size.begin(), size.end(), sizes.end() - static_cast<std::ptrdiff_t>(size.size()));
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
  const Sizes size = call.Ints(2);
  Sizes sizes = input.sizes().vec();
  if (size.size() > sizes.size()) Refuse("max_unpool: the input has too few dimensions");
  std::copy(size.begin(), size.end(), sizes.end() - static_cast<std::ptrdiff_t>(size.size()));
  call.Return(Empty(sizes, input));
}

// --------------------------------------------------------------------------------------------------- sampling and indexing

void GridSampler(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const at::Tensor grid = call.Tensor(1);
  Sizes sizes = {input.size(0), input.size(1)};
  for (int64_t i = 1; i + 1 < grid.dim(); ++i) sizes.push_back(grid.size(i));
  call.Return(Empty(sizes, input));
}

void GridSamplerBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  const std::vector<bool> mask = call.Bools(6);
  const at::Tensor input = call.Tensor(1);
  const at::Tensor grid = call.Tensor(2);
  call.Return(If(mask[0], input), If(mask[1], grid));
}

void EmbeddingDenseBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor grad = call.Tensor(0);
  call.Return(Empty({call.Int(2), grad.size(-1)}, grad));
}

void RepeatInterleave(Stack& stack, size_t count) {
  Call call(stack, count);
  if (call[1].isNone()) Refuse("repeat_interleave needs the values of its repeats: its output size is not given");
  call.Return(Indices({call.Int(1)}));
}

void UnfoldBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Empty(call.Ints(1), call.Tensor(0)));
}

void Take(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Empty(call.Tensor(1).sizes().vec(), call.Tensor(0)));
}

void Multinomial(Stack& stack, size_t count) {
  Call call(stack, count);
  Sizes sizes = call.Tensor(0).sizes().vec();
  sizes.back() = call.Int(1);
  call.Return(Indices(sizes));
}

Sizes Reduced(const at::Tensor& tensor, int64_t dimension, bool keep) {
  Sizes sizes = tensor.sizes().vec();
  if (sizes.empty()) return sizes;
  const auto at = static_cast<size_t>(at::maybe_wrap_dim(dimension, tensor.dim()));
  if (keep) {
    sizes[at] = 1;
  } else {
    sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return sizes;
}

/// median(self, dim, keepdim), mode(self, dim, keepdim)
void ValuesAndIndices(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = Reduced(input, call.Int(1), call.Bool(2));
  call.Return(Empty(sizes, input), Indices(sizes));
}

/// kthvalue(self, k, dim, keepdim)
void KthValue(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = Reduced(input, call.Int(2), call.Bool(3));
  call.Return(Empty(sizes, input), Indices(sizes));
}

void Scalar(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Empty({}, call.Tensor(0)));
}

/// Sizes without the dimensions of `dimensions`; none named: all.
Sizes ReducedOver(const at::Tensor& tensor, const Sizes& dimensions, bool keep) {
  std::vector<bool> gone(static_cast<size_t>(tensor.dim()), dimensions.empty());
  for (const int64_t dimension : dimensions)
    gone[static_cast<size_t>(at::maybe_wrap_dim(dimension, tensor.dim()))] = true;
  Sizes sizes;
  for (size_t i = 0; i < gone.size(); ++i) {
    if (!gone[i]) {
      sizes.push_back(tensor.size(static_cast<int64_t>(i)));
    } else if (keep) {
      sizes.push_back(1);
    }
  }
  return sizes;
}

/// var(self, dim, correction, keepdim)
void Variance(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  call.Return(Empty(ReducedOver(input, call.Ints(1), call.Bool(3)), input));
}

void VarianceAndMean(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = ReducedOver(input, call.Ints(1), call.Bool(3));
  call.Return(Empty(sizes, input), Empty(sizes, input));
}

/// nansum(self, dim, keepdim)
void Sum(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  call.Return(Empty(ReducedOver(input, call.Ints(1), call.Bool(2)), input));
}

void CountNonzero(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Indices(ReducedOver(call.Tensor(0), call.Ints(1), false)));
}

void IndexSelect(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const at::Tensor index = call.Tensor(2);
  if (!at::isIntegralType(index.scalar_type(), false)) {
    Refuse(std::string("Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, "
                       "Int; but got ") +
           c10::toString(index.scalar_type()));
  }
  Sizes sizes = input.sizes().vec();
  if (!sizes.empty()) sizes[static_cast<size_t>(at::maybe_wrap_dim(call.Int(1), input.dim()))] = index.numel();
  call.Return(Empty(sizes, input));
}

/// Values are unknown: everything is taken to be selected, which the caller is told.
void MaskedSelect(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  int64_t elements = 1;
  for (const int64_t size : Broadcast(input, call.Tensor(1))) elements *= size;
  call.Return(Empty({elements}, input));
}

void Nonzero(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  call.Return(Indices({input.numel(), input.dim()}));
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

void Addbmm(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor left = call.Tensor(1);
  call.Return(Empty({left.size(1), call.Tensor(2).size(2)}, left));
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

/// _fft_r2c(self, dim, normalization, onesided)
void FftRealToComplex(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  Sizes sizes = input.sizes().vec();
  const Sizes dimensions = call.Ints(1);
  if (call.Bool(3) && !dimensions.empty()) {
    int64_t& last = sizes[static_cast<size_t>(at::maybe_wrap_dim(dimensions.back(), input.dim()))];
    last = last / 2 + 1;
  }
  call.Return(OfType(sizes, c10::toComplexType(input.scalar_type())));
}

/// _fft_c2r(self, dim, normalization, last_dim_size)
void FftComplexToReal(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  Sizes sizes = input.sizes().vec();
  const Sizes dimensions = call.Ints(1);
  if (!dimensions.empty()) sizes[static_cast<size_t>(at::maybe_wrap_dim(dimensions.back(), input.dim()))] = call.Int(3);
  call.Return(OfType(sizes, c10::toRealValueType(input.scalar_type())));
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

// ----------------------------------------------------------------------------------------------------------------- losses

constexpr int64_t kNoReduction = 0;

/// A loss of two tensors whose reduction is argument kReduction.
template <size_t kReduction>
void Loss(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  call.Return(Empty(call.Int(kReduction) == kNoReduction ? Broadcast(input, call.Tensor(1)) : Sizes(), input));
}

void NllLoss2d(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = call.Int(3) == kNoReduction ? call.Tensor(1).sizes().vec() : Sizes();
  call.Return(Empty(sizes, input), Empty({}, input));
}

/// multi_margin_loss(self, target, p, margin, weight, reduction)
void MultiMarginLoss(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = call.Int(5) == kNoReduction ? call.Tensor(1).sizes().vec() : Sizes();
  call.Return(Empty(sizes, input));
}

/// multilabel_margin_loss_forward(self, target, reduction)
void MultilabelMarginLoss(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = call.Int(2) == kNoReduction && input.dim() > 1 ? Sizes{input.size(0)} : Sizes();
  call.Return(Empty(sizes, input), EmptyLike(input));
}

/// _ctc_loss(log_probs, targets, input_lengths, target_lengths, …) with lists of lengths
void CtcLoss(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor probabilities = call.Tensor(0);
  int64_t longest = 0;
  if (call[3].isIntList()) {
    for (const int64_t length : call[3].toIntVector()) longest = std::max(longest, length);
  } else {
    longest = call.Tensor(1).dim() == 2 ? call.Tensor(1).size(1) : call.Tensor(1).size(0);
  }
  const int64_t samples = probabilities.size(1);
  call.Return(Empty({samples}, probabilities), Empty({samples, probabilities.size(0), 2 * longest + 1}, probabilities));
}

// -------------------------------------------------------------------------------------------------------------- distances

void CdistForward(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor left = call.Tensor(0);
  const at::Tensor right = call.Tensor(1);
  Sizes sizes = at::infer_size(left.sizes().slice(0, static_cast<size_t>(left.dim() - 2)),
                               right.sizes().slice(0, static_cast<size_t>(right.dim() - 2)));
  sizes.push_back(left.size(-2));
  sizes.push_back(right.size(-2));
  call.Return(Empty(sizes, left));
}

/// linalg_solve_triangular(A, B, upper, left, unitriangular): like B, over the batches of both.
void SolveTriangular(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor matrix = call.Tensor(0);
  const at::Tensor right = call.Tensor(1);
  Sizes sizes = at::infer_size(matrix.sizes().slice(0, static_cast<size_t>(matrix.dim() - 2)),
                               right.sizes().slice(0, static_cast<size_t>(right.dim() - 2)));
  sizes.push_back(right.size(-2));
  sizes.push_back(right.size(-1));
  call.Return(Empty(sizes, right));
}

void PdistForward(Stack& stack, size_t count) {
  Call call(stack, count);
  const int64_t rows = call.Tensor(0).size(0);
  call.Return(Empty({rows * (rows - 1) / 2}, call.Tensor(0)));
}

const std::unordered_map<std::string, MetaKernel>& Kernels() {
  static const auto& kernels = *new std::unordered_map<std::string, MetaKernel>{
      {"aten::convolution", &Convolution},
      {"aten::_convolution", &Convolution},
      {"aten::convolution_overrideable", &Convolution},
      {"aten::convolution_backward", &ConvolutionBackward},
      {"aten::convolution_backward_overrideable", &ConvolutionBackwardOverrideable},
      {"aten::native_batch_norm", &NativeBatchNorm},
      {"aten::native_batch_norm_backward", &NativeBatchNormBackward},
      {"aten::native_layer_norm_backward", &NativeLayerNormBackward},
      {"aten::native_group_norm", &NativeGroupNorm},
      {"aten::native_group_norm_backward", &NativeGroupNormBackward},
      {"aten::set_.source_Storage", &SetStorage},
      {"aten::relu", &Same<0>},
      {"aten::relu_", &Itself<0>},
      {"aten::hardtanh_backward", &Same<1>},
      {"aten::hardswish", &Same<0>},
      {"aten::hardtanh", &Same<0>},
      {"aten::angle", &RealSame},
      {"aten::logit", &Same<0>},
      {"aten::flip", &Same<0>},
      {"aten::_fft_c2c", &Same<0>},
      {"aten::abs", &RealSame},
      {"aten::linalg_solve_triangular", &SolveTriangular},
      {"aten::cholesky", &Same<0>},
      {"aten::cholesky_inverse", &Same<0>},
      {"aten::binomial", &Same<0>},
      {"aten::__lshift__", &Same<0>},
      {"aten::__rshift__", &Same<0>},
      {"aten::linalg_matrix_exp", &Same<0>},
      {"aten::hardswish_", &Itself<0>},
      {"aten::hardtanh_", &Itself<0>},
      {"aten::logit_", &Itself<0>},
      {"aten::abs_", &Itself<0>},
      {"aten::hardswish_backward", &Same<1>},
      {"aten::mse_loss_backward", &Same<1>},
      {"aten::binary_cross_entropy_backward", &Same<1>},
      {"aten::glu_backward", &Same<1>},
      {"aten::huber_loss_backward", &Same<1>},
      {"aten::remainder.Scalar_Tensor", &Same<1>},
      {"aten::isnan", &SameBool},
      {"aten::logical_not", &SameBool},
      {"aten::logical_and", &BinaryBool},
      {"aten::logical_or", &BinaryBool},
      {"aten::logical_xor", &BinaryBool},
      {"aten::logical_not_", &Itself<0>},
      {"aten::logical_and_", &Itself<0>},
      {"aten::logical_or_", &Itself<0>},
      {"aten::logical_xor_", &Itself<0>},
      {"aten::nan_to_num", &Same<0>},
      {"aten::nan_to_num_", &Itself<0>},
      {"aten::bernoulli", &Same<0>},
      {"aten::complex", &Complex},
      {"aten::polar", &Complex},
      {"aten::diag", &Diag},
      {"aten::smooth_l1_loss_backward", &Same<1>},
      {"aten::soft_margin_loss_backward", &Same<1>},
      {"aten::floor_divide", &Binary},
      {"aten::floor_divide_.Tensor", &Itself<0>},
      {"aten::rsub.Tensor", &Binary},
      {"aten::where.self", &Where},
      {"aten::argsort.stable", &SameIndices<0>},
      {"aten::dot", &Scalar},
      {"aten::vdot", &Scalar},
      {"aten::trace", &Scalar},
      {"aten::max.", &Scalar},
      {"aten::min.", &Scalar},
      {"aten::prod.", &Scalar},
      {"aten::var.correction", &Variance},
      {"aten::std.correction", &Variance},
      {"aten::var_mean.correction", &VarianceAndMean},
      {"aten::std_mean.correction", &VarianceAndMean},
      {"aten::nansum", &Sum},
      {"aten::count_nonzero.dim_IntList", &CountNonzero},
      {"aten::index_select", &IndexSelect},
      {"aten::masked_select", &MaskedSelect},
      {"aten::nonzero", &Nonzero},
      {"aten::im2col", &Im2Col},
      {"aten::col2im", &Col2Im},
      {"aten::addbmm", &Addbmm},
      {"aten::_embedding_bag", &EmbeddingBag},
      {"aten::_embedding_bag_forward_only", &EmbeddingBag},
      {"aten::_embedding_bag_dense_backward", &EmbeddingBagBackward},
      {"aten::_fft_r2c", &FftRealToComplex},
      {"aten::_fft_c2r", &FftComplexToReal},
      {"aten::upsample_nearest3d.vec", &UpsampleNearest3d},
      {"aten::_upsample_nearest_exact3d.vec", &UpsampleNearest3d},
      {"aten::upsample_nearest3d_backward.vec", &UpsampleNearest3dBackward},
      {"aten::_upsample_nearest_exact3d_backward.vec", &UpsampleNearest3dBackward},
      {"aten::huber_loss", &Loss<2>},
      {"aten::binary_cross_entropy", &Loss<3>},
      {"aten::roll", &Same<0>},
      {"aten::prelu", &Same<0>},
      {"aten::prelu_backward", &SameTwo<1, 2>},
      {"aten::_prelu_kernel", &Same<0>},
      {"aten::_prelu_kernel_backward", &SameTwo<1, 2>},
      {"aten::rrelu_with_noise", &Same<0>},
      {"aten::rrelu_with_noise_", &Itself<0>},
      {"aten::log_sigmoid_forward", &SameTwo<0, 0>},
      {"aten::log_sigmoid_backward", &Same<1>},
      {"aten::_masked_softmax", &Same<0>},
      {"aten::_masked_softmax_backward", &Same<0>},
      {"aten::_logcumsumexp", &Same<0>},
      {"aten::channel_shuffle", &Same<0>},
      {"aten::native_channel_shuffle", &Same<0>},
      {"aten::poisson", &Same<0>},
      {"aten::_standard_gamma", &Same<0>},
      {"aten::_standard_gamma_grad", &Same<0>},
      {"aten::_cummax_helper", &Nothing},
      {"aten::_cummin_helper", &Nothing},
      {"aten::_assert_async", &Nothing},
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
      {"aten::grid_sampler_2d", &GridSampler},
      {"aten::grid_sampler_3d", &GridSampler},
      {"aten::grid_sampler_2d_backward", &GridSamplerBackward},
      {"aten::grid_sampler_3d_backward", &GridSamplerBackward},
      {"aten::embedding_dense_backward", &EmbeddingDenseBackward},
      {"aten::repeat_interleave.Tensor", &RepeatInterleave},
      {"aten::unfold_backward", &UnfoldBackward},
      {"aten::take", &Take},
      {"aten::multinomial", &Multinomial},
      {"aten::bucketize.Tensor", &SameIndices<0>},
      {"aten::searchsorted.Tensor", &SameIndices<1>},
      {"aten::median.dim", &ValuesAndIndices},
      {"aten::nanmedian.dim", &ValuesAndIndices},
      {"aten::mode", &ValuesAndIndices},
      {"aten::kthvalue", &KthValue},
      {"aten::median", &Scalar},
      {"aten::nanmedian", &Scalar},
      {"aten::_weight_norm_interface", &SameTwo<0, 1>},
      {"aten::_weight_norm_interface_backward", &SameTwo<1, 2>},
      {"aten::nll_loss2d_forward", &NllLoss2d},
      {"aten::nll_loss2d_backward", &Same<1>},
      {"aten::multi_margin_loss", &MultiMarginLoss},
      {"aten::multi_margin_loss_backward", &Same<1>},
      {"aten::multilabel_margin_loss_forward", &MultilabelMarginLoss},
      {"aten::multilabel_margin_loss_backward", &Same<1>},
      {"aten::_ctc_loss", &CtcLoss},
      {"aten::_ctc_loss_backward", &Same<1>},
      {"aten::_cdist_forward", &CdistForward},
      {"aten::_cdist_backward", &Same<1>},
      {"aten::_pdist_forward", &PdistForward},
      {"aten::_pdist_backward", &Same<1>},
      // Padded batches stay padded: the count is that of the padded work.
      {"aten::_nested_tensor_from_mask", &Itself<0>},
      {"aten::_nested_tensor_from_mask_left_aligned", &False},
      {"aten::to_padded_tensor", &Itself<0>},
      {"aten::nested_to_padded_tensor", &Itself<0>},
  };
  return kernels;
}

}  // namespace

MetaKernel FindMetaKernel(const std::string& full_name, const std::string& overload) {
  const auto& kernels = Kernels();
  auto found = kernels.find(full_name + "." + overload);
  // Overloads that write to a given output ("out") have other arguments.
  if (found == kernels.end() && overload.find("out") == std::string::npos &&
      overload.find("grad_input") == std::string::npos) {
    found = kernels.find(full_name);
  }
  return found == kernels.end() ? nullptr : found->second;
}

}  // namespace planner::libtorch

namespace {

/// repeat_interleave with a number, which torch itself does with a tensor whose value a meta tensor has not.
at::Tensor RepeatInterleaveNumber(const at::Tensor& self, int64_t repeats, c10::optional<int64_t> dimension,
                                  c10::optional<int64_t>) {
  const at::Tensor input = dimension.has_value() ? self : self.flatten();
  const int64_t at = at::maybe_wrap_dim(dimension.value_or(0), input.dim());
  std::vector<int64_t> sizes = input.sizes().vec();
  sizes.insert(sizes.begin() + at + 1, repeats);
  return input.unsqueeze(at + 1).expand(sizes).flatten(at, at + 1);
}

/// Torch's own refuses indices on another device; here those that a model has as a buffer keep their values on the CPU.
at::Tensor TakeAlongDim(const at::Tensor& self, const at::Tensor& indices, c10::optional<int64_t> dimension) {
  if (!dimension.has_value()) return self.reshape(-1).gather(0, indices.reshape(-1));
  if (self.dim() != indices.dim()) {
    throw std::runtime_error("torch.take_along_dim(): input and indices should have the same number of dimensions");
  }
  const int64_t at = at::maybe_wrap_dim(*dimension, self.dim());
  std::vector<int64_t> of_self = self.sizes().vec();
  of_self[at] = indices.size(at);
  std::vector<int64_t> of_indices = indices.sizes().vec();
  of_indices[at] = self.size(at);
  return self.expand(at::infer_size(of_indices, self.sizes()))
      .gather(at, indices.expand(at::infer_size(of_self, indices.sizes())));
}

/// The fused attention of inference, by its parts: they are counted as they are elsewhere, and can be differentiated.
std::tuple<at::Tensor, at::Tensor> MultiHeadAttention(const at::Tensor& query, const at::Tensor& key,
                                                      const at::Tensor& value, int64_t width, int64_t heads,
                                                      const at::Tensor& input_weight, const at::Tensor& input_bias,
                                                      const at::Tensor& output_weight, const at::Tensor& output_bias,
                                                      const c10::optional<at::Tensor>& mask, bool need_weights,
                                                      bool average_weights, c10::optional<int64_t>) {
  std::vector<at::Tensor> projected;
  if (query.is_same(key) && key.is_same(value)) {
    projected = at::linear(query, input_weight, input_bias).chunk(3, -1);
  } else {
    const std::vector<at::Tensor> weights = input_weight.chunk(3);
    const std::vector<at::Tensor> biases = input_bias.chunk(3);
    projected = {at::linear(query, weights[0], biases[0]), at::linear(key, weights[1], biases[1]),
                 at::linear(value, weights[2], biases[2])};
  }
  const int64_t samples = query.size(0);
  auto by_head = [&](const at::Tensor& tensor) {
    return tensor.reshape({samples, tensor.size(1), heads, width / heads})
        .transpose(1, 2)
        .reshape({samples * heads, -1, width / heads});
  };
  const at::Tensor scale = by_head(projected[0]) / std::sqrt(static_cast<double>(width / heads));
  at::Tensor scores = at::bmm(scale, by_head(projected[1]).transpose(1, 2));
  if (mask.has_value()) scores = scores + at::zeros_like(scores);
  const at::Tensor weights = at::softmax(scores, -1);
  const at::Tensor mixed = at::bmm(weights, by_head(projected[2]));
  const at::Tensor joined =
      mixed.reshape({samples, heads, -1, width / heads}).transpose(1, 2).reshape({samples, -1, width});
  const at::Tensor output = at::linear(joined, output_weight, output_bias);
  if (!need_weights) return {output, at::Tensor()};
  const at::Tensor of_heads = weights.reshape({samples, heads, weights.size(1), weights.size(2)});
  return {output, average_weights ? of_heads.mean(at::IntArrayRef{1}) : of_heads};
}

at::Tensor TransformerEncoderLayer(const at::Tensor& source, int64_t width, int64_t heads,
                                   const at::Tensor& input_weight, const at::Tensor& input_bias,
                                   const at::Tensor& output_weight, const at::Tensor& output_bias, bool gelu,
                                   bool norm_first, double epsilon, const at::Tensor& norm_weight_1,
                                   const at::Tensor& norm_bias_1, const at::Tensor& norm_weight_2,
                                   const at::Tensor& norm_bias_2, const at::Tensor& weight_1, const at::Tensor& bias_1,
                                   const at::Tensor& weight_2, const at::Tensor& bias_2,
                                   const c10::optional<at::Tensor>& mask, c10::optional<int64_t>) {
  auto norm_1 = [&](const at::Tensor& x) { return at::layer_norm(x, {width}, norm_weight_1, norm_bias_1, epsilon); };
  auto norm_2 = [&](const at::Tensor& x) { return at::layer_norm(x, {width}, norm_weight_2, norm_bias_2, epsilon); };
  auto attention = [&](const at::Tensor& x) {
    return std::get<0>(MultiHeadAttention(x, x, x, width, heads, input_weight, input_bias, output_weight, output_bias,
                                          mask, false, false, c10::nullopt));
  };
  auto feed_forward = [&](const at::Tensor& x) {
    const at::Tensor hidden = at::linear(x, weight_1, bias_1);
    return at::linear(gelu ? at::gelu(hidden) : at::relu(hidden), weight_2, bias_2);
  };
  if (norm_first) {
    const at::Tensor x = source + attention(norm_1(source));
    return x + feed_forward(norm_2(x));
  }
  const at::Tensor x = norm_1(source + attention(source));
  return norm_2(x + feed_forward(x));
}

/// Torch's own looks at the largest class, even where their number is given.
at::Tensor OneHot(const at::Tensor& self, int64_t classes) {
  if (classes < 0) {
    throw std::runtime_error(
        "aten::one_hot without num_classes needs the values of a tensor, and a count has only shapes");
  }
  std::vector<int64_t> sizes = self.sizes().vec();
  sizes.push_back(classes);
  return at::zeros(sizes, self.options()).scatter_(-1, self.unsqueeze(-1), 1);
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, AutogradMeta, library) {
  library.impl("repeat_interleave.self_int", &RepeatInterleaveNumber);
  library.impl("one_hot", &OneHot);
  library.impl("take_along_dim", &TakeAlongDim);
  library.impl("_native_multi_head_attention", &MultiHeadAttention);
  library.impl("_transformer_encoder_layer_fwd", &TransformerEncoderLayer);
}
