#include "core/model/layer_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace planner::model {
namespace {

using graph::Layer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Layer Of(graph::LayerKind kind, std::string name = "", std::vector<std::string> inputs = {}) {
  Layer layer;
  layer.kind = std::move(kind);
  layer.name = std::move(name);
  layer.inputs = std::move(inputs);
  return layer;
}

Layer Repeated(int64_t repeat, Layer layer) {
  layer.repeat = repeat;
  return layer;
}

absl::StatusOr<ModelDescription> Describe(graph::Sizes shape, std::vector<Layer> layers) {
  LayerGraph layer_graph;
  layer_graph.inputs = {{.name = "input", .shape = std::move(shape)}};
  layer_graph.layers = std::move(layers);
  return DescribeLayerGraph(std::move(layer_graph));
}

/// The error of a graph over an input of 1x3x32x32, unless told otherwise.
std::string ErrorOf(std::vector<Layer> layers, graph::Sizes shape = {1, 3, 32, 32}) {
  const auto description = Describe(std::move(shape), std::move(layers));
  EXPECT_EQ(description.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(description.status().message());
}

Module TreeOf(const graph::Sizes& shape, std::vector<Layer> layers, const BatchShape& batch = {}) {
  const auto description = Describe(shape, std::move(layers));
  EXPECT_TRUE(description.ok()) << description.status();
  if (!description.ok()) return {};
  const auto module = description->expand(batch);
  EXPECT_TRUE(module.ok()) << module.status();
  return module.ok() ? *module : Module{};
}

/// The input features that a linear layer at the end sees: the last dimension of what `layers` give.
int64_t WidthAfter(const graph::Sizes& shape, std::vector<Layer> layers) {
  layers.push_back(Of(graph::Linear{.out_features = 1}));
  const Module root = TreeOf(shape, std::move(layers));
  return root.children.empty() ? 0 : std::get<Linear>(root.children.back().operation).in_features;
}

// --- Fields -------------------------------------------------------------------------------------

TEST(LayerGraphFieldsTest, OperationsNameTheirKindAndStateSizesThatExist) {
  EXPECT_THAT(ErrorOf({Of(graph::Operation{.kind = "Cos"})}),
              HasSubstr("layers[0].operation.kind: must be 1 to 64 lower case letters"));
  EXPECT_THAT(ErrorOf({Of(graph::Operation{})}), HasSubstr("layers[0].operation.kind"));
  EXPECT_THAT(ErrorOf({Of(graph::Operation{.kind = "cos", .shape = {-1}})}), HasSubstr("layers[0].operation.shape[0]"));
  EXPECT_THAT(ErrorOf({Of(graph::Operation{.kind = "cos", .shape = graph::Sizes(9, 1)})}),
              HasSubstr("1 to 8 dimensions"));
  EXPECT_THAT(ErrorOf({Of(graph::Operation{.kind = "cos", .shape = {1, 1, 1, 1, 0}})}),
              HasSubstr("takes a size from a dimension that its first input does not have: dimension=4"));
  EXPECT_THAT(ErrorOf({Of(graph::Operation{.kind = "cos", .flops_per_element = -1})}),
              HasSubstr("layers[0].operation.flops_per_element"));
  EXPECT_THAT(
      ErrorOf({Of(graph::Parameter{.shape = {5}}, "p"), Of(graph::Operation{.kind = "cos"}, "", {"input", "p"})}),
      HasSubstr("broadcast"));
  EXPECT_EQ(WidthAfter({2, 3}, {Of(graph::Operation{.kind = "gather", .shape = {0, 4, 9}})}), 9);
}

TEST(LayerGraphFieldsTest, SizesMustBePositive) {
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .kernel = {3, -1}})}),
              HasSubstr("layers[0].conv.kernel[1]: must be positive"));
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .kernel = {0}})}), HasSubstr("kernel=0"));
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 0, .kernel = {3}})}),
              HasSubstr("layers[0].conv.out_channels"));
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .kernel = {3}, .padding = {-1}})}),
              HasSubstr("padding=-1"));
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .kernel = {3}, .groups = 0})}), HasSubstr("groups=0"));
  EXPECT_THAT(ErrorOf({Of(graph::Linear{.out_features = -5})}),
              HasSubstr("layers[0].linear.out_features: must be positive: out_features=-5"));
  EXPECT_THAT(ErrorOf({Of(graph::Linear{.out_features = int64_t{1} << 40})}), HasSubstr("at most 2147483647"));
  EXPECT_THAT(ErrorOf({Of(graph::Recurrent{.hidden_size = 0})}), HasSubstr("hidden_size=0"));
  EXPECT_THAT(ErrorOf({Of(graph::Embedding{.entries = 10, .width = 0})}), HasSubstr("width=0"));
  EXPECT_THAT(ErrorOf({Of(graph::Parameter{})}), HasSubstr("layers[0].parameter.shape: is required"));
}

