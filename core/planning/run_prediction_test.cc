#include "core/planning/run_prediction.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A training of GPT-3 as Korthikanti et al. measured it (2205.05198, table 5): 13.75 s.
MeasuredRun Gpt3() {
  MeasuredRun run;
  run.id = "r1";
  run.model = "GPT-175B";
  run.gpu_type = "A100-SXM-80GB";
  run.precision = "fp16";
  run.recompute = "selective";
  run.framework = "megatron-lm";
  run.attention = "eager";
  run.layers = 96;
  run.hidden = 12288;
  run.ffn_hidden = 49152;
  run.heads = run.kv_heads = 96;
  run.vocab = 51200;
  run.seq_len = 2048;
  run.gated_mlp = false;
  run.gpus = 64;
  run.tensor_parallel = run.pipeline_parallel = 8;
  run.data_parallel = 1;
  run.virtual_pipeline = 3;
  run.micro_batch = 1;
  run.global_batch = 64;
  run.zero_stage = 0;
  run.sequence_parallel = true;
  return run;
}

class RunPredictionTest : public ::testing::Test {
 protected:
  RunPrediction PredictRun(const MeasuredRun& run) const {
    return Predict(run, {gpus_, models_, perf::BuiltInStepTimeConstants()});
  }
  RunDescription Describe(const MeasuredRun& run) const {
    const auto description = DescribeRun(run, gpus_, models_);
    EXPECT_TRUE(description.ok()) << description.status();
    return description.ok() ? *description : RunDescription{};
  }

  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  const std::vector<KnownModel> models_ = {{"deepseek-v3",
                                            {.layers = 61,
                                             .hidden = 7168,
                                             .heads = 128,
                                             .kv_heads = 128,
                                             .qk_dim = 192,
                                             .v_dim = 128,
                                             .ffn = 18432,
                                             .gated = true,
                                             .vocab = 129280,
                                             .experts = 256,
                                             .experts_per_token = 8,
                                             .expert_ffn = 2048,
                                             .shared_expert_ffn = 2048,
                                             .moe_layers = 58,
                                             .attention_projection = 187105280}},
                                           {"bert-large",
                                            {.layers = 24,
                                             .hidden = 1024,
                                             .heads = 16,
                                             .kv_heads = 16,
                                             .qk_dim = 64,
                                             .v_dim = 64,
                                             .ffn = 4096,
                                             .vocab = 30522,
                                             .tied_embeddings = true,
                                             .causal = false}},
                                           {"vit-b-16",
                                            {.layers = 12,
                                             .hidden = 768,
                                             .heads = 12,
                                             .kv_heads = 12,
                                             .qk_dim = 64,
                                             .v_dim = 64,
                                             .ffn = 3072,
                                             .causal = false},
                                            197}};
};

TEST_F(RunPredictionTest, PredictsTheStepTheIntervalAndTheMemory) {
  const RunPrediction prediction = PredictRun(Gpt3());
  EXPECT_THAT(prediction.skipped, IsEmpty());
  ASSERT_TRUE(prediction.step_seconds && prediction.low_step_seconds && prediction.high_step_seconds);
  EXPECT_NEAR(*prediction.step_seconds, 13.75, 0.1 * 13.75);
  EXPECT_LT(*prediction.low_step_seconds, *prediction.step_seconds);
  EXPECT_GT(*prediction.high_step_seconds, *prediction.step_seconds);
  EXPECT_NEAR(prediction.terms.total(), *prediction.step_seconds, 1e-9);
  // K22 says 57.9 GiB of states and activations.
  EXPECT_NEAR(*prediction.peak_memory_gib, 57.9, 0.15 * 57.9);
  EXPECT_EQ(prediction.fits, true);
}

TEST_F(RunPredictionTest, ResultsNamesAndNotesDoNotMatter) {
  const double seconds = *PredictRun(Gpt3()).step_seconds;
  MeasuredRun run = Gpt3();
  run.id = "other";
  run.source = "other";
  run.iteration_seconds = 1;
  run.tokens_per_second_per_gpu = 1;
  run.gpu_hours = 1;
  run.tokens_total = 1;
  run.peak_memory = 1;
  run.memory_unit = "GiB";
  run.status = "oom";
  EXPECT_EQ(*PredictRun(run).step_seconds, seconds);
}

