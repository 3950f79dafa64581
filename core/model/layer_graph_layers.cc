#include "core/model/layer_graph_layers.h"

#include <cstddef>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/layer_graph_leaf.h"
#include "core/model/module_tree.h"

namespace planner::model {
namespace {

using Inputs = std::vector<Shape>;

/// Expands the layer it is called with.
struct LeafExpander {
  const Inputs& inputs;
  const Shape& input = inputs.front();  ///< Only where there is one: not for Parameter and Operation.

  absl::StatusOr<Expansion> operator()(const graph::Linear& linear) const {
    RETURN_IF_ERROR(CheckSize("out_features", linear.out_features));
    if (input.empty()) return Mismatch("expects an input with at least one dimension");
    RETURN_IF_ERROR(CheckStated("in_features", linear.in_features, input.back(), "input features", input));
    ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(input));
    Shape output = input;
    output.back() = linear.out_features;
    Module module = LinearModule(elements / input.back(), input.back(), linear.out_features, linear.bias);
    std::get<Linear>(module.operation).head = linear.vocabulary_head;
    std::get<Linear>(module.operation).tied = !linear.tied_to.empty();
    return Expansion{std::move(module), std::move(output)};
  }

  absl::StatusOr<Expansion> operator()(const graph::Recurrent& layer) const {
    RETURN_IF_ERROR(CheckSize("hidden_size", layer.hidden_size));
    RETURN_IF_ERROR(CheckSize("layers", layer.layers));
    RETURN_IF_ERROR(CheckSizeOrZero("projection", layer.projection));
    if (layer.layers > kMaxLayers)
      return base::InvalidField("layers", absl::StrCat("must be at most 100000: layers=", layer.layers));
    if (layer.projection > 0 && layer.cell != RecurrentCell::kLstm) {
      return base::InvalidField("projection", "is for LSTM only");
    }
    if (layer.projection >= layer.hidden_size) {
      return base::InvalidField("projection", absl::StrCat("must be less than hidden_size: projection=",
                                                           layer.projection, " hidden_size=", layer.hidden_size));
    }
    const bool one_step = input.size() == 2;
    if (!one_step && input.size() != 3) {
      return Mismatch(absl::StrCat("expects an input of batch, steps and features: shape=", ShapeText(input)));
    }
    if (one_step && layer.bidirectional)
      return Mismatch("expects a sequence, since it is bidirectional: shape=" + ShapeText(input));
    RETURN_IF_ERROR(CheckStated("input_size", layer.input_size, input.back(), "input features", input));
    const int64_t state = layer.projection > 0 ? layer.projection : layer.hidden_size;
    Shape output = input;
    output.back() = layer.bidirectional ? 2 * state : state;
    const char* kind = layer.cell == RecurrentCell::kLstm ? "LSTM" : layer.cell == RecurrentCell::kGru ? "GRU" : "RNN";
    return Expansion{Leaf(one_step ? absl::StrCat(kind, "Cell") : kind,
                          Recurrent{.cell = layer.cell,
                                    .batch = one_step || layer.batch_first ? input[0] : input[1],
                                    .steps = one_step            ? 1
                                             : layer.batch_first ? input[1]
                                                                 : input[0],
                                    .input_size = input.back(),
                                    .hidden_size = layer.hidden_size,
                                    .projection = layer.projection,
                                    .layers = layer.layers,
                                    .bidirectional = layer.bidirectional,
                                    .bias = layer.bias}),
                     std::move(output)};
  }

  absl::StatusOr<Expansion> operator()(const graph::Embedding& embedding) const {
    RETURN_IF_ERROR(CheckSize("entries", embedding.entries));
    RETURN_IF_ERROR(CheckSize("width", embedding.width));
    ASSIGN_OR_RETURN(const int64_t rows, ElementsOf(input));
    Shape output = input;
    output.push_back(embedding.width);
    return Expansion{EmbeddingModule(rows, embedding.entries, embedding.width), std::move(output)};
  }

