#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/model/layer_graph.h"
#include "core/model/layer_graph_layers.h"
#include "core/model/shape_inference.h"

namespace planner::model {

/// Transformer blocks that an expansion met.
struct BlockUse {
  const graph::TransformerBlocks* blocks;
  int64_t hidden = 1;
  int64_t layers = 1;  ///< After repeats.
};

/// What an expansion met that the description of the whole model wants to know.
struct GraphFacts {
  std::vector<BlockUse> blocks;
  int64_t vocabulary = 0;  ///< Entries of the first embedding.
  bool tied = false;       ///< Whether a layer takes an embedding's table as its weight.
  int64_t positions = 0;   ///< The least that a position embedding has; 0: none.
};

/// Runs a graph's layers over shapes, once: resolves names, nests bodies, repeats layers.
class GraphExpander {
 public:
  /// The module tree of the whole graph for inputs of the given shapes, one for each of the graph's, roles assigned.
  /// The graph must have passed CheckStructure and outlive the expander.
  absl::StatusOr<Module> Expand(const LayerGraph& layer_graph, const std::vector<Shape>& inputs);

  const GraphFacts& facts() const { return facts_; }

 private:
  /// A tensor that layers can read by name.
  struct Value {
    Shape shape;
    const graph::Embedding* embedding = nullptr;  ///< If an embedding made it.
  };
  /// The names that layers of one body see; those around it through `outer`.
  struct Scope {
    const Scope* outer = nullptr;
    Shape input;
    std::unordered_map<std::string, Value> values;
  };

  /// Appends the layers' modules to `parent`; returns the last output. `field` is the body's own: "layers", "body".
  absl::StatusOr<Shape> ExpandBody(const std::vector<graph::Layer>& layers, std::string_view field, Scope& scope,
                                   Module& parent);
  absl::StatusOr<Expansion> ExpandRepeated(const graph::Layer& layer, std::vector<Shape> inputs, const Scope& scope);
  absl::StatusOr<Expansion> ExpandOnce(const graph::Layer& layer, const std::vector<Shape>& inputs, const Scope& scope);
  absl::StatusOr<Expansion> ExpandNested(const std::vector<graph::Layer>& layers, std::string_view field,
                                         const Shape& input, const Scope& scope);
  absl::Status CheckTied(const graph::Linear& linear, const Shape& input, const Scope& scope);
  void Note(const graph::LayerKind& kind, const std::vector<Shape>& inputs);

  GraphFacts facts_;
};

/// Everything about a graph that needs no shapes: names, nesting, number of layers, repeats. INVALID_ARGUMENT with the
/// layer's path.
absl::Status CheckStructure(const LayerGraph& layer_graph);

}  // namespace planner::model
