#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/model/layer_graph.h"
#include "core/model/layer_graph_layers.h"
#include "core/model/module.h"
#include "core/model/shape_inference.h"

/// The parts of ExpandLeaf, for the files that it is divided into only. Every Expand function has ExpandLeaf's errors
/// and relies on it for the number of inputs and the bounds of the output.
namespace planner::model {

/// A module with neither name nor children: "Conv2d" and its work.
Module Leaf(std::string_view kind, Operation operation);

/// "Conv" and 2 dimensions: "Conv2d".
std::string WithDimensions(std::string_view name, size_t dimensions);

/// layer_graph_spatial.cc: layers with windows over the spatial dimensions of [batch, channels, ...], 1 to 3 of them.
absl::StatusOr<Expansion> ExpandConvolution(const graph::Convolution& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandTransposedConvolution(const graph::TransposedConvolution& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandPool(const graph::Pool& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandAdaptivePool(const graph::AdaptivePool& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandGlobalPool(const graph::GlobalPool& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandUpsample(const graph::Upsample& layer, const Shape& input);

/// layer_graph_rearrange.cc: layers that move or join elements and compute nothing, such as the identity, Dropout.
absl::StatusOr<Expansion> ExpandFlatten(const graph::Flatten& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandReshape(const graph::Reshape& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandPermute(const graph::Permute& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandConcat(const graph::Concat& layer, const std::vector<Shape>& inputs);
absl::StatusOr<Expansion> ExpandSelect(const graph::Select& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandSlice(const graph::Slice& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandDropout(const graph::Dropout& layer, const Shape& input);

/// layer_graph_elementwise.cc: layers whose work is a few operations for each element, normalizations among them.
absl::StatusOr<Expansion> ExpandNorm(const graph::Norm& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandActivation(const graph::Activation& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandSoftmax(const graph::Softmax& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandAdd(const graph::Add& layer, const std::vector<Shape>& inputs);
absl::StatusOr<Expansion> ExpandMultiply(const graph::Multiply& layer, const std::vector<Shape>& inputs);
absl::StatusOr<Expansion> ExpandReduce(const graph::Reduce& layer, const Shape& input);
absl::StatusOr<Expansion> ExpandOperation(const graph::Operation& layer, const std::vector<Shape>& inputs);

}  // namespace planner::model