  absl::StatusOr<Expansion> operator()(const graph::PositionEmbedding& positions) const {
    RETURN_IF_ERROR(CheckSize("entries", positions.entries));
    RETURN_IF_ERROR(CheckTokens());
    if (input[1] > positions.entries) {
      return Mismatch(absl::StrCat("expects at most as many positions as it has entries: positions=", input[1],
                                   " entries=", positions.entries));
    }
    ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(input));
    ASSIGN_OR_RETURN(const int64_t parameters, ElementsOf({positions.entries, input[2]}));
    Module module = Leaf("PositionEmbedding", Container{});
    AddModule(module, "weight", ParameterModule("position_embedding", parameters, /*embedding=*/true));
    AddModule(module, "add", ElementwiseModule("add", elements));
    return Expansion{std::move(module), input};
  }

  absl::StatusOr<Expansion> operator()(const graph::ClassToken& token) const {
    RETURN_IF_ERROR(CheckSize("count", token.count));
    RETURN_IF_ERROR(CheckTokens());
    ASSIGN_OR_RETURN(const int64_t parameters, ElementsOf({token.count, input[2]}));
    Module module = ParameterModule("class_token", parameters);
    module.kind = "ClassToken";
    return Expansion{std::move(module), {input[0], input[1] + token.count, input[2]}};
  }

