#include "core/perf/step_time.h"

#include <cmath>
#include <utility>

#include "core/hardware/gpu_catalog.h"
#include "core/perf/attention_time.h"
#include "core/perf/collective_time.h"
#include "core/perf/matmul_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::perf {
namespace {

/// Round figures, so that expectations can be worked by hand.
Machine RoundMachine() {
  Machine machine;
  machine.matmul = machine.head_matmul = machine.grouped_matmul = 100e12;
  machine.attention = 50e12;
  machine.memory = 1e12;
  machine.link = 100e9;
  machine.network = 10e9;
  machine.domain = 8;
  machine.units = 100;
  machine.link_latency = 10e-6;
  machine.network_latency = 20e-6;
  return machine;
}

SharedConstants NoLosses() {
  SharedConstants shared;
  shared.backward_matmul = 1;
  shared.backward_attention = 2.5;
  shared.backward_bytes = 1;
  shared.backward_launch = 1;
  shared.imbalance = 1;
  shared.context_exposed = shared.expert_exposed = 1;
  shared.optimizer_passes = 1;
  shared.expert_launch = 1;
  shared.dequantize = 1;
  shared.document_tokens = 400;
  return shared;
}

TEST(ProductSecondsTest, IsFlopsOverRateOrBytesOverBandwidth) {
  // 2 x 8192 x 4096 x 4096 FLOPs at 100 TFLOP/s: 2.749 ms; 134 MB + 33 MB at 1 TB/s are less.
  EXPECT_NEAR(ProductSeconds(RoundMachine(), NoLosses(), 100e12, 8192, 4096, 4096, 1), 2.7488e-3, 1e-7);
  // One row: 2 x (4096 + 4096^2 + 4096) bytes.
  EXPECT_NEAR(ProductSeconds(RoundMachine(), NoLosses(), 100e12, 1, 4096, 4096, 1), 33.57e-6, 1e-8);
}

TEST(ProductSecondsTest, LosesWhatTheLastWaveDoesNotFill) {
  SharedConstants shared = NoLosses();
  shared.wave = 1;
  // 8 x 16 = 128 tiles on 100 units: two waves for 1.28.
  const double exact = 2.0 * 1024 * 4096 * 2048 / 100e12;
  EXPECT_NEAR(ProductSeconds(RoundMachine(), shared, 100e12, 1024, 4096, 2048, 1), exact * 2 / 1.28, 1e-9);
  shared.wave = 0;
  shared.depth = 512;  // Half as much again at an inner dimension of 1,024.
  EXPECT_NEAR(ProductSeconds(RoundMachine(), shared, 100e12, 8192, 1024, 8192, 1),
              1.5 * 2.0 * 8192 * 1024 * 8192 / 100e12, 1e-9);
}

TEST(MisalignmentTest, CountsHalvingsBelow64) {
  EXPECT_DOUBLE_EQ(Misalignment(14336 / 8, 0.1), 1);    // 1792 = 28 x 64.
  EXPECT_DOUBLE_EQ(Misalignment(14400 / 8, 0.1), 1.3);  // 1800 = 225 x 8.
  EXPECT_DOUBLE_EQ(Misalignment(50257, 0.1), 1.6);
}

TEST(AttentionSecondsTest, FusedCausalAttentionDoesHalfTheWork) {
  model::TransformerShape shape{.qk_dim = 128, .v_dim = 128, .causal = true};
  const AttentionWork work{.sequences = 1, .heads = 20, .queries = 65536, .keys = 65536};
  FrameworkConstants framework;
  framework.attention = framework.narrow_heads = 1;
  const AttentionTime causal = AttentionSeconds(RoundMachine(), NoLosses(), framework, shape, work, true);
  // 2 x 65,536 x 32,832 x 256 x 20 = 22.03 TFLOP at 50 TFLOP/s.
  EXPECT_NEAR(causal.forward, 0.44067, 1e-4);
  EXPECT_NEAR(causal.backward, 2.5 * causal.forward, 1e-9);
  shape.causal = false;
  EXPECT_NEAR(AttentionSeconds(RoundMachine(), NoLosses(), framework, shape, work, true).forward, 0.8796, 1e-3);
}

// 12,288 keys are 6,208 on average under a causal mask, 1,088 in a window of 1,024: 5 of 6 layers with one see 1,941.3.
TEST(AttentionSecondsTest, OnlyLayersWithAWindowSeeLess) {
  model::TransformerShape shape;
  shape.qk_dim = shape.v_dim = 128;
  shape.layers = 6;
  FrameworkConstants framework;
  framework.attention = framework.narrow_heads = 1;
  const AttentionWork work = {.sequences = 1, .heads = 1, .queries = 12288, .keys = 12288};
  const auto seconds = [&] {
    return AttentionSeconds(RoundMachine(), NoLosses(), framework, shape, work, true).forward;
  };
  const double full = seconds();
  shape.window = 1024;
  for (const auto& [layers, keys] : {std::pair<int64_t, double>{6, 1088}, {5, 11648 / 6.0}, {3, 3648}, {0, 3648}}) {
    shape.window_layers = layers;  // 0: the table does not say.
    EXPECT_NEAR(seconds() / full, keys / 6208, 1e-9) << layers;
  }
}

TEST(AttentionSecondsTest, EagerAttentionPassesItsScores) {
  SharedConstants shared = NoLosses();
  FrameworkConstants framework;
  framework.narrow_heads = 1;
  const model::TransformerShape shape{.qk_dim = 128, .v_dim = 128};
  const AttentionWork work{.sequences = 4, .heads = 8, .queries = 2048, .keys = 2048};
  const double without = AttentionSeconds(RoundMachine(), shared, framework, shape, work, false).forward;
  shared.score_bytes = 10;  // 32 x 2,048^2 scores: 1.342 GB at 1 TB/s.
  EXPECT_NEAR(AttentionSeconds(RoundMachine(), shared, framework, shape, work, false).forward - without, 1.342e-3,
              1e-6);
}

TEST(CollectiveTest, RingsPassTheSlowestLink) {
  const SharedConstants shared = NoLosses();
  Machine machine = RoundMachine();
  machine.link_latency = machine.network_latency = 0;
  // Eight cards on the link: 7/8 of 1 GB at 100 GB/s.
  EXPECT_NEAR(GatherSeconds(machine, shared, {8, 1}, 1e9), 8.75e-3, 1e-9);
  // Four cards of each of four nodes: 15/16 of 1 GB through four ports of 10 GB/s.
  EXPECT_NEAR(GatherSeconds(machine, shared, {16, 2}, 1e9), 15.0 / 16 / 40, 1e-9);
  // A group with one card a node has one port.
  EXPECT_NEAR(GatherSeconds(machine, shared, {4, 8}, 1e9), 0.75 / 10, 1e-9);
  EXPECT_EQ(GatherSeconds(machine, shared, {1, 1}, 1e9), 0);
  // All-to-all over 16 cards: 8/16 of the bytes through the card's own port.
  EXPECT_NEAR(AllToAllSeconds(machine, shared, {16, 1}, 1e9), 0.05, 1e-9);
}

TEST(CollectiveTest, LatencyGrowsWithDoublings) {
  EXPECT_NEAR(CollectiveLatency(RoundMachine(), {8, 1}), 30e-6, 1e-12);
  EXPECT_NEAR(CollectiveLatency(RoundMachine(), {32, 1}), 30e-6 + 40e-6, 1e-12);
}

TEST(MachineTest, TakesThePeakOfThePrecisionAndTheClockOfThePower) {
  const auto gpus = *hardware::GpuCatalog::Create();
  StepTimeConstants constants = BuiltInStepTimeConstants();
  constants.shared.power = 0.5;
  constants.families["Hopper"].matmul_16bit = 0.8;
  constants.families["Hopper"].matmul_8bit = 0.6;
  constants.families["Hopper"].watts_per_teraflop = 0.7;
  const hardware::Precision& bf16 = **hardware::FindPrecision("bf16");
  const hardware::Precision& fp8 = **hardware::FindPrecision("fp8");
  EXPECT_NEAR(MakeMachine(**gpus.Find("h100"), bf16, constants)->matmul, 0.8 * 989.5e12, 1e6);
  const Machine narrow = *MakeMachine(**gpus.Find("h100"), fp8, constants);
  EXPECT_NEAR(narrow.matmul, 0.6 * 1979e12, 1e6);
  EXPECT_NEAR(narrow.head_matmul, 0.8 * 989.5e12, 1e6);
  EXPECT_TRUE(narrow.casts);
  // 500 W for 989.5 TFLOP/s: 0.5053 of 0.7 W, to the power of a half.
  EXPECT_NEAR(MakeMachine(**gpus.Find("h100-96gb-hbm2e-500w"), bf16, constants)->matmul,
              0.8 * 989.5e12 * std::sqrt(500 / 989.5 / 0.7), 1e6);
  EXPECT_NEAR(MakeMachine(**gpus.Find("h100"), bf16, constants, {.network_bandwidth = 40e9})->network,
              40e9 * constants.families["Hopper"].network, 1);
  EXPECT_EQ(MakeMachine(**gpus.Find("gb200"), bf16, constants, {.node_gpus = 4})->domain, 72);
  EXPECT_EQ(MakeMachine(**gpus.Find("v100"), bf16, constants, {.node_gpus = 4})->domain, 4);
}

StepJob Gpt(int64_t layers) {
  StepJob job;
  job.shape = {.layers = layers,
               .hidden = 4096,
               .heads = 32,
               .kv_heads = 32,
               .qk_dim = 128,
               .v_dim = 128,
               .ffn = 16384,
               .vocab = 0,
               .tied_embeddings = true};
  job.positions = 2048;
  job.framework.attention = job.framework.narrow_heads = job.framework.recomputed = job.framework.sum_network = 1;
  job.framework.shard_bandwidth = job.framework.tensor_exposed = 1;
  return job;
}

TEST(StepTimeTest, ABlocksProductsTakeSixTimesItsParametersFlopsPerToken) {
  const StepTime step = EstimateStepTime(Gpt(1), RoundMachine(), NoLosses(), {.micro_batch_size = 4}, 3);
  // 12 h^2 = 201.3M weights, 8,192 tokens, 6 FLOPs, three microbatches, at 100 TFLOP/s.
  EXPECT_NEAR(step.matmul, 6 * 12.0 * 4096 * 4096 * 8192 * 3 / 100e12, 1e-6);
  EXPECT_EQ(step.tensor, 0);
  EXPECT_EQ(step.bubble, 0);
  EXPECT_EQ(step.recompute, 0);
  // Its gradients, of 2 bytes, are written and read, at 1 TB/s.
  EXPECT_NEAR(step.elementwise, 3 * 4 * 12.0 * 4096 * 4096 / 1e12, 1e-6);
  EXPECT_NEAR(step.total(), step.matmul + step.attention + step.elementwise, 1e-9);
}

TEST(StepTimeTest, GradientsAreAddedToTheirSumUnlessTheirOwnerDoesIt) {
  StepJob job = Gpt(1);
  job.recipe.gradient_bytes = 4;
  const auto elementwise = [&](int zero_stage) {
    return EstimateStepTime(job, RoundMachine(), NoLosses(), {.zero_stage = zero_stage}, 1).elementwise;
  };
  EXPECT_NEAR(elementwise(0), 12 * 12.0 * 4096 * 4096 / 1e12, 1e-6);
  EXPECT_NEAR(elementwise(3), 4 * 12.0 * 4096 * 4096 / 1e12, 1e-6);
}

TEST(StepTimeTest, TheLossPassesOverTheLogitsAndTheTableHasAGradient) {
  StepJob job = Gpt(1);
  const double without = EstimateStepTime(job, RoundMachine(), NoLosses(), {.micro_batch_size = 4}, 1).elementwise;
  job.shape.vocab = 32000;
  job.framework.loss_passes = 13;
  const double with = EstimateStepTime(job, RoundMachine(), NoLosses(), {.micro_batch_size = 4}, 1).elementwise;
  // 8,192 x 32,000 logits of 4 bytes, 13 times; the gradient of the table, of 2 bytes, is written and read; at 1 TB/s.
  EXPECT_NEAR(with - without, (13 * 4.0 * 8192 * 32000 + 4.0 * 4096 * 32000) / 1e12, 1e-8);
  job.frozen_base = true;
  EXPECT_NEAR(EstimateMicroBatch(job, RoundMachine(), NoLosses(), {.micro_batch_size = 4}).head.backward.elementwise,
              13 * 4.0 * 8192 * 32000 / 4 / 1e12, 1e-8);
}

TEST(StepTimeTest, FullRecomputationIsAnotherForwardPass) {
  const StepTime none = EstimateStepTime(Gpt(4), RoundMachine(), NoLosses(), {}, 1);
  const StepTime full = EstimateStepTime(Gpt(4), RoundMachine(), NoLosses(), {.recompute = Recompute::kFull}, 1);
  EXPECT_NEAR(full.recompute, none.matmul / 3 + none.attention / 3.5, 1e-9);
}

TEST(StepTimeTest, EvenStagesHaveTheKnownBubble) {
  Layout layout{.pipeline_parallel = 4};
  Machine machine = RoundMachine();
  machine.link = machine.network = 1e30;
  machine.link_latency = machine.network_latency = 0;
  const StepTime step = EstimateStepTime(Gpt(8), machine, NoLosses(), layout, 12);
  // (p - 1)/m of the rest.
  EXPECT_NEAR(step.bubble, (step.matmul + step.attention + step.elementwise) * 3 / 12, 1e-9);
  layout.virtual_pipeline = 2;
  EXPECT_NEAR(EstimateStepTime(Gpt(8), machine, NoLosses(), layout, 12).bubble, step.bubble / 2, 1e-9);
}

TEST(StepTimeTest, UnevenStagesWaitForTheLongest) {
  // Seven blocks on four stages: 2, 2, 2, 1; the bubble has five blocks in place of six.
  Machine machine = RoundMachine();
  machine.link = machine.network = 1e30;
  machine.link_latency = machine.network_latency = 0;
  const Layout layout{.pipeline_parallel = 4};
  const StepTime even = EstimateStepTime(Gpt(8), machine, NoLosses(), layout, 12);
  const StepTime uneven = EstimateStepTime(Gpt(7), machine, NoLosses(), layout, 12);
  EXPECT_NEAR(uneven.matmul, even.matmul, 1e-9);
  EXPECT_NEAR(uneven.bubble, even.bubble * 5 / 6, 1e-9);
}

TEST(StepTimeTest, TensorParallelBlocksExchangeTwiceEachWay) {
  Machine machine = RoundMachine();
  machine.link_latency = 0;
  Layout layout{.tensor_parallel = 4, .micro_batch_size = 2};
  const StepTime step = EstimateStepTime(Gpt(1), machine, NoLosses(), layout, 1);
  // 4 all-reduces of 4,096 x 4,096 x 2 bytes: 2 x 3/4 x 33.55 MB at 100 GB/s each.
  EXPECT_NEAR(step.tensor, 4 * 2 * 0.75 * 33.554432e6 / 100e9, 1e-9);
  EXPECT_NEAR(step.matmul, 6 * 12.0 * 4096 * 4096 * 4096 / 4 / 100e12, 1e-6);
}

/// Gpt(1) with 8 experts of 4,096 in place of the feed-forward layer, two for a token.
StepJob Experts() {
  StepJob job = Gpt(1);
  job.shape.experts = 8;
  job.shape.experts_per_token = 2;
  job.shape.expert_ffn = 4096;
  job.shape.moe_layers = 1;
  return job;
}

// 2,048 tokens on 4 cards, 512 each, of two rows of 8,192 bytes: 8.39 MB that go to the experts and come back, forward and backward.
TEST(StepTimeTest, TokensOfWholeExpertsAreExchangedAllToAll) {
  const Layout layout{.data_parallel = 2, .tensor_parallel = 4, .expert_parallel = 8};
  const StepTime step = EstimateStepTime(Experts(), RoundMachine(), NoLosses(), layout, 1);
  // Over 8 cards of one fast domain: 7/8 of them at 100 GB/s, and three doublings of 10 us.
  EXPECT_NEAR(step.expert, 4 * (8388608.0 * 7 / 8 / 100e9 + 30e-6), 1e-9);
  // Between the tensor-parallel cards only the attention's half: 16.8 MB, 3/4 of them, gathered and summed, each way.
  EXPECT_NEAR(step.tensor, 4 * (16777216.0 * 3 / 4 / 100e9 + 20e-6), 1e-9);
}

TEST(StepTimeTest, CardsThatShareExpertsGatherTheirRowsToo) {
  const Layout layout{.data_parallel = 8, .tensor_parallel = 4, .expert_parallel = 8, .expert_tensor_parallel = 4};
  StepJob job = Experts();
  job.framework.tensor_exposed = 0.5;
  SharedConstants shared = NoLosses();
  shared.expert_exposed = 0.5;
  const StepTime step = EstimateStepTime(job, RoundMachine(), shared, layout, 1);
  // The 8 cards are 4 apart: two of each domain of 8. 6/8 of the 8.39 MB leave it at 10 GB/s; 10 us and two doublings of 20 us.
  // Half of that is hidden. Then the rows of 4 cards, 33.6 MB, 3/4 of them at 100 GB/s and two doublings of 10 us; nothing is.
  EXPECT_NEAR(step.expert, 4 * (0.5 * (8388608.0 * 6 / 8 / 10e9 + 50e-6) + 33554432.0 * 3 / 4 / 100e9 + 20e-6), 1e-9);
}

TEST(StepTimeTest, ExpertsOfEveryCardAreSplitAsADenseLayer) {
  const Layout layout{.tensor_parallel = 4};
  const StepTime step = EstimateStepTime(Experts(), RoundMachine(), NoLosses(), layout, 1);
  EXPECT_EQ(step.expert, 0);
  EXPECT_NEAR(step.tensor, 8 * (16777216.0 * 3 / 4 / 100e9 + 20e-6), 1e-9);
  // 4 h^2 of attention and 2 x 2 h^2 of two experts, a quarter of each, 2,048 tokens, 6 FLOPs.
  EXPECT_NEAR(step.matmul, 6 * 8.0 * 4096 * 4096 / 4 * 2048 / 100e12, 1e-9);
}

// An eighth of 8 x 2 h^2 on each card of eight, or a 32nd on each of 32.
TEST(StepTimeTest, SumsOfGradientsAreOfTheExpertsThatACardHas) {
  StepJob job = Experts();
  job.framework.exposed = 1;
  job.recipe = {.weight_bytes = 2, .gradient_bytes = 2, .optimizer_bytes = 12};
  const auto data = [&](int64_t split) {
    const Layout layout{
        .data_parallel = 16, .tensor_parallel = 4, .expert_parallel = 8, .expert_tensor_parallel = split, .zero_stage = 1};
    return EstimateStepTime(job, RoundMachine(), NoLosses(), layout, 1).data;
  };
  // Attention and router, (4 h^2 + 8 h) / 4 a card: 16 replicas, 2 of each domain, 20 GB/s, 10 us and three doublings of 20 us.
  const double h = 4096;
  const double dense = 4 * (4 * h * h + 8 * h) / 4 * 15 / 16 / 20e9 + 70e-6;
  // Whole: 2 h^2 a card, 8 copies of one card of each domain. Split: h^2 / 2 a card, two copies, 32 cards apart.
  EXPECT_NEAR(data(1), dense + 4 * 2 * h * h * 7 / 8 / 10e9 + 60e-6, 1e-9);
  EXPECT_NEAR(data(4), dense + 4 * h * h / 2 * 1 / 2 / 10e9 + 20e-6, 1e-9);
}

TEST(StepTimeTest, GradientsHideBehindTheMicrobatchAsFarAsTheFrameworkHidesThem) {
  StepJob job = Gpt(2);
  job.recipe = {.weight_bytes = 2, .gradient_bytes = 4, .optimizer_bytes = 12};
  job.framework.exposed = 1;
  Machine machine = RoundMachine();
  machine.link_latency = 0;
  const StepTime step = EstimateStepTime(job, machine, NoLosses(), {.data_parallel = 8}, 1);
  // Sums and weights in 2 bytes: 7/8 x 4 x 402.7M at 100 GB/s.
  EXPECT_NEAR(step.data, 0.875 * 4 * 24 * 4096 * 4096 / 100e9, 1e-6);
  // Each card updates an eighth: 2 x 12 + 4 + 2 bytes a parameter at 1 TB/s.
  EXPECT_NEAR(step.optimizer, 30.0 * 24 * 4096 * 4096 / 8 / 1e12, 1e-8);
  job.framework.exposed = 0;
  EXPECT_EQ(EstimateStepTime(job, machine, NoLosses(), {.data_parallel = 8}, 1).data, 0);
  Layout sharded{.data_parallel = 8, .zero_stage = 3};
  job.framework.exposed = 1;
  // Weights twice and gradients once, for every microbatch; read and written by the card at 1 TB/s.
  const double copied = 2 * 6 / 1e12;
  EXPECT_NEAR(EstimateStepTime(job, machine, NoLosses(), sharded, 5).data,
              5 * (0.875 * 6 / 100e9 + copied) * 24 * 4096 * 4096, 1e-6);
  // Within groups of two of the eight: gathered among two, and halves of the gradients summed by four groups.
  sharded.shard_group = 2;
  EXPECT_NEAR(EstimateStepTime(job, machine, NoLosses(), sharded, 5).data,
              5 * ((0.5 * 6 + 2 * 0.75 * 2 / 2) / 100e9 + copied) * 24 * 4096 * 4096, 1e-6);
  // Groups of one gather nothing.
  sharded.shard_group = 1;
  EXPECT_NEAR(EstimateStepTime(job, machine, NoLosses(), sharded, 5).data, 5 * 2 * 0.875 * 2 * 24 * 4096 * 4096 / 100e9, 1e-6);
  sharded.shard_group = 0;
  // In a pipeline they are kept: half of the blocks, once.
  sharded.pipeline_parallel = 2;
  EXPECT_NEAR(EstimateStepTime(job, machine, NoLosses(), sharded, 5).data, 0.875 * 4 * 12 * 4096 * 4096 / 100e9, 1e-6);
}

TEST(StepTimeTest, SumsOfGradientsBetweenNodesAreSlowerThanLargeCollectives) {
  StepJob job = Gpt(2);
  job.recipe = {.weight_bytes = 2, .gradient_bytes = 4, .optimizer_bytes = 12};
  job.framework.exposed = 1;
  Machine machine = RoundMachine();
  machine.link_latency = machine.network_latency = 0;
  job.framework.sum_network = 0.5;
  // Two nodes of eight, each with eight ports of 10 GB/s: 15/16 x 4 x 402.7M at half of 80 GB/s.
  EXPECT_NEAR(EstimateStepTime(job, machine, NoLosses(), {.data_parallel = 16}, 1).data,
              15.0 / 16 * 4 * 24 * 4096 * 4096 / 40e9, 1e-6);
  // Within a node nothing is lost.
  EXPECT_NEAR(EstimateStepTime(job, machine, NoLosses(), {.data_parallel = 8}, 1).data,
              0.875 * 4 * 24 * 4096 * 4096 / 100e9, 1e-6);
}

TEST(StepTimeTest, SmallBlocksTakeAsLongAsTheCpuNeeds) {
  StepJob job = Gpt(10);
  job.positions = 16;
  job.framework.layer_launch_us = 500;
  Machine machine = RoundMachine();
  machine.memory = 100e12;
  const StepTime step = EstimateStepTime(job, machine, NoLosses(), {}, 7);
  // Seven microbatches, ten blocks, forward and backward.
  EXPECT_NEAR(step.total(), 7 * 10 * 2 * 500e-6, 7 * 10 * 2 * 500e-6 * 0.02);
  EXPECT_GT(step.launch, 0.5 * step.total());
}

TEST(StepTimeTest, MaskedLanguageModelsComputeWhatDocumentsFill) {
  StepJob job = Gpt(1);
  job.positions = 512;
  const double all = EstimateStepTime(job, RoundMachine(), NoLosses(), {}, 1).matmul;
  job.padded = true;
  // 400 (1 - exp(-512/400)) = 288.8 of 512.
  EXPECT_NEAR(EstimateStepTime(job, RoundMachine(), NoLosses(), {}, 1).matmul / all, 288.8 / 512, 0.02);
}

TEST(StepTimeTest, AdaptersNeedNoWeightGradients) {
  StepJob job = Gpt(1);
  const double all = EstimateStepTime(job, RoundMachine(), NoLosses(), {}, 1).matmul;
  job.frozen_base = true;
  EXPECT_NEAR(EstimateStepTime(job, RoundMachine(), NoLosses(), {}, 1).matmul, all * 2 / 3, 1e-9);
}

TEST(ParametersOfTest, CountsBlocksExpertsAndHead) {
  const BlockParameters dense = ParametersOf(Gpt(1).shape);
  EXPECT_DOUBLE_EQ(dense.dense, 12.0 * 4096 * 4096);
  EXPECT_EQ(dense.experts, 0);
  model::TransformerShape mixtral{.layers = 32,
                                  .hidden = 4096,
                                  .heads = 32,
                                  .kv_heads = 8,
                                  .qk_dim = 128,
                                  .v_dim = 128,
                                  .ffn = 14336,
                                  .gated = true,
                                  .vocab = 32000,
                                  .experts = 8,
                                  .experts_per_token = 2,
                                  .expert_ffn = 14336,
                                  .moe_layers = 32};
  const BlockParameters experts = ParametersOf(mixtral);
  EXPECT_DOUBLE_EQ(experts.experts, 3.0 * 4096 * 14336 * 8);
  EXPECT_DOUBLE_EQ(experts.dense, 2.5 * 4096 * 4096 + 4096 * 8);
  EXPECT_DOUBLE_EQ(experts.head, 32000.0 * 4096);
}

TEST(StepConstantsTest, TheFileIsWholeAndItsArchitecturesAreTheCatalogues) {
  const auto values = ReadStepTimeConstants(StepTimeConstantsFile(), "values");
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_TRUE(ReadStepTimeConstants(StepTimeConstantsFile(), "priors").ok());
  const auto gpus = hardware::GpuCatalog::Create();
  for (const hardware::GpuType& gpu : gpus->types()) {
    EXPECT_TRUE(values->family_of_architecture.contains(gpu.architecture)) << gpu.name;
  }
  EXPECT_EQ(&values->Framework("none such"), &values->Framework(""));
  EXPECT_FALSE(values->intervals.empty());
}

TEST(StepConstantsTest, BrokenFilesNameTheMember) {
  const auto message = [](std::string_view text) {
    return std::string(ReadStepTimeConstants(text, "values").status().message());
  };
  EXPECT_THAT(message("[]"), ::testing::HasSubstr("values"));
  EXPECT_THAT(message(R"({"values": {"families": {}, "frameworks": {}}})"), ::testing::HasSubstr("values.shared"));
  EXPECT_THAT(message(R"({"values": {"families": {"X": {"matmul_32bit": 7}}, "frameworks": {}, "shared": {}}})"),
              ::testing::HasSubstr("values.families.X.matmul_32bit"));
}

TEST(StepConstantsTest, IntervalsAreThoseOfTheNarrowestClass) {
  StepTimeConstants constants = BuiltInStepTimeConstants();
  constants.intervals = {{"*", "*", "*", 0.4}, {"fsdp", "*", "*", 0.2}, {"fsdp", "Hopper", "large", 0.1}};
  EXPECT_EQ(constants.HalfWidth("fsdp", "Hopper", 70e9), 0.1);
  EXPECT_EQ(constants.HalfWidth("fsdp", "Hopper", 1e9), 0.2);
  EXPECT_EQ(constants.HalfWidth("ddp", "Hopper", 1e9), 0.4);
}

}  // namespace
}  // namespace planner::perf