TEST(LayerGraphFieldsTest, KernelIsRequiredAndFitsTheDimensions) {
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8})}), HasSubstr("layers[0].conv.kernel: is required"));
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .kernel = {3, 3, 3}})}),
              HasSubstr("one for each spatial dimension of the input: values=3 dimensions=2"));
}

TEST(LayerGraphFieldsTest, GroupsDivideChannels) {
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .kernel = {3}, .groups = 3})}),
              HasSubstr("layers[0].conv.groups: must divide out_channels: groups=3 out_channels=8"));
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .kernel = {3}, .groups = 2})}),
              HasSubstr("must divide the input's channels: groups=2 in_channels=3"));
  EXPECT_THAT(ErrorOf({Of(graph::Norm{.kind = NormKind::kGroupNorm, .groups = 2})}), HasSubstr("groups=2 channels=3"));
}

TEST(LayerGraphFieldsTest, SameNeedsStrideOne) {
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .kernel = {3}, .stride = {2}, .same = true})}),
              HasSubstr("layers[0].conv.same: needs stride 1"));
}

TEST(LayerGraphFieldsTest, HeadsDivideHidden) {
  EXPECT_THAT(ErrorOf({Of(graph::TransformerBlocks{.heads = 7, .ffn = 64})}, {1, 10, 64}),
              HasSubstr("layers[0].transformer_encoder.heads: must divide hidden: heads=7 hidden=64"));
  EXPECT_THAT(ErrorOf({Of(graph::TransformerBlocks{.heads = 8, .kv_heads = 3, .ffn = 64})}, {1, 10, 64}),
              HasSubstr("must divide heads: kv_heads=3 heads=8"));
  EXPECT_THAT(ErrorOf({Of(graph::MultiHeadAttention{.heads = 0})}, {1, 10, 64}), HasSubstr("heads=0"));
}

TEST(LayerGraphFieldsTest, ExpertsAreChecked) {
  graph::TransformerBlocks blocks{.heads = 8,
                                  .moe = graph::MixtureOfExperts{.experts = 4, .top_k = 5, .expert_ffn = 64}};
  EXPECT_THAT(ErrorOf({Of(blocks)}, {1, 10, 64}), HasSubstr("moe.top_k: must be at most experts: top_k=5 experts=4"));
  blocks.moe = graph::MixtureOfExperts{.experts = 4, .top_k = 2};
  EXPECT_THAT(ErrorOf({Of(blocks)}, {1, 10, 64}), HasSubstr("moe.expert_ffn: is required, or else ffn"));
}

TEST(LayerGraphFieldsTest, ProjectionIsForLstmAndSmall) {
  EXPECT_THAT(
      ErrorOf({Of(graph::Recurrent{.cell = RecurrentCell::kGru, .hidden_size = 8, .projection = 4})}, {1, 5, 8}),
      HasSubstr("layers[0].recurrent.projection: is for LSTM only"));
  EXPECT_THAT(ErrorOf({Of(graph::Recurrent{.hidden_size = 8, .projection = 8})}, {1, 5, 8}),
              HasSubstr("less than hidden_size"));
}

TEST(LayerGraphFieldsTest, PoolsAreChecked) {
  EXPECT_THAT(ErrorOf({Of(graph::Pool{.kernel = {2}, .padding = {2}})}), HasSubstr("at most half the kernel"));
  EXPECT_THAT(ErrorOf({Of(graph::Upsample{})}), HasSubstr("layers[0].upsample.size"));
  EXPECT_THAT(ErrorOf({Of(graph::Upsample{.scale = {-1.0}})}), HasSubstr("scale=-1"));
}

