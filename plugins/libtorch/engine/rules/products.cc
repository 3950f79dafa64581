#include "plugins/libtorch/engine/rules/products.h"

#include <algorithm>
#include <string_view>

namespace planner::libtorch {
namespace {

using base::Checked;

const TensorShape kNone{{}, false};

const TensorShape& Input(const OperatorCall& call, size_t index) {
  return index < call.inputs.size() ? call.inputs[index] : kNone;
}

bool Flag(const OperatorCall& call, size_t index) { return index < call.flags.size() && call.flags[index]; }

/// The product of sizes from dimension `first` on.
Checked SizesFrom(const TensorShape& shape, size_t first) {
  Checked product = 1;
  for (size_t i = first; i < shape.sizes.size(); ++i) product *= shape.sizes[i];
  return product;
}

/// [m,k] by [k,n], or [b,m,k] by [b,k,n]: elements of the left, times columns of the right.
Checked MatrixProduct(const TensorShape& left, const TensorShape& right) {
  return ElementsOf(left) * (right.sizes.empty() ? 1 : right.sizes.back());
}

/// `positions` is the tensor with a kernel application at every position: the output, or the input of a transposed convolution.
Checked Convolution(const TensorShape& positions, const TensorShape& weight) {
  return Checked(positions.size(0)) * SizesFrom(positions, 2) * ElementsOf(weight);
}

bool IsConvolution(std::string_view name) {
  return name == "convolution" || name == "_convolution" || name == "convolution_overrideable";
}

bool IsConvolutionBackward(std::string_view name) {
  return name == "convolution_backward" || name == "convolution_backward_overrideable";
}

}  // namespace

Checked ElementsOf(const TensorShape& shape) { return SizesFrom(shape, 0); }

std::optional<Checked> MacsOf(const OperatorCall& call) {
  const std::string_view name = call.name;
  if (name == "mm" || name == "bmm") return MatrixProduct(Input(call, 0), Input(call, 1));
  if (name == "addmm" || name == "baddbmm" || name == "addbmm") return MatrixProduct(Input(call, 1), Input(call, 2));
  if (name == "_addmm_activation") return MatrixProduct(Input(call, 1), Input(call, 2));
  if (name == "mv" || name == "dot" || name == "vdot") return ElementsOf(Input(call, 0));
  if (name == "addmv") return ElementsOf(Input(call, 1));
  if (IsConvolution(name)) {
    const bool transposed = Flag(call, 0);
    if (!transposed && call.outputs.empty()) return Checked(0);
    return Convolution(transposed ? Input(call, 0) : call.outputs[0], Input(call, 1));
  }
  if (IsConvolutionBackward(name)) {
    // Arguments: gradient of the output, input, weight; flags: transposed, then the mask of input, weight, bias.
    const bool transposed = Flag(call, 0);
    const Checked once = Convolution(transposed ? Input(call, 1) : Input(call, 0), Input(call, 2));
    Checked macs = 0;
    if (Flag(call, 1)) macs += once;
    if (Flag(call, 2)) macs += once;
    return macs;
  }
  return std::nullopt;
}

Checked BiasFlopsOf(const OperatorCall& call) {
  if (call.name == "_trilinear" && !call.outputs.empty() && call.inputs.size() > 1) {
    // Two products and a sum for every sample and every element of the weight.
    int64_t samples = 1;
    for (size_t i = 0; i + 1 < call.outputs[0].sizes.size(); ++i) samples *= call.outputs[0].sizes[i];
    return ElementsOf(call.inputs[1]) * samples * 3;
  }
  if (call.name == "addmm" || call.name == "baddbmm" || call.name == "addbmm" || call.name == "addmv" ||
      call.name == "_addmm_activation") {
    return call.outputs.empty() ? Checked(0) : ElementsOf(call.outputs[0]);
  }
  if (IsConvolution(call.name) && Input(call, 2).defined && !call.outputs.empty()) return ElementsOf(call.outputs[0]);
  if (IsConvolutionBackward(call.name) && Flag(call, 3)) return ElementsOf(Input(call, 0));
  return 0;
}

}  // namespace planner::libtorch
