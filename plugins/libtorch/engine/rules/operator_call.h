#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace planner::libtorch {

/// A tensor as the rules see it.
struct TensorShape {
  std::vector<int64_t> sizes;
  bool defined = true;  ///< False for an optional tensor that was not given.

  int64_t size(size_t dimension) const { return dimension < sizes.size() ? sizes[dimension] : 1; }
};

/// One call of an operator: what its cost follows from.
struct OperatorCall {
  std::string_view name;             ///< Without namespace and overload: "addmm".
  std::vector<TensorShape> inputs;   ///< Tensor arguments by position, lists spread out, optional ones kept as undefined.
  std::vector<TensorShape> outputs;  ///< Defined ones.
  std::vector<bool> flags;           ///< Boolean arguments by position, lists spread out: a convolution's `transposed`.
};

}  // namespace planner::libtorch