// --- Shapes -------------------------------------------------------------------------------------

TEST(LayerGraphShapesTest, AWrongShapeNamesTheLayerAndWhatItExpects) {
  EXPECT_THAT(ErrorOf({Of(graph::Flatten{}), Of(graph::Linear{.out_features = 10, .in_features = 2048}, "fc")}),
              HasSubstr("layers[1]: \"fc\" expects 2048 input features, got 3072: shape=1x3072"));
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .in_channels = 4, .kernel = {3}})}),
              HasSubstr("layers[0]: conv expects 4 input channels, got 3"));
  EXPECT_THAT(ErrorOf({Of(graph::Convolution{.out_channels = 8, .kernel = {33}}, "stem")}),
              HasSubstr("\"stem\" expects a padded input"));
  EXPECT_THAT(ErrorOf({Of(graph::Recurrent{.hidden_size = 8})}),
              HasSubstr("expects an input of batch, steps and features: shape=1x3x32x32"));
  EXPECT_THAT(ErrorOf({Of(graph::Linear{.out_features = 8}), Of(graph::Add{}, "sum", {"0", "input"})}),
              HasSubstr("\"sum\" expects inputs that broadcast"));
  EXPECT_THAT(ErrorOf({Of(graph::Concat{.dimension = 2}, "", {"input"})}),
              HasSubstr("expects 2 to 1024 inputs, got 1"));
  EXPECT_THAT(ErrorOf({Of(graph::PositionEmbedding{.entries = 4})}, {1, 5, 8}), HasSubstr("positions=5 entries=4"));
}

TEST(LayerGraphShapesTest, AResidualMustKeepItsShape) {
  graph::Residual residual;
  residual.body = {Of(graph::Convolution{.out_channels = 8, .kernel = {3}, .padding = {1}})};
  EXPECT_THAT(ErrorOf({Of(residual, "block")}),
              HasSubstr("\"block\" expects a body and a shortcut of one shape: 1x8x32x32 and 1x3x32x32"));
  residual.shortcut = {Of(graph::Convolution{.out_channels = 8, .kernel = {1}})};
  EXPECT_TRUE(Describe({1, 3, 32, 32}, {Of(residual)}).ok());
}

TEST(LayerGraphShapesTest, PathsOfNestedLayers) {
  graph::Residual residual;
  residual.body = {Of(graph::Dropout{}), Of(graph::Linear{.out_features = 0})};
  EXPECT_THAT(ErrorOf({Of(graph::Sequence{{Of(residual)}})}),
              HasSubstr("layers[0].sequence.layers[0].residual.body[1].linear.out_features: must be positive"));
}

TEST(LayerGraphShapesTest, OutputsFollowTorch) {
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::TransposedConvolution{.out_channels = 4, .kernel = {3}, .stride = {2}})}),
            21);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Pool{.kernel = {3}})}), 3);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::AdaptivePool{.output_size = {7}})}), 7);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::GlobalPool{})}), 8);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Upsample{.scale = {1.55}})}), 15);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Upsample{.size = {33}})}), 33);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Recurrent{.hidden_size = 6, .bidirectional = true})}), 12);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Recurrent{.hidden_size = 6, .bidirectional = true, .projection = 5})}),
            10);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Activation{.kind = graph::ActivationKind::kGlu})}), 5);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Flatten{})}), 80);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Flatten{.start = 0, .end = 1})}), 10);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Reshape{{0, -1, 16}})}), 16);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Permute{{0, 2, 1}})}), 8);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Select{.dimension = 2, .index = -1})}), 8);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Slice{.dimension = -1, .start = 2, .end = -1})}), 7);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Slice{.dimension = -1, .start = -4})}), 4);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Reduce{.dimensions = {2}})}), 8);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Reduce{.dimensions = {-1}, .keep_dimensions = true})}), 1);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::Concat{.dimension = 2}, "", {"input", "input", "input"})}), 30);
  EXPECT_EQ(WidthAfter({2, 8, 10}, {Of(graph::MatrixProduct{.transpose_second = true}, "", {"input", "input"})}), 8);
  EXPECT_EQ(WidthAfter({2, 8}, {Of(graph::Embedding{.entries = 9, .width = 5})}), 5);
}

