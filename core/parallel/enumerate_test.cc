#include "core/parallel/enumerate.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::parallel {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

LayoutSpace Space(int64_t layers, int64_t heads, int64_t kv_heads, int64_t global_batch) {
  LayoutSpace space;
  space.shape = model::TransformerShape{.layers = layers, .hidden = heads * 128, .heads = heads, .kv_heads = kv_heads};
  space.positions = 2048;
  space.global_batch = global_batch;
  space.Prepare();
  return space;
}

std::vector<BatchedLayout> All(const LayoutSpace& space, int64_t gpus) {
  std::vector<BatchedLayout> layouts;
  ForEachLayout(space, gpus, [&](const BatchedLayout& layout) { layouts.push_back(layout); });
  return layouts;
}

TEST(ForEachLayoutTest, OneCardHasItsMicrobatchesAndRecomputations) {
  // Batch 4: microbatch 1, 2, 4, each with and without full recomputation.
  EXPECT_THAT(All(Space(2, 4, 4, 4), 1), SizeIs(6));
}

TEST(ForEachLayoutTest, DegreesMultiplyToTheCardsAndTheBatch) {
  const LayoutSpace space = Space(80, 64, 8, 512);
  const std::vector<BatchedLayout> layouts = All(space, 64);
  ASSERT_FALSE(layouts.empty());
  std::set<std::tuple<int64_t, int64_t, int64_t, int64_t, int, int64_t, int>> seen;
  for (const auto& [layout, batch, micro_batches] : layouts) {
    EXPECT_EQ(layout.gpus(), 64);
    EXPECT_EQ(batch, 512);
    EXPECT_EQ(layout.data_parallel * layout.micro_batch_size * micro_batches, 512);
    EXPECT_EQ(64 % layout.tensor_parallel, 0);
    EXPECT_LE(layout.tensor_parallel, 8);
    EXPECT_LE(layout.pipeline_parallel, 80);
    EXPECT_TRUE(seen.emplace(layout.data_parallel, layout.tensor_parallel, layout.pipeline_parallel,
                             layout.micro_batch_size, layout.zero_stage, layout.shard_group,
                             static_cast<int>(layout.recompute))
                    .second);
  }
}

TEST(ForEachLayoutTest, RoundsADefaultBatch) {
  LayoutSpace space = Space(10, 10, 10, 100);
  EXPECT_THAT(All(space, 7),
              Each(testing::Field(&BatchedLayout::layout, testing::Field(&Layout::pipeline_parallel, 7))));
  space.batch_is_default = true;
  const std::vector<BatchedLayout> layouts = All(space, 7);
  const bool data_parallel = std::any_of(layouts.begin(), layouts.end(), [](const BatchedLayout& candidate) {
    return candidate.layout.data_parallel == 7 && candidate.global_batch == 98;  // 14 microbatches of 1.
  });
  EXPECT_TRUE(data_parallel);
}

TEST(ForEachLayoutTest, ChunksShareOutAStageEvenly) {
  // The chunks of 4 stages: of 24 layers each 6 (1, 2, 3, 6), of 22 with embedding and loss too; of 23 none.
  for (const auto& [layers, expected] : {std::pair<int64_t, std::set<int64_t>>{24, {1, 2, 3, 6}}, {22, {1, 2, 3, 6}}, {23, {1}}}) {
    LayoutSpace space = Space(layers, 4, 4, 64);
    space.interleaved = true;
    space.fixed.pipeline_parallel = 4;
    std::set<int64_t> chunks;
    for (const BatchedLayout& one : All(space, 8)) {
      chunks.insert(one.layout.virtual_pipeline);
      if (one.layout.virtual_pipeline > 1) {
        EXPECT_EQ(one.micro_batches % 4, 0);
      }
    }
    EXPECT_EQ(chunks, expected) << layers;
    space.interleaved = false;
    for (const BatchedLayout& one : All(space, 8)) EXPECT_EQ(one.layout.virtual_pipeline, 1);
  }
}

TEST(ForEachLayoutTest, Zero3AlsoShardsWithinDomains) {
  // 64 cards: tensor 1: groups of 8, 16 and 32; tensor 2: 32 replicas, four in a domain: 4, 8 and 16.
  LayoutSpace space = Space(32, 32, 8, 256);
  space.fixed.pipeline_parallel = 1;
  for (const auto& [tensor, expected] : {std::pair<int64_t, std::set<int64_t>>{1, {0, 8, 16, 32}}, {2, {0, 4, 8, 16}}, {8, {0}}}) {
    space.fixed.tensor_parallel = tensor;
    space.Prepare();
    std::set<int64_t> groups;
    for (const BatchedLayout& one : All(space, 64)) {
      if (one.layout.zero_stage < 3) {
        EXPECT_EQ(one.layout.shard_group, 0);
      } else {
        groups.insert(one.layout.shard_group);
      }
    }
    EXPECT_EQ(groups, expected) << tensor;
  }
  space.fixed.tensor_parallel = 1;
  space.fixed.zero_stage = 3;
  space.fixed.shard_group = 16;
  space.Prepare();
  for (const BatchedLayout& one : All(space, 64)) EXPECT_EQ(one.layout.shard_group, 16);
  EXPECT_THAT(All(space, 24), IsEmpty());
}

