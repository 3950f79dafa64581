#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/model/layer_graph.h"
#include "core/model/module.h"
#include "core/model/shape_inference.h"

namespace planner::model {

/// What a layer comes to for inputs of given shapes.
struct Expansion {
  Module module;  ///< Without its name.
  Shape output;
};

/// Expands a layer that has no body of its own; INTERNAL for those that have (Sequence, Residual). A wrong field is
/// INVALID_ARGUMENT at "kernel[1]"; an input that does not fit is a Mismatch, without field.
absl::StatusOr<Expansion> ExpandLeaf(const graph::LayerKind& kind, const std::vector<Shape>& inputs);

/// Parts of ExpandLeaf in layer_graph_transformer.cc.
absl::StatusOr<Expansion> ExpandTransformer(const graph::TransformerBlocks& blocks, const std::vector<Shape>& inputs);
absl::StatusOr<Expansion> ExpandAttention(const graph::MultiHeadAttention& attention, const std::vector<Shape>& inputs);

/// What the optional sizes of transformer blocks come to for an input of width `hidden`.
struct BlockSizes {
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t head_dim = 1;
  int64_t ffn = 1;         ///< Of the dense feed-forward layer; of an expert if there is no dense one.
  int64_t expert_ffn = 0;  ///< 0 without experts.
};
absl::StatusOr<BlockSizes> SizesOf(const graph::TransformerBlocks& blocks, int64_t hidden);

/// OK for 1 to 2^31-1, else INVALID_ARGUMENT at `field`, "must be positive: kernel=-1".
absl::Status CheckSize(std::string_view field, int64_t value);
/// OK for 0 to 2^31-1.
absl::Status CheckSizeOrZero(std::string_view field, int64_t value);
/// A size that the layer states beside one that follows from its input: OK if absent or equal. `what`: "input features".
absl::Status CheckStated(std::string_view field, const std::optional<int64_t>& stated, int64_t actual,
                         std::string_view what, const Shape& input);

/// The report's name of an activation and its cost over `elements` outputs.
Elementwise ActivationOf(graph::ActivationKind kind, int64_t elements);

}  // namespace planner::model