TEST(LayerGraphShapesTest, TensorsThatAreTooLargeAreAnError) {
  std::vector<Layer> layers = {Of(graph::Parameter{{2147483647, 2147483647}})};
  EXPECT_THAT(ErrorOf(std::move(layers)), HasSubstr("2^60"));
}

TEST(LayerGraphShapesTest, DimensionsAreBounded) {
  const Layer embedding = Of(graph::Embedding{.entries = 1, .width = 1});
  EXPECT_TRUE(Describe({1}, {Repeated(7, embedding)}).ok());
  EXPECT_THAT(ErrorOf({Repeated(8, embedding)}, {1}), HasSubstr("too many dimensions: dimensions=9 maximum=8"));
}

// --- Names and structure --------------------------------------------------------------------------

TEST(LayerGraphStructureTest, CyclesAreErrors) {
  EXPECT_THAT(ErrorOf({Of(graph::Add{}, "a", {"input", "b"}), Of(graph::Dropout{}, "b", {"a"})}),
              HasSubstr("layers[0].inputs[1]: makes a cycle"));
  EXPECT_THAT(ErrorOf({Of(graph::Add{}, "a", {"input", "a"})}), HasSubstr("\"a\" is the layer itself"));
}

TEST(LayerGraphStructureTest, UnknownInputsAreErrors) {
  EXPECT_THAT(ErrorOf({Of(graph::Dropout{}, "a", {"nobody"})}),
              HasSubstr("layers[0].inputs[0]: names no earlier layer"));
}

TEST(LayerGraphStructureTest, NamesAreUnique) {
  EXPECT_THAT(ErrorOf({Of(graph::Dropout{}, "a"), Of(graph::Dropout{}, "a")}), HasSubstr("layers[1].name: is taken"));
  EXPECT_THAT(ErrorOf({Of(graph::Dropout{}, "1"), Of(graph::Dropout{})}), HasSubstr("name=1"));
  EXPECT_THAT(ErrorOf({Of(graph::Dropout{}, "input")}), HasSubstr("inputs[0].name: is taken by a layer"));
  EXPECT_THAT(ErrorOf({Of(graph::Dropout{}, "a.b")}), HasSubstr("no dot"));
  EXPECT_TRUE(Describe({1, 4}, {Of(graph::Sequence{{Of(graph::Dropout{}, "a")}}, "a")}).ok());
}

TEST(LayerGraphStructureTest, EmptyGraphsAndBodiesAreErrors) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("layers: needs at least one layer"));
  EXPECT_THAT(ErrorOf({Of(graph::Sequence{})}), HasSubstr("layers[0].sequence.layers: needs at least one layer"));
  LayerGraph without_inputs;
  without_inputs.layers = {Of(graph::Dropout{})};
  EXPECT_THAT(std::string(DescribeLayerGraph(without_inputs).status().message()),
              HasSubstr("inputs: needs at least one input"));
  EXPECT_THAT(ErrorOf({Of(graph::Dropout{})}, {}), HasSubstr("inputs[0].shape"));
  EXPECT_THAT(ErrorOf({Of(graph::Dropout{})}, {1, -3}), HasSubstr("inputs[0].shape[1]: must be positive: shape=-3"));
}

TEST(LayerGraphStructureTest, RepeatsAreBounded) {
  EXPECT_THAT(ErrorOf({Repeated(0, Of(graph::Dropout{}))}), HasSubstr("layers[0].repeat"));
  EXPECT_THAT(ErrorOf({Repeated(100000, Of(graph::Sequence{{Repeated(100000, Of(graph::Dropout{}))}}))}),
              HasSubstr("layers[0].sequence.layers[0]: makes more layers than can be planned"));
}

TEST(LayerGraphStructureTest, NestingIsBounded) {
  const auto nested = [](int depth) {
    Layer layer = Of(graph::Dropout{});
    for (int i = 1; i < depth; ++i) layer = Of(graph::Sequence{{std::move(layer)}});
    return layer;
  };
  EXPECT_TRUE(Describe({1, 4}, {nested(kMaxLayerNesting)}).ok());
  EXPECT_THAT(ErrorOf({nested(kMaxLayerNesting + 1)}), HasSubstr("nested too deeply"));
}

