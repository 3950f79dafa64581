#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/elementwise.h"
#include "core/model/layer_graph_leaf.h"
#include "core/model/module_tree.h"

namespace planner::model {
namespace {

/// An element-by-element layer that keeps its input's shape.
absl::StatusOr<Expansion> Mapped(std::string_view kind, std::string_view operation, const Shape& input) {
  ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(input));
  return Expansion{Leaf(kind, MakeElementwise(operation, elements)), input};
}

/// A name that reports can print: "masked_fill".
bool IsOperationKind(std::string_view kind) {
  return !kind.empty() && kind.size() <= 64 && kind.front() >= 'a' && kind.front() <= 'z' &&
         std::all_of(kind.begin(), kind.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

/// The sizes that an operation states, with those that it takes from its first input; `inputs` may be empty.
absl::StatusOr<Shape> StatedShape(const graph::Sizes& stated, const std::vector<Shape>& inputs) {
  if (stated.size() > kMaxDimensions) {
    return base::InvalidField("shape", absl::StrCat("must have 1 to 8 dimensions: dimensions=", stated.size()));
  }
  Shape shape = stated;
  for (size_t i = 0; i < shape.size(); ++i) {
    RETURN_IF_ERROR(CheckSizeOrZero(absl::StrCat("shape[", i, "]"), shape[i]));
    if (shape[i] > 0) continue;
    if (inputs.empty() || i >= inputs.front().size()) {
      return Mismatch(absl::StrCat("takes a size from a dimension that its first input does not have: dimension=", i));
    }
    shape[i] = inputs.front()[i];
  }
  return shape;
}

}  // namespace

Elementwise ActivationOf(graph::ActivationKind kind, int64_t elements) {
  switch (kind) {
    case graph::ActivationKind::kRelu:
      return MakeElementwise("relu", elements);
    case graph::ActivationKind::kRelu6:
      return MakeElementwise("relu6", elements);
    case graph::ActivationKind::kLeakyRelu:
      return MakeElementwise("leaky_relu", elements);
    case graph::ActivationKind::kPrelu:
      return {"prelu", elements, 2, elements};  // Comparison and product; the slope's gradient needs the input.
    case graph::ActivationKind::kElu:
      return MakeElementwise("elu", elements);
    case graph::ActivationKind::kSelu:
      return {"selu", elements, 4, 0};  // elu and its scale.
    case graph::ActivationKind::kGelu:
    case graph::ActivationKind::kGeluTanh:
      return MakeElementwise("gelu", elements);
    case graph::ActivationKind::kSilu:
      return MakeElementwise("silu", elements);
    case graph::ActivationKind::kMish:
      return MakeElementwise("mish", elements);
    case graph::ActivationKind::kSigmoid:
      return MakeElementwise("sigmoid", elements);
    case graph::ActivationKind::kTanh:
      return MakeElementwise("tanh", elements);
    case graph::ActivationKind::kHardSigmoid:
      return MakeElementwise("hardsigmoid", elements);
    case graph::ActivationKind::kHardSwish:
      return MakeElementwise("hardswish", elements);
    case graph::ActivationKind::kSoftplus:
      return MakeElementwise("softplus", elements);
    case graph::ActivationKind::kGlu:
      break;
  }
  return {"glu", elements, 5, 2 * elements};  // Sigmoid and product; keeps both halves.
}

absl::StatusOr<Expansion> ExpandNorm(const graph::Norm& norm, const Shape& input) {
  const bool over_last = norm.kind == NormKind::kLayerNorm || norm.kind == NormKind::kRmsNorm;
  int64_t width = 1;
  std::string kind;
  if (over_last) {
    RETURN_IF_ERROR(CheckSize("normalized_dimensions", norm.normalized_dimensions));
    const auto count = static_cast<size_t>(norm.normalized_dimensions);
    if (count > input.size()) {
      return Mismatch(absl::StrCat("expects at least as many dimensions as it normalizes: normalized_dimensions=",
                                   count, " shape=", ShapeText(input)));
    }
    ASSIGN_OR_RETURN(width, ElementsOf(Shape(input.end() - norm.normalized_dimensions, input.end())));
    kind = norm.kind == NormKind::kRmsNorm ? "RMSNorm" : "LayerNorm";
  } else {
    const size_t least = norm.kind == NormKind::kInstanceNorm ? 3 : 2;
    if (input.size() < least || input.size() > 5) {
      return Mismatch(
          absl::StrCat("expects an input of batch, channels and spatial dimensions: shape=", ShapeText(input)));
    }
    width = input[1];
    const size_t dimensions = std::max<size_t>(input.size(), 3) - 2;
    kind = norm.kind == NormKind::kGroupNorm      ? "GroupNorm"
           : norm.kind == NormKind::kInstanceNorm ? WithDimensions("InstanceNorm", dimensions)
                                                  : WithDimensions("BatchNorm", dimensions);
  }
  if (norm.kind == NormKind::kGroupNorm) {
    if (!norm.groups.has_value()) return base::InvalidField("groups", "is required");
    RETURN_IF_ERROR(CheckSize("groups", *norm.groups));
    if (width % *norm.groups != 0) {
      return base::InvalidField(
          "groups", absl::StrCat("must divide the input's channels: groups=", *norm.groups, " channels=", width));
    }
  } else if (norm.groups.has_value()) {
    return base::InvalidField("groups", "is for GROUP_NORM only");
  }
  RETURN_IF_ERROR(
      CheckStated("features", norm.features, width, over_last ? "normalized features" : "input channels", input));
  const bool scale = norm.affine.value_or(norm.kind != NormKind::kInstanceNorm);
  const bool shift = norm.bias.value_or(scale && norm.kind != NormKind::kRmsNorm);
  if (shift && norm.kind == NormKind::kRmsNorm) return base::InvalidField("bias", "does not exist for RMS_NORM");
  ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(input));
  return Expansion{
      Leaf(kind, Norm{.kind = norm.kind, .elements = elements, .width = width, .scale = scale, .shift = shift}), input};
}

absl::StatusOr<Expansion> ExpandActivation(const graph::Activation& activation, const Shape& input) {
  ASSIGN_OR_RETURN(int64_t elements, ElementsOf(input));
  Shape output = input;
  if (activation.kind == graph::ActivationKind::kGlu) {
    ASSIGN_OR_RETURN(const int64_t dimension, DimensionOf(activation.dimension, input.size()));
    int64_t& size = output[static_cast<size_t>(dimension)];
    if (size % 2 != 0) return Mismatch(absl::StrCat("expects an even size to halve: size=", size));
    size /= 2;
    elements /= 2;
  }
  Module module = Leaf("Activation", ActivationOf(activation.kind, elements));
  if (activation.kind == graph::ActivationKind::kPrelu) {
    const int64_t channels = input.size() > 1 ? input[1] : 1;
    if (activation.prelu_parameters != 1 && activation.prelu_parameters != channels) {
      return base::InvalidField("prelu_parameters", absl::StrCat("must be 1 or the input's channels: prelu_parameters=",
                                                                 activation.prelu_parameters, " channels=", channels));
    }
    Module prelu = Leaf("PReLU", Container{});
    AddModule(prelu, "weight", ParameterModule("prelu_slopes", activation.prelu_parameters));
    AddModule(prelu, "activation", std::move(module));
    module = std::move(prelu);
  }
  return Expansion{std::move(module), std::move(output)};
}

absl::StatusOr<Expansion> ExpandSoftmax(const graph::Softmax& softmax, const Shape& input) {
  RETURN_IF_ERROR(DimensionOf(softmax.dimension, input.size()).status());
  return Mapped("Softmax", "softmax", input);
}

absl::StatusOr<Expansion> ExpandAdd(const graph::Add&, const std::vector<Shape>& inputs) {
  ASSIGN_OR_RETURN(Shape output, Broadcast(inputs));
  ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(output));
  Elementwise add = MakeElementwise("add", elements);
  add.flops_per_element = static_cast<int64_t>(inputs.size()) - 1;
  return Expansion{Leaf("Add", std::move(add)), std::move(output)};
}