  absl::StatusOr<Expansion> operator()(const graph::Parameter& parameter) const {
    if (parameter.shape.empty()) return base::InvalidField("shape", "is required");
    for (size_t i = 0; i < parameter.shape.size(); ++i) {
      RETURN_IF_ERROR(CheckSize(absl::StrCat("shape[", i, "]"), parameter.shape[i]));
    }
    ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(parameter.shape));
    return Expansion{ParameterModule("parameter", elements), parameter.shape};
  }

  absl::StatusOr<Expansion> operator()(const graph::MatrixProduct& product) const {
    Shape left = inputs[0];
    Shape right = inputs[1];
    if (left.size() < 2 || right.size() < 2) return Mismatch("expects two inputs of at least two dimensions");
    if (product.transpose_second) std::swap(right[right.size() - 1], right[right.size() - 2]);
    const int64_t m = left[left.size() - 2];
    const int64_t k = left.back();
    const int64_t n = right.back();
    if (right[right.size() - 2] != k) {
      return Mismatch(absl::StrCat("expects inner dimensions that are equal: ", ShapeText(inputs[0]), " and ",
                                   ShapeText(inputs[1]), product.transpose_second ? ", transposed" : ""));
    }
    left.resize(left.size() - 2);
    right.resize(right.size() - 2);
    ASSIGN_OR_RETURN(Shape output, Broadcast({left, right}));
    ASSIGN_OR_RETURN(const int64_t batch, ElementsOf(output));
    output.push_back(m);
    output.push_back(n);
    return Expansion{Leaf("MatrixProduct", MatrixProduct{.batch = batch, .m = m, .k = k, .n = n}), std::move(output)};
  }

  // layer_graph_spatial.cc
  absl::StatusOr<Expansion> operator()(const graph::Convolution& layer) const {
    return ExpandConvolution(layer, input);
  }
  absl::StatusOr<Expansion> operator()(const graph::TransposedConvolution& layer) const {
    return ExpandTransposedConvolution(layer, input);
  }
  absl::StatusOr<Expansion> operator()(const graph::Pool& layer) const { return ExpandPool(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::AdaptivePool& layer) const {
    return ExpandAdaptivePool(layer, input);
  }
  absl::StatusOr<Expansion> operator()(const graph::GlobalPool& layer) const { return ExpandGlobalPool(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Upsample& layer) const { return ExpandUpsample(layer, input); }

  // layer_graph_rearrange.cc
  absl::StatusOr<Expansion> operator()(const graph::Flatten& layer) const { return ExpandFlatten(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Reshape& layer) const { return ExpandReshape(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Permute& layer) const { return ExpandPermute(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Concat& layer) const { return ExpandConcat(layer, inputs); }
  absl::StatusOr<Expansion> operator()(const graph::Select& layer) const { return ExpandSelect(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Slice& layer) const { return ExpandSlice(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Dropout& layer) const { return ExpandDropout(layer, input); }

  // layer_graph_elementwise.cc
  absl::StatusOr<Expansion> operator()(const graph::Norm& layer) const { return ExpandNorm(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Activation& layer) const { return ExpandActivation(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Softmax& layer) const { return ExpandSoftmax(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Add& layer) const { return ExpandAdd(layer, inputs); }
  absl::StatusOr<Expansion> operator()(const graph::Multiply& layer) const { return ExpandMultiply(layer, inputs); }
  absl::StatusOr<Expansion> operator()(const graph::Reduce& layer) const { return ExpandReduce(layer, input); }
  absl::StatusOr<Expansion> operator()(const graph::Operation& layer) const { return ExpandOperation(layer, inputs); }

  // layer_graph_transformer.cc
  absl::StatusOr<Expansion> operator()(const graph::TransformerBlocks& layer) const {
    return ExpandTransformer(layer, inputs);
  }
  absl::StatusOr<Expansion> operator()(const graph::MultiHeadAttention& layer) const {
    return ExpandAttention(layer, inputs);
  }

  absl::StatusOr<Expansion> operator()(const graph::Sequence&) const {
    return absl::InternalError("a layer with a body");
  }
  absl::StatusOr<Expansion> operator()(const graph::Residual&) const {
    return absl::InternalError("a layer with a body");
  }

 private:
  absl::Status CheckTokens() const {
    if (input.size() == 3) return absl::OkStatus();
    return Mismatch(absl::StrCat("expects an input of batch, positions and width: shape=", ShapeText(input)));
  }
};

/// How many inputs each kind takes.
struct Arity {
  size_t least = 1;
  size_t most = 1;
};

Arity ArityOf(const graph::LayerKind& kind) {
  constexpr size_t kMany = 1024;
  if (std::holds_alternative<graph::Parameter>(kind)) return {0, 0};
  if (std::holds_alternative<graph::Operation>(kind)) return {0, kMany};
  if (std::holds_alternative<graph::MatrixProduct>(kind)) return {2, 2};
  if (std::holds_alternative<graph::MultiHeadAttention>(kind)) return {1, 3};
  if (std::holds_alternative<graph::Add>(kind) || std::holds_alternative<graph::Multiply>(kind) ||
      std::holds_alternative<graph::Concat>(kind)) {
    return {2, kMany};
  }
  if (const auto* blocks = std::get_if<graph::TransformerBlocks>(&kind); blocks != nullptr && blocks->decoder)
    return {1, 2};
  return {};
}

}  // namespace

Module Leaf(std::string_view kind, Operation operation) {
  Module module;
  module.kind = std::string(kind);
  module.operation = std::move(operation);
  return module;
}

absl::Status CheckSize(std::string_view field, int64_t value) {
  const std::string name(field.substr(0, field.find('[')));
  if (value < 1) return base::InvalidField(field, absl::StrCat("must be positive: ", name, "=", value));
  return CheckSizeOrZero(field, value);
}

absl::Status CheckSizeOrZero(std::string_view field, int64_t value) {
  const std::string name(field.substr(0, field.find('[')));
  if (value < 0) return base::InvalidField(field, absl::StrCat("must not be negative: ", name, "=", value));
  if (value > kMaxLayerSize)
    return base::InvalidField(field, absl::StrCat("must be at most 2147483647: ", name, "=", value));
  return absl::OkStatus();
}

absl::Status CheckStated(std::string_view field, const std::optional<int64_t>& stated, int64_t actual,
                         std::string_view what, const Shape& input) {
  if (!stated.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckSize(field, *stated));
  if (*stated == actual) return absl::OkStatus();
  return Mismatch(
      absl::StrCat("expects ", *stated, " ", std::string(what), ", got ", actual, ": shape=", ShapeText(input)));
}

absl::StatusOr<Expansion> ExpandLeaf(const graph::LayerKind& kind, const std::vector<Shape>& inputs) {
  const Arity arity = ArityOf(kind);
  if (inputs.size() < arity.least || inputs.size() > arity.most) {
    std::string expected = absl::StrCat(arity.least);
    if (arity.most > arity.least) absl::StrAppend(&expected, " to ", arity.most);
    return Mismatch(absl::StrCat("expects ", expected, " inputs, got ", inputs.size()));
  }
  static const Shape kNone;
  const LeafExpander expander{inputs, inputs.empty() ? kNone : inputs.front()};
  ASSIGN_OR_RETURN(Expansion expansion, std::visit(expander, kind));
  if (expansion.output.size() > kMaxDimensions) {
    return Mismatch(absl::StrCat("has an output of too many dimensions: dimensions=", expansion.output.size(),
                                 " maximum=", kMaxDimensions));
  }
  RETURN_IF_ERROR(ElementsOf(expansion.output).status());
  return expansion;
}

}  // namespace planner::model