TEST(LayerGraphStructureTest, BodiesSeeWhatIsAroundThem) {
  // A squeeze-and-excitation body scales its own input; the layer after it reads a layer outside of it.
  graph::Sequence excitation{{Of(graph::GlobalPool{.keep_dimensions = true}), Of(graph::Activation{}, "gate"),
                              Of(graph::Multiply{}, "", {"$input", "gate"}), Of(graph::Add{}, "", {"2", "stem"})}};
  EXPECT_EQ(WidthAfter({1, 3, 8, 16}, {Of(graph::Dropout{}, "stem"), Of(excitation)}), 16);
}

TEST(LayerGraphStructureTest, WhatStandsInABodyIsNotSeenOutside) {
  EXPECT_THAT(ErrorOf({Of(graph::Sequence{{Of(graph::Dropout{}, "inner")}}), Of(graph::Dropout{}, "", {"inner"})}),
              HasSubstr("names no earlier layer"));
}

TEST(LayerGraphStructureTest, RepeatsThatKeepTheShapeAreOneModule) {
  const Module root = TreeOf({2, 64}, {Repeated(5, Of(graph::Linear{.out_features = 64}, "fc"))});
  ASSERT_EQ(root.children.size(), 1u);
  EXPECT_EQ(root.children[0].name, "fc");
  EXPECT_EQ(root.children[0].instances, 5);
  EXPECT_EQ(root.children[0].calls, 5);
}

TEST(LayerGraphStructureTest, RepeatsThatChangeTheShapeAreUnrolledUntilTheyDoNot) {
  const Module root = TreeOf({2, 32}, {Repeated(5, Of(graph::Linear{.out_features = 64}, "fc"))});
  ASSERT_EQ(root.children.size(), 1u);
  const std::vector<Module>& runs = root.children[0].children;
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].name, "0");
  EXPECT_EQ(std::get<Linear>(runs[0].operation).in_features, 32);
  EXPECT_EQ(runs[1].name, "1-4");
  EXPECT_EQ(runs[1].instances, 4);
  EXPECT_EQ(std::get<Linear>(runs[1].operation).in_features, 64);
}

TEST(LayerGraphStructureTest, TiedWeightsMustFit) {
  const Layer embedding = Of(graph::Embedding{.entries = 100, .width = 32}, "wte");
  EXPECT_THAT(ErrorOf({embedding, Of(graph::Linear{.out_features = 99, .tied_to = "wte"}, "head")}, {1, 8}),
              HasSubstr("\"head\" expects a table of its own size"));
  EXPECT_THAT(ErrorOf({embedding, Of(graph::Linear{.out_features = 100, .tied_to = "nobody"})}, {1, 8}),
              HasSubstr("layers[1].linear.tied_to: names no earlier embedding layer"));
}

// --- Batches ------------------------------------------------------------------------------------

TEST(LayerGraphBatchTest, BatchReplacesTheBatchDimension) {
  const Module root = TreeOf({4, 3, 32, 32}, {Of(graph::Convolution{.out_channels = 8, .kernel = {3}})}, {.batch = 16});
  EXPECT_EQ(std::get<Convolution>(root.children[0].operation).batch, 16);
}

TEST(LayerGraphBatchTest, InputsReplaceShapes) {
  const Module root = TreeOf({4, 3, 32, 32}, {Of(graph::Convolution{.out_channels = 8, .kernel = {3}})},
                             {.batch = 16, .inputs = {{2, 3, 64, 48}}});
  const auto& conv = std::get<Convolution>(root.children[0].operation);
  EXPECT_EQ(conv.batch, 2);
  EXPECT_THAT(conv.in_size, ElementsAre(64, 48));
  EXPECT_THAT(conv.out_size, ElementsAre(62, 46));
}

