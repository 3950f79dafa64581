#include "core/counting/operation_cost.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace planner::counting {
namespace {

int64_t Value(base::Checked count) { return count.Value().value(); }

TEST(OperationCostTest, LinearCountsBiasApart) {
  const OperationCost cost = CostOf(model::Linear{.rows = 4, .in_features = 3, .out_features = 5, .bias = true});
  EXPECT_EQ(Value(cost.macs), 60);
  EXPECT_EQ(Value(cost.other_flops), 20);
  EXPECT_EQ(Value(cost.parameters), 20);
  EXPECT_EQ(Value(cost.saved_elements), 12);
}

TEST(OperationCostTest, TiedHeadOwnsOnlyItsBias) {
  const OperationCost cost =
      CostOf(model::Linear{.rows = 1, .in_features = 8, .out_features = 100, .bias = true, .tied = true, .head = true});
  EXPECT_EQ(Value(cost.parameters), 100);
  EXPECT_EQ(Value(cost.embedding_parameters), 100);
  EXPECT_EQ(Value(cost.macs), 800);
}

TEST(OperationCostTest, ConvolutionOfPublishedRows) {
  // conv2d 64 -> 128, 3x3, padding 1, 56x56.
  const OperationCost dense = CostOf(model::Convolution{.in_channels = 64,
                                                        .out_channels = 128,
                                                        .kernel = {3, 3},
                                                        .in_size = {56, 56},
                                                        .out_size = {56, 56},
                                                        .bias = true});
  EXPECT_EQ(Value(dense.macs), 231211008);
  EXPECT_EQ(Value(dense.parameters), 73856);
  // The same input, depthwise.
  const OperationCost depthwise = CostOf(model::Convolution{.in_channels = 64,
                                                            .out_channels = 64,
                                                            .groups = 64,
                                                            .kernel = {3, 3},
                                                            .in_size = {56, 56},
                                                            .out_size = {56, 56},
                                                            .bias = true});
  EXPECT_EQ(Value(depthwise.macs), 1806336);
  EXPECT_EQ(Value(depthwise.parameters), 640);
}

TEST(OperationCostTest, TransposedConvolutionCountsInputPositions) {
  // ConvTranspose2d 64 -> 32, 4x4, stride 2, padding 1, from 28x28 to 56x56.
  model::Convolution conv{.in_channels = 64,
                          .out_channels = 32,
                          .kernel = {4, 4},
                          .in_size = {28, 28},
                          .out_size = {56, 56},
                          .bias = true,
                          .transposed = true};
  EXPECT_EQ(Value(CostOf(conv).macs), 25690112);
  EXPECT_EQ(Value(CostOf(conv).parameters), 32800);
  EXPECT_EQ(Value(CostOf(conv).other_flops), 32 * 56 * 56);
  conv.groups = 4;
  EXPECT_EQ(Value(CostOf(conv).macs), 6422528);
  EXPECT_EQ(Value(CostOf(conv).parameters), 8224);
}

TEST(OperationCostTest, AttentionInFullAndItsCausalHalf) {
  const OperationCost cost = CostOf(model::Attention{
      .batch = 2, .heads = 3, .kv_heads = 1, .queries = 5, .keys = 5, .qk_dim = 4, .v_dim = 6, .causal = true});
  EXPECT_EQ(Value(cost.macs), 2 * 3 * 25 * 10);
  EXPECT_EQ(Value(cost.causal_macs), 2 * 3 * 25 * 10 / 2);
}

TEST(OperationCostTest, SlidingWindowBoundsTheKeys) {
  model::Attention attention{
      .heads = 1, .queries = 100, .keys = 100, .qk_dim = 1, .v_dim = 1, .causal = true, .window = 10};
  EXPECT_EQ(Value(CostOf(attention).macs), 2 * 100 * 10);
  EXPECT_EQ(Value(CostOf(attention).causal_macs), 2 * (100 * 10 - 50));
  attention.window = 100;  // A window as long as the sequence is none.
  EXPECT_EQ(Value(CostOf(attention).causal_macs), 100 * 100);
}

TEST(OperationCostTest, ChunkedAttentionStaysWithinItsChunks) {
  const OperationCost cost =
      CostOf(model::Attention{.queries = 25, .keys = 25, .causal = true, .window = 10, .chunked = true});
  EXPECT_EQ(Value(cost.macs), 2 * (100 + 100 + 25));
  EXPECT_EQ(Value(cost.causal_macs), 100 + 100 + 25);
}

TEST(OperationCostTest, RecurrentCellsOfPublishedRows) {
  model::Recurrent cell{.cell = model::RecurrentCell::kLstm, .steps = 50, .input_size = 128, .hidden_size = 256};
  EXPECT_EQ(Value(CostOf(cell).macs), 19660800);
  EXPECT_EQ(Value(CostOf(cell).parameters), 395264);
  cell.projection = 64;
  EXPECT_EQ(Value(CostOf(cell).macs), 10649600);
  EXPECT_EQ(Value(CostOf(cell).parameters), 215040);
  cell.projection = 0;
  cell.layers = 2;
  cell.bidirectional = true;
  EXPECT_EQ(Value(CostOf(cell).macs), 117964800);
  EXPECT_EQ(Value(CostOf(cell).parameters), 2367488);
  cell = {.cell = model::RecurrentCell::kGru, .steps = 50, .input_size = 128, .hidden_size = 256};
  EXPECT_EQ(Value(CostOf(cell).macs), 14745600);
  EXPECT_EQ(Value(CostOf(cell).parameters), 296448);
  cell.cell = model::RecurrentCell::kRnn;
  EXPECT_EQ(Value(CostOf(cell).macs), 4915200);
  EXPECT_EQ(Value(CostOf(cell).parameters), 98816);
}

TEST(OperationCostTest, NormsCountStatisticsAndAffine) {
  EXPECT_EQ(Value(CostOf(model::Norm{.kind = model::NormKind::kLayerNorm, .elements = 10, .width = 5, .shift = true})
                      .other_flops),
            70);
  EXPECT_EQ(Value(CostOf(model::Norm{.kind = model::NormKind::kRmsNorm, .elements = 10, .width = 5}).other_flops), 40);
  EXPECT_EQ(Value(CostOf(model::Norm{.kind = model::NormKind::kLayerNorm, .elements = 10, .width = 5, .scale = false})
                      .parameters),
            0);
}

TEST(OperationCostTest, AFusedProductKeepsNoFactors) {
  model::MatrixProduct product{.batch = 2, .m = 3, .k = 5, .n = 7};
  EXPECT_EQ(Value(CostOf(product).macs), 210);
  EXPECT_EQ(Value(CostOf(product).saved_elements), 2 * 5 * (3 + 7));
  product.keeps_factors = false;
  EXPECT_EQ(Value(CostOf(product).macs), 210);
  EXPECT_EQ(Value(CostOf(product).saved_elements), 0);
}

TEST(OperationCostTest, OverflowIsSaidNotWrapped) {
  EXPECT_TRUE(CostOf(model::Linear{.rows = int64_t{1} << 40, .in_features = int64_t{1} << 30, .out_features = 2})
                  .macs.overflowed());
  EXPECT_TRUE(CostOf(model::Attention{.queries = int64_t{1} << 40, .keys = int64_t{1} << 40}).macs.overflowed());
}

}  // namespace
}  // namespace planner::counting
