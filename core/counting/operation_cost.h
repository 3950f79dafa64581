#pragma once

#include <string_view>

#include "core/base/checked.h"
#include "core/model/module.h"

namespace planner::counting {

/// What one call of one operation costs, forward, and the parameters it owns. Fields may be
/// overflowed.
struct OperationCost {
  std::string_view kind;     ///< Name in reports; borrowed from the operation or static.
  base::Checked parameters;  ///< Unique.
  /// Those of them that are not among the non-embedding parameters.
  base::Checked embedding_parameters;
  base::Checked macs;
  base::Checked causal_macs;  ///< Without the masked half of causal attention.
  base::Checked other_flops;
  /// Elements of the activations' type that training keeps for the backward pass.
  base::Checked saved_elements;
};

/// The formulas, one for each alternative of model::Operation. With positions s, a window w <= s and head sizes q and v:
/// - Linear: rows x in x out. 4 rows, 3 -> 5 with a bias: 60 MACs, 20 other FLOPs, 20 parameters.
/// - Convolution: out positions x out channels x in/groups x kernel; transposed: over the input's positions.
///   64 -> 128 channels, 3x3, 56x56: 231,211,008 MACs.
/// - Attention: full: s x w x heads x (q + v); causal: (s w - w^2/2) in place of s w, which is half at w = s.
/// - LSTM 128 -> 256 over 50 steps: 50 x 4 x 256 x (128 + 256) = 19,660,800 MACs; GRU 3 gates, RNN 1.
/// - Norms: 5 FLOPs an element for mean, difference, square, sum and quotient (RMS: 3), 1 each for scale and shift.
OperationCost CostOf(const model::Operation& operation);

}  // namespace planner::counting