TEST(LayerGraphBatchTest, ShapesThatDoNotFitAreErrors) {
  const auto description = Describe({4, 3, 32, 32}, {Of(graph::Convolution{.out_channels = 8, .kernel = {5}}, "stem")});
  ASSERT_TRUE(description.ok());
  const auto error = [&](const BatchShape& batch) {
    return std::string(description->expand(batch).status().message());
  };
  EXPECT_THAT(error({.inputs = {{1, 3, 32}}}), HasSubstr("inputs[0]: must have as many dimensions"));
  EXPECT_THAT(error({.inputs = {{1, 3, 32, 0}}}), HasSubstr("inputs[0][3]: must be positive"));
  EXPECT_THAT(error({.inputs = {{1, 3, 32, 4}}}), HasSubstr("layers[0]: \"stem\" expects a padded input"));
  EXPECT_THAT(error({.inputs = {{1, 3, 32, 32}, {1}}}), HasSubstr("more shapes than the model has inputs"));
  EXPECT_THAT(error({.batch = 0}), HasSubstr("batch: must be positive"));
  // Four channels would be another model: its weights are for three.
  EXPECT_THAT(error({.inputs = {{1, 4, 32, 32}}}), HasSubstr("inputs: do not fit the weights of \"stem\": weights=3"));
}

TEST(LayerGraphBatchTest, SequenceLengthReplacesTheSequenceDimension) {
  const auto tokens = Describe({1, 16}, {Of(graph::Embedding{.entries = 100, .width = 32})});
  ASSERT_TRUE(tokens.ok());
  EXPECT_TRUE(tokens->has_sequence);
  EXPECT_EQ(tokens->default_seq_len, 16);
  const auto root = tokens->expand({.batch = 2, .seq_len = 64});
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(std::get<Embedding>(root->children[0].operation).rows, 128);

  const auto image = Describe({4, 3, 32, 32}, {Of(graph::Flatten{})});
  ASSERT_TRUE(image.ok());
  EXPECT_FALSE(image->has_sequence);
  EXPECT_EQ(image->default_batch, 4);
}

// --- Description ----------------------------------------------------------------------------------

TEST(LayerGraphDescriptionTest, BlocksFillTheTransformerShape) {
  const auto description = Describe(
      {1, 16}, {Of(graph::Embedding{.entries = 1000, .width = 64}), Of(graph::PositionEmbedding{.entries = 128}),
                Repeated(3, Of(graph::TransformerBlocks{
                                .decoder = true, .layers = 2, .heads = 8, .kv_heads = 2, .ffn = 256, .gated = true})),
                Of(graph::Linear{.out_features = 1000})});
  ASSERT_TRUE(description.ok()) << description.status();
  ASSERT_TRUE(description->transformer.has_value());
  const TransformerShape& shape = *description->transformer;
  EXPECT_EQ(shape.layers, 6);
  EXPECT_EQ(shape.hidden, 64);
  EXPECT_EQ(shape.heads, 8);
  EXPECT_EQ(shape.kv_heads, 2);
  EXPECT_EQ(shape.qk_dim, 8);
  EXPECT_EQ(shape.ffn, 256);
  EXPECT_TRUE(shape.gated);
  EXPECT_TRUE(shape.causal);
  EXPECT_EQ(shape.vocab, 1000);
  EXPECT_EQ(description->max_seq_len, 128);
  const auto root = description->expand({});
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->children[0].role, Role::kEmbedding);
  EXPECT_EQ(root->children[1].role, Role::kEmbedding);
  EXPECT_EQ(root->children[2].children[0].role, Role::kBlock);
  EXPECT_EQ(root->children[3].role, Role::kHead);
}

TEST(LayerGraphDescriptionTest, OtherGraphsHaveNoTransformerShape) {
  const auto description = Describe({1, 3, 32, 32}, {Of(graph::Flatten{})});
  ASSERT_TRUE(description.ok());
  EXPECT_FALSE(description->transformer.has_value());
  EXPECT_EQ(description->family, "layer_graph");
  EXPECT_EQ(description->kind, ModelKind::kLayerGraph);
}

TEST(LayerGraphStructureTest, SharedLayersHaveNoInstances) {
  Layer again = Of(graph::Linear{.out_features = 4});
  again.shared = true;
  const Module root = TreeOf({1, 4}, {Of(graph::Linear{.out_features = 4}), again});
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(root.children[0].instances, 1);
  EXPECT_EQ(root.children[1].instances, 0);
  EXPECT_EQ(root.children[1].calls, 1);
}

}  // namespace
}  // namespace planner::model