TEST_F(RunPredictionTest, RowsThatSayNothingAreSkippedWithAReason) {
  MeasuredRun run = Gpt3();
  run.status = "suspect";
  EXPECT_THAT(PredictRun(run).skipped, HasSubstr("suspect"));
  run = Gpt3();
  run.gpu_type = "H1000";
  EXPECT_THAT(PredictRun(run).skipped, HasSubstr("H1000"));
  run = Gpt3();
  run.layers.reset();
  EXPECT_THAT(PredictRun(run).skipped, HasSubstr("GPT-175B"));
  run = Gpt3();
  run.data_parallel = 2;
  EXPECT_THAT(PredictRun(run).skipped, HasSubstr("n_gpus"));
  run = Gpt3();
  run.hidden = 1e9;
  EXPECT_THAT(PredictRun(run).skipped, HasSubstr("hidden"));
  run = Gpt3();
  run.problem = "line 2, column \"tp\": not a number: x";
  EXPECT_THAT(PredictRun(run).skipped, HasSubstr("column \"tp\""));
}

TEST_F(RunPredictionTest, SizesThatTheTableLacksComeFromKnownModels) {
  MeasuredRun run = Gpt3();
  run.hidden = 7168;
  run.heads = run.kv_heads = 128;
  run.ffn_hidden = 2048;
  run.vocab = 129280;
  run.gated_mlp = true;
  run.moe_experts = 256;
  run.moe_topk = 8;
  run.layers = 4;  // Truncated: one of its dense blocks stays.
  run.framework = "megatron-core";
  run.attention = "flash";
  run.tensor_parallel = 1;
  run.pipeline_parallel = 1;
  run.virtual_pipeline = 1;
  run.data_parallel = 64;
  const model::TransformerShape shape = Describe(run).job.shape;
  EXPECT_EQ(shape.qk_dim, 192);
  EXPECT_EQ(shape.moe_layers, 3);
  EXPECT_EQ(shape.ffn, 18432);
  EXPECT_EQ(shape.expert_ffn, 2048);
  EXPECT_EQ(shape.shared_expert_ffn, 2048);
}

TEST_F(RunPredictionTest, ExpertsAreWholeUnlessTheRowSaysThatCardsShareThem) {
  MeasuredRun run = Gpt3();
  run.moe_experts = 8;
  run.expert_parallel = 4;
  EXPECT_EQ(Describe(run).layout.expert_tensor(), 1);
  run.expert_tensor_parallel = 8;
  EXPECT_EQ(Describe(run).layout.expert_tensor(), 8);
  run.expert_parallel = run.expert_tensor_parallel = std::nullopt;
  EXPECT_EQ(Describe(run).layout.expert_tensor(), 8);
}

/// 65B parameters on 2,048 A100 in a layout that nobody told.
MeasuredRun Llama65B() {
  MeasuredRun run = Gpt3();
  run.framework = "fsdp";
  run.precision = "bf16";
  run.attention = "flash";
  run.recompute = "";
  run.layers = 80;
  run.hidden = 8192;
  run.ffn_hidden = 22016;
  run.heads = run.kv_heads = 64;
  run.vocab = 32000;
  run.gated_mlp = true;
  run.gpus = run.global_batch = 2048;
  for (auto* unknown : {&run.tensor_parallel, &run.pipeline_parallel, &run.data_parallel, &run.virtual_pipeline, &run.micro_batch,
                        &run.zero_stage})
    unknown->reset();
  run.sequence_parallel.reset();
  return run;
}

// Groups of 2^k nodes that hold the states, or all replicas: the blank is as fast as the fastest of them, and faster than all.
TEST_F(RunPredictionTest, AnUnknownLayoutSharesItsStatesAsTheFastestThatFits) {
  MeasuredRun run = Llama65B();
  run.recompute = "full";
  run.micro_batch = 1;
  const double unknown = PredictRun(run).step_seconds.value();
  double fastest = 1e9, all = 0;
  for (double group = 16; group <= 2048; group *= 2) {  // A node of 8 is too few: 16 bytes of 65e9 are 121 GiB a card.
    run.shard_group = group;
    all = PredictRun(run).step_seconds.value();
    fastest = std::min(fastest, all);
  }
  EXPECT_DOUBLE_EQ(unknown, fastest);
  EXPECT_LT(unknown, 0.99 * all);
}