absl::StatusOr<Expansion> ExpandMultiply(const graph::Multiply&, const std::vector<Shape>& inputs) {
  ASSIGN_OR_RETURN(Shape output, Broadcast(inputs));
  ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(output));
  Elementwise multiply = MakeElementwise("mul", elements);
  multiply.flops_per_element = static_cast<int64_t>(inputs.size()) - 1;
  base::Checked factors;  // Kept as they are before they are broadcast.
  for (const Shape& factor : inputs) {
    ASSIGN_OR_RETURN(const int64_t factor_elements, ElementsOf(factor));
    factors += factor_elements;
  }
  if (factors.overflowed()) return Mismatch("has inputs that are too large together");
  multiply.saved_elements = factors.ValueOrZero();
  return Expansion{Leaf("Multiply", std::move(multiply)), std::move(output)};
}

absl::StatusOr<Expansion> ExpandReduce(const graph::Reduce& reduce, const Shape& input) {
  if (reduce.dimensions.empty()) return base::InvalidField("dimensions", "is required");
  std::vector<bool> reduced(input.size());
  for (const int64_t dimension : reduce.dimensions) {
    ASSIGN_OR_RETURN(const int64_t index, DimensionOf(dimension, input.size()));
    reduced[static_cast<size_t>(index)] = true;
  }
  ASSIGN_OR_RETURN(const int64_t in, ElementsOf(input));
  int64_t window = 1;
  Shape output;
  for (size_t i = 0; i < input.size(); ++i) {
    if (reduced[i]) window *= input[i];
    if (!reduced[i]) output.push_back(input[i]);
    if (reduced[i] && reduce.keep_dimensions) output.push_back(1);
  }
  const bool max = reduce.kind == graph::ReduceKind::kMax;
  const bool mean = reduce.kind == graph::ReduceKind::kMean;
  return Expansion{Leaf("Reduce", Elementwise{max    ? "max"
                                              : mean ? "mean"
                                                     : "sum",
                                              in / window, mean ? window : window - 1, max ? in : 0}),
                   std::move(output)};
}

absl::StatusOr<Expansion> ExpandOperation(const graph::Operation& operation, const std::vector<Shape>& inputs) {
  if (!IsOperationKind(operation.kind)) {
    return base::InvalidField("kind", "must be 1 to 64 lower case letters, digits and underscores, a letter first");
  }
  if (operation.shape.empty() && inputs.empty()) return base::InvalidField("shape", "is required without inputs");
  Shape output;
  if (operation.shape.empty()) {
    ASSIGN_OR_RETURN(output, Broadcast(inputs));
  } else {
    ASSIGN_OR_RETURN(output, StatedShape(operation.shape, inputs));
  }
  ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(output));
  Elementwise work = MakeElementwise(operation.kind, elements);
  if (operation.flops_per_element.has_value()) {
    RETURN_IF_ERROR(CheckSizeOrZero("flops_per_element", *operation.flops_per_element));
    work.flops_per_element = *operation.flops_per_element;
    if (work.flops_per_element == 0) work.saved_elements = 0;
  }
  return Expansion{Leaf("Operation", std::move(work)), std::move(output)};
}

}  // namespace planner::model
