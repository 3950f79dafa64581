#include "core/parallel/inference_memory.h"

#include "gtest/gtest.h"

namespace planner::parallel {
namespace {

InferenceMemoryInputs Llama8B() {
  InferenceMemoryInputs inputs;
  inputs.shape = model::TransformerShape{.layers = 32,
                                         .hidden = 4096,
                                         .heads = 32,
                                         .kv_heads = 8,
                                         .qk_dim = 128,
                                         .v_dim = 128,
                                         .ffn = 14336,
                                         .gated = true,
                                         .vocab = 128256};
  inputs.parameters = 8030261248.0;
  inputs.embedding_parameters = 2 * 128256.0 * 4096;
  return inputs;
}

TEST(CacheBytesTest, GroupedQueriesKeepFewerHeads) {
  EXPECT_DOUBLE_EQ(CacheBytes(Llama8B(), 1), 131072);
  EXPECT_DOUBLE_EQ(CacheBytes(Llama8B(), 1280), 1280 * 131072.0);
  InferenceMemoryInputs narrow = Llama8B();
  narrow.cache_bytes = 1;
  EXPECT_DOUBLE_EQ(CacheBytes(narrow, 1), 65536);
}

// DeepSeek-V3: 61 blocks of 512 + 64 elements, which every card needs whole.
TEST(CacheBytesTest, LatentAttentionKeepsItsCompression) {
  InferenceMemoryInputs inputs;
  inputs.shape = model::TransformerShape{
      .layers = 61, .heads = 128, .kv_heads = 128, .qk_dim = 192, .v_dim = 128, .cached_elements = 576};
  EXPECT_DOUBLE_EQ(CacheBytes(inputs, 1), 70272);
  EXPECT_DOUBLE_EQ(CacheShare(inputs, 8), 1);
}

// Half of the blocks look at 4,096 positions: of 10,000 tokens they keep so many.
TEST(CacheBytesTest, WindowsEndTheCache) {
  InferenceMemoryInputs inputs = Llama8B();
  inputs.shape->window = 4096;
  inputs.shape->window_layers = 16;
  EXPECT_DOUBLE_EQ(CacheBytes(inputs, 1000), 1000 * 131072.0);
  EXPECT_DOUBLE_EQ(CacheBytes(inputs, 10000), (10000 + 4096) * 65536.0);
}

// Mamba-130M: 24 blocks x 1,536 channels x (16 states + 4 inputs) x 2 bytes.
TEST(RecurrentBytesTest, AStateDoesNotGrow) {
  InferenceMemoryInputs inputs;
  inputs.state = {24, 24 * 1536 * 20};
  EXPECT_DOUBLE_EQ(RecurrentBytes(inputs), 1474560);
  EXPECT_DOUBLE_EQ(CacheBytes(inputs, 1e6), 0);
}

TEST(CacheShareTest, FewerHeadsThanCardsAreCopied) {
  EXPECT_DOUBLE_EQ(CacheShare(Llama8B(), 2), 0.5);
  EXPECT_DOUBLE_EQ(CacheShare(Llama8B(), 16), 0.125);
}

TEST(MemoryOfServingTest, WeightsByPrecisionAndTablesIn16Bits) {
  InferenceMemoryInputs inputs = Llama8B();
  EXPECT_DOUBLE_EQ(MemoryOfServing(inputs, 1, 1, 1024, 256).weights, 2 * 8030261248.0);
  EXPECT_DOUBLE_EQ(MemoryOfServing(inputs, 4, 1, 1024, 256).weights, 2 * 8030261248.0 / 4);
  inputs.weight_bytes = 0.5;
  const double tables = 2 * 128256.0 * 4096;
  EXPECT_DOUBLE_EQ(MemoryOfServing(inputs, 1, 1, 1024, 256).weights, 0.5 * (8030261248.0 - tables) + 2 * tables);
}

TEST(MostSequencesTest, TheLastOneFitsAndOneMoreDoesNot) {
  const InferenceMemoryInputs inputs = Llama8B();
  constexpr double kCapacity = 80e9;
  const int64_t most = MostSequences(inputs, 1, 1024, 256, kCapacity);
  // (80 - 16.06 - 1.9 of overhead - 2.7 of activations) GB / 168 MB.
  EXPECT_NEAR(static_cast<double>(most), 350, 20);
  EXPECT_LE(MemoryOfServing(inputs, 1, static_cast<double>(most), 1024, 256).total(), kCapacity);
  EXPECT_GT(MemoryOfServing(inputs, 1, static_cast<double>(most + 1), 1024, 256).total(), kCapacity);
  EXPECT_EQ(MostSequences(inputs, 1, 1024, 256, 16e9), 0);
}

}  // namespace
}  // namespace planner::parallel
