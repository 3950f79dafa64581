// Stand-ins for what works element by element.

#include <algorithm>

#include <ATen/ATen.h>

#include "plugins/libtorch/engine/meta/call.h"
#include "plugins/libtorch/engine/meta/families.h"

namespace planner::libtorch::meta {
namespace {

/// Like the argument, real where it is complex.
void RealSame(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor self = call.Tensor(0);
  call.Return(
      at::empty_like(self, at::TensorOptions().dtype(c10::toRealValueType(self.scalar_type())).device(c10::kMeta)));
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

void SameBool(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(OfType(call.Tensor(0).sizes().vec(), at::kBool));
}

}  // namespace

void AddElementwise(KernelTable& table) {
  table.insert({
      {"aten::set_.source_Storage", &SetStorage},
      {"aten::relu", &Same<0>},
      {"aten::relu_", &Itself<0>},
      {"aten::hardtanh_backward", &Same<1>},
      {"aten::hardswish", &Same<0>},
      {"aten::hardtanh", &Same<0>},
      {"aten::angle", &RealSame},
      {"aten::logit", &Same<0>},
      {"aten::abs", &RealSame},
      {"aten::binomial", &Same<0>},
      {"aten::__lshift__", &Same<0>},
      {"aten::__rshift__", &Same<0>},
      {"aten::hardswish_", &Itself<0>},
      {"aten::hardtanh_", &Itself<0>},
      {"aten::logit_", &Itself<0>},
      {"aten::abs_", &Itself<0>},
      {"aten::hardswish_backward", &Same<1>},
      {"aten::glu_backward", &Same<1>},
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
      {"aten::floor_divide", &Binary},
      {"aten::floor_divide_.Tensor", &Itself<0>},
      {"aten::rsub.Tensor", &Binary},
      {"aten::where.self", &Where},
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
      {"aten::poisson", &Same<0>},
      {"aten::_standard_gamma", &Same<0>},
      {"aten::_standard_gamma_grad", &Same<0>},
      {"aten::_cummax_helper", &Nothing},
      {"aten::_cummin_helper", &Nothing},
      {"aten::_assert_async", &Nothing},
      // Padded batches stay padded: the count is that of the padded work.
      {"aten::_nested_tensor_from_mask", &Itself<0>},
      {"aten::_nested_tensor_from_mask_left_aligned", &False},
      {"aten::to_padded_tensor", &Itself<0>},
      {"aten::nested_to_padded_tensor", &Itself<0>},
  });
}

}  // namespace planner::libtorch::meta
