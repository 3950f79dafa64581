#pragma once

#include <optional>

#include "core/base/checked.h"
#include "plugins/libtorch/engine/rules/operator_call.h"

namespace planner::libtorch {

/// Elements of a tensor: 2x3 has 6, a scalar 1.
base::Checked ElementsOf(const TensorShape& shape);

/// MACs of a matrix product or convolution; nothing for every other operator.
/// - mm [m,k][k,n]: m·k·n. 2x3 by 3x4: 24. bmm is that, times its batch.
/// - convolution: batch · output positions · elements of the weight (which already has 1/groups of the input channels). A
///   transposed one: input positions instead. 1x64x56x56 by 128x64x3x3, padding 1: 3136 · 73,728 = 231,211,008.
/// - convolution_backward: as often as the forward pass for each of the gradients of input and weight that its mask asks for.
/// - outer products (ger), dot and mv are products too. An element-wise product, even one that broadcasts to an outer product,
///   is none.
std::optional<base::Checked> MacsOf(const OperatorCall& call);

/// FLOPs of a product beside its MACs: the bias of addmm and of a convolution, one an output.
base::Checked BiasFlopsOf(const OperatorCall& call);

}  // namespace planner::libtorch