// 2,048 cards fail every 24.7 hours: 944 s between checkpoints of 5 s, 600 s to restart: 0.983 of the hours.
TEST_F(RunPredictionTest, HoursOfWholeTrainingsHoldTheirRestarts) {
  MeasuredRun run = Llama65B();
  run.task = "pretrain";
  const double step = PredictRun(run).step_seconds.value();
  run.task = "full_run";
  const RunPrediction whole = PredictRun(run);
  EXPECT_NEAR(*whole.step_seconds / step, 1 / 0.9828, 1e-4);
  EXPECT_NEAR(whole.terms.total(), *whole.step_seconds, 1e-9);
}

TEST_F(RunPredictionTest, EncodersAreKnownByTheirPaddedVocabulary) {
  MeasuredRun run = Gpt3();
  run.hidden = 1024;
  run.layers = 24;
  run.heads = run.kv_heads = 16;
  run.ffn_hidden = 4096;
  run.tensor_parallel = run.pipeline_parallel = run.virtual_pipeline = 1;
  run.data_parallel = 64;
  run.vocab = 30528;
  EXPECT_FALSE(Describe(run).job.shape.causal);
  EXPECT_TRUE(Describe(run).job.padded);
  run.vocab = 50368;
  EXPECT_TRUE(Describe(run).job.shape.causal);
  EXPECT_FALSE(Describe(run).job.padded);
}

TEST_F(RunPredictionTest, PicturesAreNotPadded) {
  MeasuredRun run;
  run.model = "vit-b-16";
  run.gpu_type = "A100-SXM-80GB";
  run.gpus = 8;
  run.global_batch = 4096;
  const RunDescription description = Describe(run);
  EXPECT_EQ(description.job.positions, 197);
  EXPECT_FALSE(description.job.padded);
}

TEST_F(RunPredictionTest, BlankDegreesAreWhatTheOthersLeave) {
  MeasuredRun run = Gpt3();
  run.data_parallel.reset();
  run.gpus = 512;
  run.micro_batch.reset();
  run.global_batch = 64;
  const RunDescription description = Describe(run);
  EXPECT_EQ(description.layout.data_parallel, 8);
  EXPECT_EQ(description.layout.micro_batch_size * static_cast<int64_t>(description.micro_batches), 8);
  run.gpus.reset();
  run.tensor_parallel.reset();
  run.pipeline_parallel.reset();
  run.framework = "fsdp";
  run.zero_stage.reset();
  EXPECT_EQ(Describe(run).layout.zero_stage, 3);
  EXPECT_TRUE(Describe(run).layout_is_unknown);
}

TEST_F(RunPredictionTest, ShardsWithinGroupsAreGatheredThere) {
  MeasuredRun run = Gpt3();
  run.framework = "fsdp";
  run.tensor_parallel = run.pipeline_parallel = run.virtual_pipeline = 1;
  run.data_parallel = 64;
  run.zero_stage = 3;
  run.nic_gbps_per_gpu = 50;
  EXPECT_EQ(Describe(run).layout.shard_group, 0);
  const double everywhere = *PredictRun(run).step_seconds;
  run.shard_group = 8;
  EXPECT_EQ(Describe(run).layout.shard_group, 8);
  EXPECT_LT(*PredictRun(run).step_seconds, everywhere);
}

TEST_F(RunPredictionTest, BlankHeadsDivideTheHiddenSizeOnEveryCard) {
  MeasuredRun run = Gpt3();
  run.hidden = 14400;
  run.heads.reset();
  run.kv_heads.reset();
  EXPECT_EQ(Describe(run).job.shape.heads, 120);
  EXPECT_EQ(Describe(run).job.shape.qk_dim, 120);
}

TEST_F(RunPredictionTest, BlankRecomputationIsTheLeastThatFits) {
  MeasuredRun run = Gpt3();
  run.recompute.clear();
  run.attention = "flash";
  run.framework = "megatron-core";
  EXPECT_EQ(Describe(run).layout.recompute, perf::Recompute::kNone);
  run.micro_batch = 8;
  const RunDescription tight = Describe(run);
  EXPECT_EQ(tight.layout.recompute, perf::Recompute::kFull);
  EXPECT_LT(tight.job.recompute_share, 1);
}

TEST_F(RunPredictionTest, FourBitWeightsAndAdaptersComeFromPrecisionAndTask) {
  MeasuredRun run = Gpt3();
  run.task = "lora";
  run.precision = "pure-bf16+nf4";
  const RunDescription description = Describe(run);
  EXPECT_TRUE(description.job.frozen_base);
  EXPECT_DOUBLE_EQ(description.job.frozen_bytes, 0.516);
  EXPECT_EQ(description.precision->name, "bf16-pure");
}

}  // namespace
}  // namespace planner::planning
