#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/stack.h>

/// What stand-ins for operators are written with.
namespace planner::libtorch::meta {

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

[[noreturn]] inline void Refuse(const std::string& text) { throw std::runtime_error(text); }

inline at::TensorOptions On(const at::Tensor& like) { return at::TensorOptions().dtype(like.dtype()).device(c10::kMeta); }

inline at::Tensor Empty(const Sizes& sizes, const at::Tensor& like) { return at::empty(sizes, On(like)); }

inline at::Tensor EmptyLike(const at::Tensor& like) { return at::empty_like(like, at::TensorOptions().device(c10::kMeta)); }

inline at::Tensor Indices(const Sizes& sizes) {
  return at::empty(sizes, at::TensorOptions().dtype(at::kLong).device(c10::kMeta));
}

/// A tensor like it, or undefined where a mask leaves it out.
inline at::Tensor If(bool wanted, const at::Tensor& like) { return wanted && like.defined() ? EmptyLike(like) : at::Tensor(); }

inline int64_t At(const Sizes& list, size_t index, int64_t otherwise) {
  if (list.empty()) return otherwise;
  return list.size() == 1 ? list[0] : list.at(index);
}

inline bool IsChannelsLast(const at::Tensor& tensor) {
  const c10::MemoryFormat format = tensor.suggest_memory_format();
  return format == c10::MemoryFormat::ChannelsLast || format == c10::MemoryFormat::ChannelsLast3d;
}

inline at::ScalarType TypeOf(const at::Tensor& left, const at::Tensor& right) {
  return right.defined() ? at::result_type(left, right) : left.scalar_type();
}

inline at::Tensor OfType(const Sizes& sizes, at::ScalarType type) {
  return at::empty(sizes, at::TensorOptions().dtype(type).device(c10::kMeta));
}

inline Sizes Broadcast(const at::Tensor& left, const at::Tensor& right) {
  return right.defined() ? Sizes(at::infer_size(left.sizes(), right.sizes())) : left.sizes().vec();
}

template <size_t kIndex>
void Same(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(EmptyLike(call.Tensor(kIndex)));
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

}  // namespace planner::libtorch::meta
