#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/checked.h"
#include "plugins/libtorch/engine/rules/operator_call.h"

namespace planner::libtorch {

/// What an operator's work grows with.
enum class Basis {
  kFree,     ///< Moves or names data: views, copies, shapes, random masks' bookkeeping. No FLOPs.
  kOutput,   ///< Elements of its outputs' first.
  kInput,    ///< Elements of its first input: reductions, pooling.
  kFactor,   ///< Elements of its first input times that one's last size, a third each: factorizations of matrices.
  kSolve,    ///< Elements of its first output times its first input's last size: systems that are solved by a matrix.
  kNorm,     ///< Elements of its first output, and one more FLOP an element for each of scale and shift that it is given.
  kProduct,  ///< A matrix product or convolution: MacsOf.
};

/// How an operator is counted.
struct OperatorRule {
  std::string_view name;  ///< "silu_backward"
  std::string_view kind;  ///< Under which kind it is reported: "silu". As in core/model/elementwise.h where that has it.
  Basis basis = Basis::kFree;
  int64_t flops_per_element = 0;
};

/// The rule of the operator of this name, without namespace and overload. An in-place form ("add_") has its plain form's.
/// Null: no rule, to be reported as uncounted.
const OperatorRule* FindOperatorRule(std::string_view name);

/// FLOPs of `call` by `rule`, without those of MACs.
base::Checked OtherFlopsOf(const OperatorRule& rule, const OperatorCall& call);

}  // namespace planner::libtorch
