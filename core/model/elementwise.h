#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "core/model/module.h"

namespace planner::model {

/// What one element of an element-by-element operator costs, and what training keeps of it.
struct ElementwiseCost {
  std::string_view kind;          ///< The name it has in reports.
  int64_t flops_per_element = 1;  ///< Of the output. exp, tanh, erf, log count 1, like an addition.
  /// Tensors of the operator's size that autograd keeps for the backward pass and that no other
  /// operator of ours keeps: the input of an activation; 0 for relu, whose output is the next
  /// product's input, which that product keeps.
  int64_t saved_per_element = 1;
};

/// The table. The FLOPs follow from the operators' definitions, for instance
/// - silu, x / (1 + exp(-x)): negate, exp, add, divide
/// - gelu, 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): three products for the cubic term, add,
///   scale, tanh, add, product. The form with erf counts alike, so that both spellings compare.
/// - softmax: maximum, subtract, exp, sum, divide
/// - rotary, x cos + rotate(x) sin: two products and a sum. Its angles need no gradient.
/// - mul is a gate times its value, both of which are kept; scale is a product with a constant.
/// - tanh, sigmoid and softmax keep their output, which is as large.
/// - dropout keeps its mask; nobody adds it to the tree of a model in inference.
// clang-format off
inline constexpr ElementwiseCost kElementwiseCosts[] = {
    {"add", 1, 0},
    {"mul", 1, 2},
    {"scale", 1, 0},
    {"relu", 1, 0},
    {"relu6", 2, 0},
    {"leaky_relu", 2, 0},
    {"squared_relu", 2, 1},
    {"elu", 3, 0},
    {"silu", 4, 1},
    {"gelu", 8, 1},
    {"quick_gelu", 5, 1},
    {"sigmoid", 4, 1},
    {"tanh", 1, 1},
    {"softplus", 3, 1},
    {"hardswish", 5, 1},
    {"hardsigmoid", 4, 1},
    {"mish", 5, 1},
    {"exp", 1, 1},
    {"softmax", 5, 1},
    {"log_softmax", 5, 1},
    {"rotary", 3, 0},
    {"softcap", 3, 1},
    {"dropout", 1, 1},
};
// clang-format on

/// The cost of `kind`; of an operator that the table does not know, 1 FLOP an element and its input
/// kept.
constexpr ElementwiseCost CostOfElementwise(std::string_view kind) {
  for (const ElementwiseCost& cost : kElementwiseCosts) {
    if (cost.kind == kind) return cost;
  }
  return {kind, 1, 1};
}

/// Whether the table has `kind`.
constexpr bool IsKnownElementwise(std::string_view kind) {
  for (const ElementwiseCost& cost : kElementwiseCosts) {
    if (cost.kind == kind) return true;
  }
  return false;
}

/// The operator over `elements` outputs, costed by the table: `MakeElementwise("silu", 100)` has 4
/// FLOPs an element and keeps 100. What it keeps is capped at the largest int64_t.
inline Elementwise MakeElementwise(std::string_view kind, int64_t elements) {
  const ElementwiseCost cost = CostOfElementwise(kind);
  int64_t saved = 0;
  if (__builtin_mul_overflow(elements, cost.saved_per_element, &saved)) {
    saved = std::numeric_limits<int64_t>::max();
  }
  return Elementwise{std::string(kind), elements, cost.flops_per_element, saved};
}

}  // namespace planner::model