TEST(ForEachLayoutTest, KeepsToWhatIsFixed) {
  LayoutSpace space = Space(32, 32, 8, 256);
  space.fixed.tensor_parallel = 4;
  space.fixed.pipeline_parallel = 2;
  space.fixed.micro_batch_size = 2;
  space.fixed.zero_stage = 1;
  space.fixed.recompute = Recompute::kSelective;
  space.Prepare();
  const std::vector<BatchedLayout> layouts = All(space, 64);
  ASSERT_THAT(layouts, SizeIs(1));
  EXPECT_EQ(layouts[0].layout.data_parallel, 8);
  EXPECT_EQ(layouts[0].micro_batches, 16);
  EXPECT_THAT(All(space, 12), IsEmpty());
}

TEST(ForEachLayoutTest, WholeExpertsShareTheCardsOfAStage) {
  LayoutSpace space = Space(32, 32, 8, 256);
  space.shape->experts = 6;
  space.Prepare();
  EXPECT_THAT(space.expert_degrees, testing::ElementsAre(1, 2, 3, 6));
  for (const BatchedLayout& candidate : All(space, 16)) {
    const Layout& layout = candidate.layout;
    EXPECT_EQ(layout.tensor_parallel * layout.context_parallel * layout.data_parallel % layout.expert_cards(), 0);
  }
  // 8 cards of one replica: six experts over two of them, not over three or six.
  space.fixed = {.data_parallel = 1, .tensor_parallel = 8, .pipeline_parallel = 1};
  space.Prepare();
  std::set<int64_t> degrees;
  for (const BatchedLayout& candidate : All(space, 8)) degrees.insert(candidate.layout.expert_parallel);
  EXPECT_THAT(degrees, testing::ElementsAre(1, 2));
}

TEST(ForEachLayoutTest, LongSequencesAreSplitByContext) {
  LayoutSpace space = Space(32, 32, 8, 16);
  space.positions = 131072;
  space.Prepare();
  EXPECT_THAT(space.context_degrees, testing::ElementsAre(1, 2, 4, 8, 16, 32, 64));
}

TEST(ForEachLayoutTest, OthersHaveDataParallelismAlone) {
  LayoutSpace space;
  space.global_batch = 1024;
  space.Prepare();
  for (const BatchedLayout& candidate : All(space, 8)) {
    EXPECT_EQ(candidate.layout.data_parallel, 8);
    EXPECT_EQ(candidate.layout.recompute, Recompute::kNone);
  }
}

TEST(HasLayoutTest, AgreesWithTheEnumeration) {
  for (const int64_t batch : {1, 6, 64, 96}) {
    LayoutSpace space = Space(12, 12, 4, batch);
    space.fixed.micro_batch_size = 2;
    space.Prepare();
    for (int64_t gpus = 1; gpus <= 100; ++gpus)
      EXPECT_EQ(HasLayout(space, gpus), !All(space, gpus).empty()) << batch << " " << gpus;
  }
}

TEST(FixedDegreesErrorTest, SaysWhatDoesNotDivide) {
  LayoutSpace space = Space(32, 32, 8, 256);
  EXPECT_EQ(FixedDegreesError(space), std::nullopt);
  space.fixed.tensor_parallel = 3;
  EXPECT_THAT(FixedDegreesError(space).value_or(""), HasSubstr("tensor parallel 3 does not divide 32 heads"));
  space.fixed = {.pipeline_parallel = 33};
  EXPECT_THAT(FixedDegreesError(space).value_or(""), HasSubstr("more than the 32 layers"));
  space.fixed = {.expert_parallel = 2};
  EXPECT_EQ(FixedDegreesError(space), "expert parallel 2: the model has no experts");
  space.shape->experts = 3;
  EXPECT_EQ(FixedDegreesError(space), "expert parallel 2 does not divide 3 experts");
  space.fixed = {.micro_batch_size = 3};
  EXPECT_EQ(FixedDegreesError(space), "microbatch 3 does not divide the global batch of 256");
  space.fixed = {.data_parallel = 512};
  EXPECT_THAT(FixedDegreesError(space).value_or(""), HasSubstr("global batch of 256"));
  space.shape.reset();
  space.fixed = {.tensor_parallel = 2};
  EXPECT_THAT(FixedDegreesError(space).value_or(""), HasSubstr("not a transformer"));
}

}  // namespace
}  // namespace planner::parallel
