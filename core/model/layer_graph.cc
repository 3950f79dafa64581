#include "core/model/layer_graph.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/layer_graph_expander.h"

namespace planner::model {
namespace {

/// Whether a layer that reads an input with `rank` dimensions reads positions in dimension 1: token indices, or vectors.
/// One index a sample and one step of a recurrent cell are no sequence.
bool ReadsSequence(const graph::LayerKind& kind, size_t rank) {
  if (std::holds_alternative<graph::Embedding>(kind)) return rank >= 2;
  if (const auto* recurrent = std::get_if<graph::Recurrent>(&kind)) return rank == 3 && recurrent->batch_first;
  return rank == 3 && (std::holds_alternative<graph::PositionEmbedding>(kind) ||
                       std::holds_alternative<graph::TransformerBlocks>(kind) ||
                       std::holds_alternative<graph::MultiHeadAttention>(kind));
}

absl::Status CheckInput(const graph::Input& input) {
  if (input.name.empty() || input.name.starts_with("$") || input.name.find('.') != std::string::npos) {
    return base::InvalidField("name", "must not be empty, have a dot or begin with $");
  }
  if (input.shape.empty() || input.shape.size() > kMaxDimensions) {
    return base::InvalidField("shape", absl::StrCat("must have 1 to 8 dimensions: dimensions=", input.shape.size()));
  }
  for (size_t i = 0; i < input.shape.size(); ++i) {
    RETURN_IF_ERROR(CheckSize(absl::StrCat("shape[", i, "]"), input.shape[i]));
  }
  const auto rank = static_cast<int64_t>(input.shape.size());
  if (input.batch_dimension < -1 || input.batch_dimension >= rank) {
    return base::InvalidField(
        "batch_dimension",
        absl::StrCat("must be a dimension of the shape, or -1: batch_dimension=", input.batch_dimension));
  }
  const int64_t sequence = input.sequence_dimension.value_or(-1);
  if (sequence < -1 || sequence >= rank || (sequence >= 0 && sequence == input.batch_dimension)) {
    return base::InvalidField(
        "sequence_dimension",
        absl::StrCat("must be a dimension of the shape but the batch's, or -1: sequence_dimension=", sequence));
  }
  return absl::OkStatus();
}

absl::Status CheckInputs(const LayerGraph& layer_graph) {
  if (layer_graph.inputs.empty()) return base::InvalidField("inputs", "needs at least one input");
  std::unordered_set<std::string> names;
  for (const graph::Layer& layer : layer_graph.layers) names.insert(layer.name);
  for (size_t i = 0; i < layer_graph.inputs.size(); ++i) {
    const graph::Input& input = layer_graph.inputs[i];
    const std::string path = absl::StrCat("inputs[", i, "]");
    RETURN_IF_ERROR(base::AtField(path, CheckInput(input)));
    if (!names.insert(input.name).second) {
      return base::InvalidField(
          path + ".name", absl::StrCat("is taken by a layer or an earlier input: name=", input.name), "DUPLICATE_NAME");
    }
  }
  return absl::OkStatus();
}

/// Finds the sequence dimension of inputs that leave it open.
void InferSequenceDimensions(LayerGraph& layer_graph) {
  for (graph::Input& input : layer_graph.inputs) {
    if (input.sequence_dimension.has_value()) continue;
    const bool first = &input == &layer_graph.inputs.front();
    const auto reads = [&](const graph::Layer& layer) {
      const bool by_default = first && &layer == &layer_graph.layers.front() && layer.inputs.empty();
      return by_default || std::find(layer.inputs.begin(), layer.inputs.end(), input.name) != layer.inputs.end();
    };
    const bool sequence =
        input.batch_dimension == 0 &&
        std::any_of(layer_graph.layers.begin(), layer_graph.layers.end(), [&](const graph::Layer& layer) {
          return reads(layer) && ReadsSequence(layer.kind, input.shape.size());
        });
    input.sequence_dimension = sequence ? 1 : -1;
  }
}

absl::StatusOr<std::vector<Shape>> ShapesFor(const LayerGraph& layer_graph, const BatchShape& batch) {
  if (batch.inputs.size() > layer_graph.inputs.size()) {
    return base::InvalidField("inputs", absl::StrCat("has more shapes than the model has inputs: shapes=",
                                                     batch.inputs.size(), " inputs=", layer_graph.inputs.size()));
  }
  int64_t samples = batch.batch;
  RETURN_IF_ERROR(CheckSize("batch", samples));
  if (batch.seq_len.has_value()) RETURN_IF_ERROR(CheckSize("seq_len", *batch.seq_len));
  std::vector<Shape> shapes;
  for (size_t i = 0; i < layer_graph.inputs.size(); ++i) {
    const graph::Input& input = layer_graph.inputs[i];
    Shape shape = input.shape;
    if (i < batch.inputs.size()) {
      shape = batch.inputs[i].sizes;
      if (shape.size() != input.shape.size()) {
        return base::InvalidField(absl::StrCat("inputs[", i, "]"),
                                  absl::StrCat("must have as many dimensions as the model's input \"", input.name,
                                               "\": shape=", ShapeText(shape), " model=", ShapeText(input.shape)));
      }
      for (size_t k = 0; k < shape.size(); ++k) {
        RETURN_IF_ERROR(CheckSize(absl::StrCat("inputs[", i, "][", k, "]"), shape[k]));
      }
      // Inputs that are not named follow the batch of those that are.
      if (input.batch_dimension >= 0) samples = shape[static_cast<size_t>(input.batch_dimension)];
    } else {
      if (input.batch_dimension >= 0) shape[static_cast<size_t>(input.batch_dimension)] = samples;
      if (batch.seq_len.has_value() && *input.sequence_dimension >= 0) {
        shape[static_cast<size_t>(*input.sequence_dimension)] = *batch.seq_len;
      }
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

/// The sizes that an operation's weights have. A graph's weights are those for its own input shapes.
std::vector<int64_t> WeightSizes(const Operation& operation) {
  if (const auto* linear = std::get_if<Linear>(&operation)) return {linear->in_features, linear->out_features};
  if (const auto* conv = std::get_if<Convolution>(&operation)) return {conv->in_channels, conv->out_channels};
  if (const auto* cell = std::get_if<Recurrent>(&operation)) return {cell->input_size, cell->hidden_size};
  if (const auto* norm = std::get_if<Norm>(&operation); norm != nullptr && norm->scale) return {norm->width};
  return {};
}

/// The first module (by its path) whose weights differ between two expansions of one graph; nullopt: none does.
std::optional<std::string> WithOtherWeights(const Module& own, const Module& asked, const std::string& path) {
  const std::vector<int64_t> sizes = WeightSizes(own.operation);
  if (const std::vector<int64_t> now = WeightSizes(asked.operation); sizes != now) {
    return absl::StrCat("\"", path, "\": weights=", ShapeText(sizes), " input asks for=", ShapeText(now));
  }
  for (size_t i = 0; i < std::min(own.children.size(), asked.children.size()); ++i) {
    const std::string child = path.empty() ? own.children[i].name : path + "." + own.children[i].name;
    if (auto found = WithOtherWeights(own.children[i], asked.children[i], child)) return found;
  }
  return std::nullopt;
}

/// The sizes that layouts depend on, if all blocks agree in them; of the decoder where there are encoders too.
std::optional<TransformerShape> TransformerOf(const GraphFacts& facts) {
  if (facts.blocks.empty()) return std::nullopt;
  const auto decoder =
      std::find_if(facts.blocks.begin(), facts.blocks.end(), [](const BlockUse& use) { return use.blocks->decoder; });
  const BlockUse& chosen = decoder == facts.blocks.end() ? facts.blocks.front() : *decoder;
  const absl::StatusOr<BlockSizes> sizes = SizesOf(*chosen.blocks, chosen.hidden);
  if (!sizes.ok()) return std::nullopt;
  TransformerShape shape{.layers = 0,
                         .hidden = chosen.hidden,
                         .heads = sizes->heads,
                         .kv_heads = sizes->kv_heads,
                         .qk_dim = sizes->head_dim,
                         .v_dim = sizes->head_dim,
                         .ffn = sizes->ffn,
                         .gated = chosen.blocks->gated,
                         .vocab = facts.vocabulary,
                         .tied_embeddings = facts.tied,
                         .causal = chosen.blocks->causal.value_or(chosen.blocks->decoder)};
  for (const BlockUse& use : facts.blocks) {
    if (use.hidden != shape.hidden) return std::nullopt;
    shape.layers += use.layers;
    shape.window = std::max(shape.window, use.blocks->window);
    if (use.blocks->moe.has_value()) {
      shape.experts = use.blocks->moe->experts;
      shape.experts_per_token = use.blocks->moe->top_k;
      shape.expert_ffn = use.blocks->moe->expert_ffn.value_or(use.blocks->ffn.value_or(0));
      shape.shared_expert_ffn = use.blocks->moe->shared_ffn;
      shape.moe_layers += use.layers;
    }
  }
  return shape;
}

}  // namespace

const char* FieldName(const graph::LayerKind& kind) {
  struct Namer {
    const char* operator()(const graph::Linear&) const { return "linear"; }
    const char* operator()(const graph::Convolution&) const { return "conv"; }
    const char* operator()(const graph::TransposedConvolution&) const { return "conv_transpose"; }
    const char* operator()(const graph::Recurrent&) const { return "recurrent"; }
    const char* operator()(const graph::TransformerBlocks& blocks) const {
      return blocks.decoder ? "transformer_decoder" : "transformer_encoder";
    }
    const char* operator()(const graph::Embedding&) const { return "embedding"; }
    const char* operator()(const graph::PositionEmbedding&) const { return "position_embedding"; }
    const char* operator()(const graph::ClassToken&) const { return "class_token"; }
    const char* operator()(const graph::Parameter&) const { return "parameter"; }
    const char* operator()(const graph::Norm&) const { return "norm"; }
    const char* operator()(const graph::Activation&) const { return "activation"; }
    const char* operator()(const graph::Softmax&) const { return "softmax"; }
    const char* operator()(const graph::Pool&) const { return "pool"; }
    const char* operator()(const graph::AdaptivePool&) const { return "adaptive_pool"; }
    const char* operator()(const graph::GlobalPool&) const { return "global_pool"; }
    const char* operator()(const graph::Upsample&) const { return "upsample"; }
    const char* operator()(const graph::Flatten&) const { return "flatten"; }
    const char* operator()(const graph::Reshape&) const { return "reshape"; }
    const char* operator()(const graph::Permute&) const { return "permute"; }
    const char* operator()(const graph::Add&) const { return "add"; }
    const char* operator()(const graph::Multiply&) const { return "multiply"; }
    const char* operator()(const graph::Concat&) const { return "concat"; }
    const char* operator()(const graph::Dropout&) const { return "dropout"; }
    const char* operator()(const graph::MatrixProduct&) const { return "matmul"; }
    const char* operator()(const graph::MultiHeadAttention&) const { return "multi_head_attention"; }
    const char* operator()(const graph::Sequence&) const { return "sequence"; }
    const char* operator()(const graph::Residual&) const { return "residual"; }
    const char* operator()(const graph::Select&) const { return "select"; }
    const char* operator()(const graph::Slice&) const { return "slice"; }
    const char* operator()(const graph::Reduce&) const { return "reduce"; }
    const char* operator()(const graph::Operation&) const { return "operation"; }
  };
  return std::visit(Namer{}, kind);
}

absl::StatusOr<ModelDescription> DescribeLayerGraph(LayerGraph layer_graph) {
  RETURN_IF_ERROR(CheckInputs(layer_graph));
  RETURN_IF_ERROR(CheckStructure(layer_graph));
  InferSequenceDimensions(layer_graph);

  // The graph's own shapes must fit, whatever a request asks for later; they also tell the sizes of transformer blocks.
  GraphExpander expander;
  std::vector<Shape> shapes;
  for (const graph::Input& input : layer_graph.inputs) shapes.push_back(input.shape);
  ASSIGN_OR_RETURN(Module own_tree, expander.Expand(layer_graph, shapes));

  ModelDescription description;
  description.name = layer_graph.name;
  description.family = "layer_graph";
  description.kind = ModelKind::kLayerGraph;
  description.has_sequence = false;
  description.default_seq_len = 0;
  for (const graph::Input& input : layer_graph.inputs) {
    InputUse& use = description.inputs.emplace_back();
    use.sequence_dimension = static_cast<int>(*input.sequence_dimension);
    if (*input.sequence_dimension < 0) continue;
    use.positions = input.shape[static_cast<size_t>(*input.sequence_dimension)];
    description.has_sequence = true;
    description.default_seq_len =
        std::max(description.default_seq_len, input.shape[static_cast<size_t>(*input.sequence_dimension)]);
  }
  if (description.has_sequence) description.max_seq_len = expander.facts().positions;
  const auto batched = std::find_if(layer_graph.inputs.begin(), layer_graph.inputs.end(),
                                    [](const graph::Input& input) { return input.batch_dimension >= 0; });
  if (batched != layer_graph.inputs.end()) {
    description.default_batch = batched->shape[static_cast<size_t>(batched->batch_dimension)];
  }
  description.transformer = TransformerOf(expander.facts());
  const auto shared = std::make_shared<const LayerGraph>(std::move(layer_graph));
  const auto own = std::make_shared<const Module>(std::move(own_tree));
  description.expand = [shared, own](const BatchShape& batch) -> absl::StatusOr<Module> {
    ASSIGN_OR_RETURN(const std::vector<Shape> asked, ShapesFor(*shared, batch));
    ASSIGN_OR_RETURN(Module tree, GraphExpander().Expand(*shared, asked));
    if (!batch.inputs.empty()) {
      if (const std::optional<std::string> layer = WithOtherWeights(*own, tree, "")) {
        return base::InvalidField("inputs", absl::StrCat("do not fit the weights of ", *layer));
      }
    }
    return tree;
  };
  return description;
}

}  // namespace planner::model
