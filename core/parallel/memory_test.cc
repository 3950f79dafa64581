#include "core/parallel/memory.h"

#include <limits>

#include "gtest/gtest.h"

namespace planner::parallel {
namespace {

/// GPT-3 as K22 and SC21 describe it.
MemoryInputs Gpt3() {
  MemoryInputs inputs;
  inputs.shape = model::TransformerShape{.layers = 96,
                                         .hidden = 12288,
                                         .heads = 96,
                                         .kv_heads = 96,
                                         .qk_dim = 128,
                                         .v_dim = 128,
                                         .ffn = 49152,
                                         .vocab = 50257,
                                         .tied_embeddings = true};
  inputs.parameters = 174604259328.0;
  inputs.embedding_parameters = 50257.0 * 12288 + 2048 * 12288;
  inputs.recipe = {2, 2, 12};
  inputs.positions = 2048;
  inputs.flash_attention = false;
  return inputs;
}

/// LLaMA-3 70B: gated, 8 key-value heads.
MemoryInputs Llama70B() {
  MemoryInputs inputs;
  inputs.shape = model::TransformerShape{.layers = 80,
                                         .hidden = 8192,
                                         .heads = 64,
                                         .kv_heads = 8,
                                         .qk_dim = 128,
                                         .v_dim = 128,
                                         .ffn = 28672,
                                         .gated = true,
                                         .vocab = 128256};
  inputs.parameters = 70553706496.0;
  inputs.embedding_parameters = 2 * 128256.0 * 8192;
  inputs.recipe = {2, 4, 12};
  inputs.positions = 8192;
  return inputs;
}

Layout Degrees(int64_t data, int64_t tensor, int64_t pipeline) {
  Layout layout;
  layout.data_parallel = data;
  layout.tensor_parallel = tensor;
  layout.pipeline_parallel = pipeline;
  return layout;
}

// ZeRO (1910.02054), figure 1: 7.5B parameters, K = 12, 64 cards.
TEST(ShardedStateTest, MatchesTheZeroPaper) {
  const hardware::Recipe recipe{2, 2, 12};
  EXPECT_NEAR(ShardedState(7.5e9, recipe, 0, 64).total() / 1e9, 120, 0.05);
  EXPECT_NEAR(ShardedState(7.5e9, recipe, 1, 64).total() / 1e9, 31.4, 0.05);
  EXPECT_NEAR(ShardedState(7.5e9, recipe, 2, 64).total() / 1e9, 16.6, 0.05);
  EXPECT_NEAR(ShardedState(7.5e9, recipe, 3, 64).total() / 1e9, 1.9, 0.05);
}

// K22 (2205.05198), table 2, at s = 2048, b = 1, h = 12288, a = 96: 5 a s / h = 80.
TEST(BlockActivationTest, MatchesK22Table2) {
  const MemoryInputs gpt3 = Gpt3();
  const double sbh = 2048.0 * 12288;
  Layout layout;
  layout.sequence_parallel = false;
  EXPECT_DOUBLE_EQ(BlockActivationBytes(gpt3, layout), sbh * (34 + 80));
  layout.tensor_parallel = 8;
  EXPECT_DOUBLE_EQ(BlockActivationBytes(gpt3, layout), sbh * (10 + 24.0 / 8 + 80.0 / 8));
  layout.recompute = Recompute::kSelective;
  EXPECT_DOUBLE_EQ(BlockActivationBytes(gpt3, layout), sbh * (10 + 24.0 / 8));
  layout.sequence_parallel = true;
  EXPECT_DOUBLE_EQ(BlockActivationBytes(gpt3, layout), 106954752);
  layout.recompute = Recompute::kNone;
  EXPECT_DOUBLE_EQ(BlockActivationBytes(gpt3, layout), sbh / 8 * (34 + 80));
  layout.context_parallel = 2;
  layout.micro_batch_size = 4;
  EXPECT_DOUBLE_EQ(BlockActivationBytes(gpt3, layout), 2 * sbh / 8 * (34 + 80));
}

// 8 h + 4 q + 4 k d + 6 f + 4 a = 65536 + 32768 + 4096 + 172032 + 256 bytes a token: 33.5 h.
TEST(BlockActivationTest, CountsGatedBlocksWithFlashAttention) {
  const MemoryInputs llama = Llama70B();
  EXPECT_DOUBLE_EQ(BlockActivationBytes(llama, {}), 8192.0 * 274688);
  EXPECT_NEAR(274688 / 8192.0, 33.5, 0.05);
  Layout eight;
  eight.tensor_parallel = 8;
  EXPECT_DOUBLE_EQ(BlockActivationBytes(llama, eight), 1024.0 * 274688);
}

TEST(BlockActivationTest, CountsTheExpertsOfAToken) {
  MemoryInputs mixtral = Llama70B();
  mixtral.positions = 1;
  mixtral.shape->layers = mixtral.shape->moe_layers = 32;
  mixtral.shape->experts = 8;
  mixtral.shape->experts_per_token = 2;
  mixtral.shape->expert_ffn = 14336;
  // Without the dense 6 f: 102,656; 2 x (6 x 14336 + 4 x 8192) + 8 x 8 more.
  EXPECT_DOUBLE_EQ(BlockActivationBytes(mixtral, {}), 102656 + 2 * (86016 + 32768) + 64);
}

TEST(PeakMemoryTest, SplitsStatesOverTensorPipelineAndShards) {
  const MemoryInputs gpt3 = Gpt3();
  Layout layout = Degrees(16, 8, 8);
  layout.recompute = Recompute::kFull;
  const MemoryPerGpu memory = PeakMemory(gpt3, layout, 96);
  // Of the first stage: 12 blocks of 1,812,098,480 (the final norm spread over them) and the tables, over 8 cards.
  const double owned = (12 * (gpt3.parameters - gpt3.embedding_parameters) / 96 + gpt3.embedding_parameters) / 8;
  EXPECT_NEAR(static_cast<double>(memory.parameter_bytes), 2 * owned, 2);
  EXPECT_NEAR(static_cast<double>(memory.gradient_bytes), 2 * owned, 2);
  EXPECT_NEAR(static_cast<double>(memory.optimizer_bytes), 12 * owned / 16, 2);
  // 8 microbatches of 12 checkpoints of 2 s h / 8 bytes, and one block at work.
  EXPECT_EQ(memory.activation_bytes, (8 * 12 * 2 + 114) * (2048ll * 12288 / 8));
}

TEST(PeakMemoryTest, KeepsAMicrobatchInFlightPerStageButNoMoreThanThereAre) {
  const MemoryInputs gpt3 = Gpt3();
  const Layout layout = Degrees(1, 8, 16);
  const int64_t four = PeakMemory(gpt3, layout, 4).activation_bytes;
  EXPECT_EQ(PeakMemory(gpt3, layout, 8).activation_bytes, 2 * four);
  EXPECT_EQ(PeakMemory(gpt3, layout, 16).activation_bytes, PeakMemory(gpt3, layout, 1000).activation_bytes);
  Layout interleaved = layout;
  interleaved.virtual_pipeline = 3;
  EXPECT_NEAR(static_cast<double>(PeakMemory(gpt3, interleaved, 64).activation_bytes) /
                  static_cast<double>(PeakMemory(gpt3, layout, 64).activation_bytes),
              1 + 15.0 / 48, 1e-6);  // K22: 1 + (p - 1)/(p v).
}

TEST(PeakMemoryTest, TheLastStageDecidesWhereTheVocabularyIsLarge) {
  MemoryInputs llama = Llama70B();
  llama.shape->vocab = 2000000;
  llama.embedding_parameters = 0;
  const Layout layout = Degrees(1, 1, 2);
  EXPECT_GE(PeakMemory(llama, layout, 1).activation_bytes, 6 * 8192ll * 2000000);
  llama.has_logits = false;
  EXPECT_LT(PeakMemory(llama, layout, 1).activation_bytes, 6 * 8192ll * 2000000);
}

TEST(PeakMemoryTest, ZeroStagesTradeStateForGatheredBlocks) {
  const MemoryInputs llama = Llama70B();
  int64_t previous = std::numeric_limits<int64_t>::max();
  for (const int stage : {0, 1, 2, 3}) {
    Layout layout = Degrees(64, 1, 1);
    layout.zero_stage = stage;
    const int64_t total = PeakMemory(llama, layout, 1).total_bytes();
    EXPECT_LT(total, previous) << stage;
    previous = total;
  }
}

TEST(PeakMemoryTest, GroupsShardTheStatesAmongThemselves) {
  const MemoryInputs llama = Llama70B();
  Layout layout = Degrees(64, 1, 1);
  layout.zero_stage = 3;
  layout.shard_group = 16;
  const MemoryPerGpu memory = PeakMemory(llama, layout, 1);
  EXPECT_NEAR(static_cast<double>(memory.parameter_bytes), 2 * llama.parameters / 16, 10);
  EXPECT_NEAR(static_cast<double>(memory.optimizer_bytes), 12 * llama.parameters / 16, 10);
  EXPECT_NEAR(LeastStateBytes(llama, layout),
              llama.recipe.total() * (llama.parameters - llama.embedding_parameters) / 16, 10);
}

TEST(PeakMemoryTest, ExpertsAreShardedOverTheCardsThatHoldTheSame) {
  MemoryInputs moe = Llama70B();
  moe.shape->experts = 8;
  moe.shape->moe_layers = 80;
  moe.expert_parameters = 60e9;
  Layout layout = Degrees(64, 1, 1);
  layout.expert_parallel = 8;
  const MemoryPerGpu memory = PeakMemory(moe, layout, 1);
  EXPECT_NEAR(static_cast<double>(memory.parameter_bytes), 2 * (10553706496.0 + 60e9 / 8), 10);
  EXPECT_NEAR(static_cast<double>(memory.optimizer_bytes), 12 * (10553706496.0 / 64 + 60e9 / 8 / 8), 10);
}

TEST(PeakMemoryTest, ExpertsAreWholeOrSplitOverTheTensorParallelCards) {
  MemoryInputs moe = Llama70B();
  moe.shape->experts = 8;
  moe.shape->moe_layers = 80;
  moe.expert_parameters = 60e9;
  Layout layout = Degrees(64, 4, 1);
  layout.expert_parallel = 8;
  // Whole: an eighth of them on each card, the states of the same ones shared by 4 x 64 / 8 = 32 cards.
  const MemoryPerGpu whole = PeakMemory(moe, layout, 1);
  EXPECT_NEAR(static_cast<double>(whole.parameter_bytes), 2 * (10553706496.0 / 4 + 60e9 / 8), 10);
  EXPECT_NEAR(static_cast<double>(whole.optimizer_bytes), 12 * (10553706496.0 / 4 / 64 + 60e9 / 8 / 32), 10);
  // Split over 4: a 32nd of them, shared by 8. What is sharded over all cards is the same.
  layout.expert_tensor_parallel = 4;
  const MemoryPerGpu split = PeakMemory(moe, layout, 1);
  EXPECT_NEAR(static_cast<double>(split.parameter_bytes), 2 * (10553706496.0 / 4 + 60e9 / 32), 10);
  EXPECT_EQ(split.optimizer_bytes, whole.optimizer_bytes);
  // Without expert parallelism they are split.
  layout = Degrees(64, 4, 1);
  EXPECT_NEAR(static_cast<double>(PeakMemory(moe, layout, 1).parameter_bytes), 2 * (10553706496.0 / 4 + 60e9 / 4), 10);
}

TEST(BlockActivationTest, CardsThatShareAnExpertKeepAllItsRows) {
  MemoryInputs mixtral = Llama70B();
  mixtral.positions = 4;
  mixtral.shape->layers = mixtral.shape->moe_layers = 32;
  mixtral.shape->experts = 8;
  mixtral.shape->experts_per_token = 2;
  mixtral.shape->expert_ffn = 14336;
  Layout layout;
  layout.tensor_parallel = 4;
  layout.expert_parallel = 8;
  // As with one card, four tokens over four: 102,656 + 2 x (6 x 14,336 + 4 x 8,192) + 64.
  EXPECT_DOUBLE_EQ(BlockActivationBytes(mixtral, layout), 340288);
  // Copies of the inputs and outputs, 2 x 4 x 8,192, of all four tokens.
  layout.expert_tensor_parallel = 4;
  EXPECT_DOUBLE_EQ(BlockActivationBytes(mixtral, layout), 340288 + 3 * 65536);
}

TEST(PeakMemoryTest, AdaptersLeaveTheBaseWithoutGradients) {
  MemoryInputs lora = Llama70B();
  lora.frozen_base = true;
  lora.adapter_parameters = 2e8;
  const MemoryPerGpu bf16 = PeakMemory(lora, {}, 1);
  EXPECT_NEAR(static_cast<double>(bf16.parameter_bytes), 2 * (70553706496.0 + 2e8), 10);
  EXPECT_NEAR(static_cast<double>(bf16.gradient_bytes), 4 * 2e8, 10);
  lora.frozen_bytes = 0.516;
  // The tables stay in 16 bits.
  const double tables = lora.embedding_parameters;
  EXPECT_NEAR(static_cast<double>(PeakMemory(lora, {}, 1).parameter_bytes),
              0.516 * (70553706496.0 - tables) + 2 * tables + 2 * 2e8, 10);
}

TEST(PeakMemoryTest, HabitsOfFrameworksAddWhatTheySay) {
  MemoryInputs inputs = Gpt3();
  const Layout layout = Degrees(4, 8, 8);
  const MemoryPerGpu plain = PeakMemory(inputs, layout, 32);
  const double owned = static_cast<double>(plain.parameter_bytes) / 2;
  inputs.habits.gradient_copy_bytes = 4;
  EXPECT_NEAR(static_cast<double>(PeakMemory(inputs, layout, 32).gradient_bytes - plain.gradient_bytes), 4 * owned, 4);
  inputs.habits = {};
  inputs.habits.updates_in_backward = true;
  // The gradients of one block: 1,812,098,480 parameters over 8 cards, 2 bytes each.
  EXPECT_NEAR(static_cast<double>(PeakMemory(inputs, layout, 32).gradient_bytes), 2 * 1812098480.0 / 8, 1e6);
  inputs.habits = {};
  inputs.habits.context_bytes += 1e9;
  EXPECT_NEAR(static_cast<double>(PeakMemory(inputs, layout, 32).overhead_bytes - plain.overhead_bytes), 1e9, 2);
}

// FSDP with bf16 and Adam: 4 bytes of weights, which are the master copy, 4 of gradients, 8 of moments. DeepSpeed has 2 more.
TEST(PeakMemoryTest, ShardedWeightsAreTheMasterCopy) {
  MemoryInputs llama = Llama70B();
  llama.recipe.master_bytes = 4;
  Layout layout = Degrees(64, 1, 1);
  layout.zero_stage = 3;
  const MemoryPerGpu fsdp = PeakMemory(llama, layout, 1);
  const double shard = 70553706496.0 / 64;
  EXPECT_NEAR(static_cast<double>(fsdp.parameter_bytes), 4 * shard, 2);
  EXPECT_NEAR(static_cast<double>(fsdp.optimizer_bytes), 8 * shard, 2);
  EXPECT_LE(LeastStateBytes(llama, layout), 16 * shard);
  llama.habits.shards_master_weights = false;
  const MemoryPerGpu deepspeed = PeakMemory(llama, layout, 1);
  EXPECT_NEAR(static_cast<double>(deepspeed.parameter_bytes), 2 * shard, 2);
  EXPECT_NEAR(static_cast<double>(deepspeed.optimizer_bytes), 12 * shard, 2);
}

// BLOOM's 20B on eight cards: 22 bytes a parameter whichever 16-bit type; on twice as many 15.
TEST(PeakMemoryTest, GradientsOfMegatronDeepSpeed) {
  MemoryInputs inputs = Gpt3();
  inputs.habits.gradient_bytes = 2;
  inputs.habits.gradient_copy_bytes = 4;
  inputs.habits.gradient_part_bytes = 2;
  const auto states = [&](int64_t data) {
    const MemoryPerGpu memory = PeakMemory(inputs, Degrees(data, 8, 1), 1);
    const double owned = static_cast<double>(memory.parameter_bytes) / 2;
    return static_cast<double>(memory.parameter_bytes + memory.gradient_bytes + memory.optimizer_bytes) / owned;
  };
  for (const double gradient_bytes : {2.0, 4.0}) {
    inputs.recipe.gradient_bytes = gradient_bytes;
    EXPECT_NEAR(states(1), 22, 1e-6);
    EXPECT_NEAR(states(2), 15, 1e-6);
    EXPECT_NEAR(states(8), 9.75, 1e-6);
  }
}

// Full recomputation: 80 checkpoints of 8192 x 8192 x 2 bytes; then the logits, 6 x 8192 x 128,256 bytes, which are gone before the first
// block's backward pass needs its working set (2.3 GB): the larger of the two.
TEST(PeakMemoryTest, LogitsAndWorkingSetAreNotThereTogether) {
  MemoryInputs llama = Llama70B();
  Layout layout = Degrees(64, 1, 1);
  layout.recompute = Recompute::kFull;
  const double checkpoints = 80 * 8192.0 * 8192 * 2;
  const double logits = 6 * 8192.0 * 128256;
  ASSERT_GT(logits, BlockActivationBytes(llama, layout));
  EXPECT_NEAR(static_cast<double>(PeakMemory(llama, layout, 1).activation_bytes), checkpoints + logits, 1);
  llama.has_logits = false;
  EXPECT_NEAR(static_cast<double>(PeakMemory(llama, layout, 1).activation_bytes),
              checkpoints + BlockActivationBytes(llama, layout), 1);
  // Checkpoints in the host's memory.
  layout.zero_stage = 3;
  llama.habits.checkpoints_on_host = true;
  EXPECT_NEAR(static_cast<double>(PeakMemory(llama, layout, 1).activation_bytes), BlockActivationBytes(llama, layout),
              1);
}

// 96 layers on 8 stages: a microbatch on its way in and one on its way out, 2048 x 12288 x 2 bytes each, split by sequence parallelism.
TEST(PeakMemoryTest, APipelineHasMicrobatchesOnTheirWay) {
  MemoryInputs inputs = Gpt3();
  inputs.habits.allocator_fraction = 0;
  Layout layout = Degrees(1, 8, 8);
  layout.zero_stage = 0;
  const double communicators = 2 * 512.0 * 1024 * 1024;
  EXPECT_NEAR(static_cast<double>(PeakMemory(inputs, layout, 8).overhead_bytes),
              inputs.habits.context_bytes + communicators + 2 * 2048.0 * 12288 * 2 / 8, 2);
}

TEST(PeakMemoryTest, ModelsWithoutAShapeUseTheCountedActivations) {
  MemoryInputs resnet;
  resnet.parameters = 25557032;
  resnet.recipe = {4, 4, 8};
  resnet.sample_activation_bytes = 90e6;
  Layout layout;
  layout.micro_batch_size = 32;
  layout.zero_stage = 0;
  const MemoryPerGpu memory = PeakMemory(resnet, layout, 1);
  EXPECT_EQ(memory.parameter_bytes, 4 * 25557032);
  EXPECT_EQ(memory.activation_bytes, 32 * 90000000ll);
}

TEST(PeakMemoryTest, AbsurdSizesSaturate) {
  MemoryInputs inputs = Llama70B();
  inputs.parameters = 1e30;
  inputs.positions = 1e18;
  Layout layout;
  layout.micro_batch_size = std::numeric_limits<int64_t>::max();
  EXPECT_GT(PeakMemory(inputs, layout, 1e18).total_bytes(), int64_t{1} << 60);
}

TEST(LeastStateBytesTest, IsNeverMoreThanTheFullestCardHas) {
  MemoryInputs experts = Llama70B();
  experts.shape->experts = 8;
  experts.shape->moe_layers = 70;
  experts.expert_parameters = 50e9;
  for (const MemoryInputs& inputs : {Gpt3(), Llama70B(), experts}) {
    for (const int64_t tensor : {1, 8}) {
      for (const int64_t pipeline : {1, 4, 7}) {
        for (const int zero : {0, 1, 2, 3}) {
          Layout layout = Degrees(16, tensor, pipeline);
          layout.zero_stage = zero;
          layout.expert_parallel = inputs.expert_parameters > 0 ? 4 : 1;
          const MemoryPerGpu memory = PeakMemory(inputs, layout, 32);
          const auto states =
              static_cast<double>(memory.parameter_bytes + memory.gradient_bytes + memory.optimizer_bytes);
          EXPECT_LE(LeastStateBytes(inputs, layout), states + 2);
          EXPECT_GT(LeastStateBytes(inputs, layout), 0.7 * states);
        }
      }
    }
  }
}

}  // namespace
}  // namespace planner::parallel
