#include "core/planning/launch_flags.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using parallel::Recompute;

/// GPT-3 on 64 cards of 8: tensor 8, pipeline 4, data 2, 32 samples.
LaunchJob Job() {
  LaunchJob job;
  job.layout = {.data_parallel = 2, .tensor_parallel = 8, .pipeline_parallel = 4, .recompute = Recompute::kFull};
  job.global_batch = 32;
  job.micro_batches = 16;
  job.seq_len = 2048;
  job.layers = 96;
  job.precision = "bf16";
  return job;
}

std::map<std::string, LaunchFlags> Flags(const LaunchJob& job) {
  std::map<std::string, LaunchFlags> flags;
  for (LaunchFlags& one : LaunchFlagsOf(job)) flags.emplace(one.framework, one);
  return flags;
}

TEST(LaunchFlagsTest, AreThoseOfThreeFrameworks) {
  EXPECT_THAT(LaunchFlagsOf(Job()),
              ElementsAre(Field(&LaunchFlags::framework, "megatron-core"), Field(&LaunchFlags::framework, "torchtitan"),
                          Field(&LaunchFlags::framework, "deepspeed")));
}

TEST(LaunchFlagsTest, DataParallelismAloneIsPlainFsdpToo) {
  LaunchJob job = Job();
  job.layout = {.data_parallel = 16, .zero_stage = 3, .recompute = Recompute::kFull};
  job.nodes = 2;
  job.micro_batches = 2;
  job.precision = "fp8";
  EXPECT_EQ(Flags(job)["fsdp"].flags,
            "accelerate launch --num_machines 2 --num_processes 16 --mixed_precision bf16 --use_fsdp "
            "--fsdp_sharding_strategy FULL_SHARD "
            "--fsdp_auto_wrap_policy TRANSFORMER_BASED_WRAP --fsdp_activation_checkpointing true "
            "--gradient_accumulation_steps 2");
  job.layout.zero_stage = 0;
  EXPECT_THAT(Flags(job)["fsdp"].flags, HasSubstr("--multi_gpu"));
  job.layout.tensor_parallel = 2;
  EXPECT_FALSE(Flags(job).contains("fsdp"));
}

TEST(LaunchFlagsTest, WhatIsNoTransformerIsPlainPyTorch) {
  LaunchJob job;
  job.layout = {.data_parallel = 8, .zero_stage = 0};
  job.layers = 0;
  EXPECT_THAT(LaunchFlagsOf(job), ElementsAre(Field(&LaunchFlags::framework, "fsdp")));
}

TEST(LaunchFlagsTest, TellMegatronTheLayout) {
  EXPECT_EQ(Flags(Job())["megatron-core"].flags,
            "--tensor-model-parallel-size 8 --pipeline-model-parallel-size 4 --micro-batch-size 1 --global-batch-size 32 "
            "--seq-length 2048 --sequence-parallel --use-distributed-optimizer --overlap-grad-reduce "
            "--overlap-param-gather --recompute-granularity full --recompute-method uniform --recompute-num-layers 1 --bf16 "
            "--use-flash-attn");
}

TEST(LaunchFlagsTest, TellTorchtitanTheLayout) {
  EXPECT_EQ(Flags(Job())["torchtitan"].flags,
            "--parallelism.data_parallel_shard_degree 2 --parallelism.fsdp_reshard_after_forward never "
            "--parallelism.tensor_parallel_degree 8 --parallelism.pipeline_parallel_degree 4 "
            "--parallelism.pipeline_parallel_schedule 1F1B --parallelism.pipeline_parallel_microbatch_size 1 "
            "--training.local_batch_size 16 --training.global_batch_size 32 --training.seq_len 2048 "
            "--activation_checkpoint.mode full");
}

TEST(LaunchFlagsTest, TellDeepSpeedTheLayoutInFlagsAndAFile) {
  const LaunchFlags flags = Flags(Job())["deepspeed"];
  EXPECT_EQ(flags.flags,
            "--deepspeed --tensor-model-parallel-size 8 --pipeline-model-parallel-size 4 --zero-stage 1 --micro-batch-size "
            "1 --global-batch-size 32 --seq-length 2048 --sequence-parallel --checkpoint-activations "
            "--deepspeed-activation-checkpointing --bf16 --use-flash-attn-v2 --deepspeed_config FILE");
  EXPECT_EQ(flags.config,
            R"({"train_batch_size": 32, "train_micro_batch_size_per_gpu": 1, "zero_optimization": {"stage": 1}, )"
            R"("bf16": {"enabled": true}})");
}

TEST(LaunchFlagsTest, InterleavedChunksAreCountedOrGivenByTheirLayers) {
  LaunchJob job = Job();
  job.layout.virtual_pipeline = 6;
  auto flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--num-virtual-stages-per-pipeline-rank 6"));
  EXPECT_THAT(flags["torchtitan"].flags, HasSubstr("Interleaved1F1B --parallelism.pipeline_parallel_layers_per_stage 4 "
                                                   "--parallelism.pipeline_parallel_first_stage_less_layers 0 "
                                                   "--parallelism.pipeline_parallel_last_stage_less_layers 0"));
  EXPECT_EQ(flags["deepspeed"].unsupported, "interleaved pipelines");
  EXPECT_THAT(flags["deepspeed"].flags, IsEmpty());
}

TEST(LaunchFlagsTest, EmbeddingAndLossMayCountAsLayers) {
  LaunchJob job = Job();
  job.layers = 126;
  job.layout.pipeline_parallel = 16;
  job.layout.virtual_pipeline = 8;
  EXPECT_THAT(Flags(job)["megatron-core"].flags,
              HasSubstr("--num-virtual-stages-per-pipeline-rank 8 --account-for-embedding-in-pipeline-split "
                        "--account-for-loss-in-pipeline-split"));
  EXPECT_THAT(Flags(job)["torchtitan"].flags, HasSubstr("layers_per_stage 1 --parallelism.pipeline_parallel_first_stage_less_layers 1"));
}

TEST(LaunchFlagsTest, StagesOfDifferentLengthsAreToldOrRefused) {
  LaunchJob job = Job();
  job.layers = 95;  // 32, 32 and 31.
  job.layout.pipeline_parallel = 3;
  EXPECT_THAT(Flags(job)["megatron-core"].flags, HasSubstr("--decoder-last-pipeline-num-layers 31"));
  job.layers = 61;  // 2 on 31 stages leave none for the 32nd.
  job.layout.pipeline_parallel = 32;
  EXPECT_EQ(Flags(job)["megatron-core"].unsupported, "61 layers on 32 stages");
}

TEST(LaunchFlagsTest, ShardedWeightsAreFsdpOrZero3) {
  LaunchJob job = Job();
  job.layout = {.data_parallel = 64, .zero_stage = 3};
  job.precision = "fp8";
  auto flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--data-parallel-sharding-strategy optim_grads_params"));
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--bf16 --fp8-format hybrid"));
  EXPECT_THAT(flags["torchtitan"].flags, HasSubstr("fsdp_reshard_after_forward always"));
  EXPECT_THAT(flags["torchtitan"].flags, HasSubstr("activation_checkpoint.mode none"));
  EXPECT_THAT(flags["deepspeed"].flags, HasSubstr("--no-pipeline-parallel --zero-stage 3"));
  EXPECT_THAT(flags["deepspeed"].config, HasSubstr("\"bf16\": {\"enabled\": true}"));
  job.precision = "fp32";
  EXPECT_THAT(Flags(job)["deepspeed"].config, Not(HasSubstr("enabled")));
}

// What is not told runs in another type than was planned: in fp32 in Megatron-LM, in bf16 in torchtitan.
TEST(LaunchFlagsTest, TellEveryPrecisionOrSayThatTheyCannot) {
  LaunchJob job = Job();
  job.precision = "fp4";
  auto flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--bf16 --fp4-format e2m1"));
  EXPECT_EQ(flags["torchtitan"].unsupported, "fp4");
  job.precision = "fp8";
  flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--bf16 --fp8-format hybrid"));
  EXPECT_THAT(flags["torchtitan"].flags, HasSubstr("--model.converters quantize.linear.float8"));
  job.precision = "fp16";
  flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--fp16"));
  EXPECT_EQ(flags["torchtitan"].unsupported, "fp16");
  for (const char* wide : {"fp32", "tf32"}) {
    job.precision = wide;
    flags = Flags(job);
    EXPECT_THAT(flags["megatron-core"].flags, Not(HasSubstr("16 "))) << wide;
    EXPECT_THAT(flags["torchtitan"].flags, HasSubstr("--training.mixed_precision_param float32")) << wide;
  }
  job.precision = "bf16-pure";
  flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].unsupported, HasSubstr("keeps weights in 32 bits"));
  EXPECT_THAT(flags["deepspeed"].unsupported, HasSubstr("keeps weights in 32 bits"));
  EXPECT_THAT(flags["torchtitan"].flags, HasSubstr("--training.dtype bfloat16"));
  job.precision = "fp64";
  for (const LaunchFlags& one : LaunchFlagsOf(job)) EXPECT_EQ(one.unsupported, "fp64") << one.framework;
}

// What is not told would train all weights, with Adam, in memory that the plan did not count.
TEST(LaunchFlagsTest, TellEveryOptimizerOrSayThatTheyCannot) {
  LaunchJob job = Job();
  EXPECT_THAT(Flags(job)["megatron-core"].flags, Not(HasSubstr("--optimizer")));
  job.optimizer = "sgd-momentum";
  auto flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--optimizer sgd --sgd-momentum 0.9 --use-distributed-optimizer"));
  EXPECT_THAT(flags["deepspeed"].flags, HasSubstr("--optimizer sgd --sgd-momentum 0.9"));
  EXPECT_EQ(flags["torchtitan"].unsupported, "sgd-momentum");
  job.optimizer = "sgd";
  EXPECT_THAT(Flags(job)["megatron-core"].flags, HasSubstr("--optimizer sgd --sgd-momentum 0 "));
  job.optimizer = "muon";
  flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--optimizer dist_muon --overlap-grad-reduce"));
  EXPECT_THAT(flags["megatron-core"].flags, Not(HasSubstr("--use-distributed-optimizer")));
  EXPECT_EQ(flags["deepspeed"].unsupported, "muon");
  for (const char* other : {"lion", "adafactor", "adam8bit"}) {
    job.optimizer = other;
    for (const LaunchFlags& one : LaunchFlagsOf(job)) EXPECT_EQ(one.unsupported, other) << one.framework;
  }
  job.layout = {.data_parallel = 8, .zero_stage = 3};
  EXPECT_THAT(Flags(job)["fsdp"].flags, HasSubstr(" SCRIPT --optim adamw_bnb_8bit"));
  job.optimizer = "muon";
  EXPECT_EQ(Flags(job)["megatron-core"].unsupported, "muon with ZeRO-3");
}

TEST(LaunchFlagsTest, AdaptersAreForAccelerateAlone) {
  LaunchJob job = Job();
  job.layout = {.data_parallel = 8, .zero_stage = 3};
  job.adapter_rank = 32;
  auto flags = Flags(job);
  EXPECT_EQ(flags["megatron-core"].unsupported, "LoRA; Megatron Bridge has it");
  EXPECT_EQ(flags["torchtitan"].unsupported, "LoRA");
  EXPECT_EQ(flags["deepspeed"].unsupported, "LoRA; Megatron Bridge has it");
  EXPECT_THAT(flags["fsdp"].flags, AllOf(HasSubstr("--fsdp_use_orig_params true"),
                                         HasSubstr(" SCRIPT --use_peft --lora_target_modules all-linear --lora_r 32")));
  EXPECT_THAT(flags["fsdp"].flags, Not(HasSubstr("4bit")));
  job.base_in_4_bits = true;
  flags = Flags(job);
  EXPECT_EQ(flags["torchtitan"].unsupported, "QLoRA");
  EXPECT_THAT(flags["fsdp"].flags, HasSubstr("--lora_r 32 --load_in_4bit"));
}

TEST(LaunchFlagsTest, Fsdp1SharesWithinANodeAlone) {
  LaunchJob job = Job();
  job.nodes = 4;
  job.layout = {.data_parallel = 32, .zero_stage = 3, .shard_group = 8};
  EXPECT_THAT(Flags(job)["fsdp"].flags, HasSubstr("--fsdp_sharding_strategy HYBRID_SHARD"));
  job.layout.shard_group = 16;
  EXPECT_EQ(Flags(job)["fsdp"].unsupported, "states shared by 16 cards, which are no node");
}

TEST(LaunchFlagsTest, DeepSpeedSplitsSequencesOrTensors) {
  LaunchJob job = Job();
  job.layout = {.data_parallel = 4, .tensor_parallel = 2, .context_parallel = 8};
  EXPECT_EQ(Flags(job)["deepspeed"].unsupported, "context parallelism beside tensor or pipeline parallelism");
}

TEST(LaunchFlagsTest, WeightsShardedWithinGroupsAreHybridSharding) {
  LaunchJob job = Job();
  job.layout = {.data_parallel = 32, .context_parallel = 2, .zero_stage = 3, .shard_group = 8};
  auto flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--num-distributed-optimizer-instances 8"));
  EXPECT_THAT(flags["torchtitan"].flags,
              HasSubstr("--parallelism.data_parallel_replicate_degree 8 --parallelism.data_parallel_shard_degree 4"));
  EXPECT_THAT(flags["deepspeed"].config, HasSubstr("\"stage\": 3, \"mics_shard_size\": 8"));
  job.layout.context_parallel = 16;
  EXPECT_EQ(Flags(job)["torchtitan"].unsupported, "states shared by 8 cards, of sequences over 16");
}

// Untold, Megatron-LM splits them over the tensor-parallel cards and gathers all tokens; the others keep them whole.
TEST(LaunchFlagsTest, ExpertsOfSeveralCardsAreWholeInEveryFramework) {
  LaunchJob job = Job();
  job.has_experts = true;
  job.layout = {.data_parallel = 8, .tensor_parallel = 4, .expert_parallel = 16};
  auto flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--expert-model-parallel-size 16 --expert-tensor-parallel-size 1 "
                                                      "--moe-token-dispatcher-type alltoall"));
  EXPECT_THAT(flags["torchtitan"].flags, HasSubstr("--parallelism.expert_parallel_degree 16"));
  EXPECT_THAT(flags["torchtitan"].flags, Not(HasSubstr("expert_tensor")));
  EXPECT_THAT(flags["deepspeed"].flags, HasSubstr("--moe-expert-parallel-size 16"));
  EXPECT_THAT(flags["deepspeed"].flags, Not(HasSubstr("expert-tensor")));
  job.layout.expert_tensor_parallel = 4;
  job.layout.expert_parallel = 8;
  flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, HasSubstr("--expert-model-parallel-size 8 --expert-tensor-parallel-size 4"));
  EXPECT_THAT(flags["torchtitan"].flags, HasSubstr("--parallelism.expert_tensor_parallel_degree 4"));
  EXPECT_THAT(flags["deepspeed"].flags, HasSubstr("--moe-expert-parallel-size 8 --enable-expert-tensor-parallelism"));
}

TEST(LaunchFlagsTest, ExpertsOfEveryCardAreSplitAsAllElseIs) {
  LaunchJob job = Job();
  job.has_experts = true;
  auto flags = Flags(job);
  EXPECT_THAT(flags["megatron-core"].flags, Not(HasSubstr("expert")));
  EXPECT_THAT(flags["torchtitan"].flags, Not(HasSubstr("expert")));
  EXPECT_THAT(flags["deepspeed"].flags, HasSubstr("--enable-expert-tensor-parallelism"));
  job.layout.sequence_parallel = false;
  EXPECT_EQ(Flags(job)["megatron-core"].unsupported, "experts beside tensor parallelism without sequence parallelism");
  job.has_experts = false;
  EXPECT_THAT(Flags(job)["megatron-core"].unsupported, IsEmpty());
  EXPECT_THAT(Flags(job)["deepspeed"].flags, Not(HasSubstr("expert")));
}

TEST(LaunchFlagsTest, TorchtitanSpreadsExpertsOverTheCardsOfASequenceFirst) {
  LaunchJob job = Job();
  job.layout = {.data_parallel = 8, .tensor_parallel = 4, .context_parallel = 2, .expert_parallel = 4};
  EXPECT_EQ(Flags(job)["torchtitan"].unsupported, "experts over 4 cards, of sequences over 8");
  job.layout.expert_parallel = 16;
  EXPECT_THAT(Flags(job)["torchtitan"].unsupported, IsEmpty());
  job.layout.zero_stage = 0;  // Copies of the states do not share experts.
  EXPECT_EQ(Flags(job)["torchtitan"].unsupported, "experts over 16 cards, of sequences over 8");
}

TEST(LaunchFlagsTest, APipelineHasNoShardedGradients) {
  LaunchJob job = Job();
  job.layout.zero_stage = 2;
  EXPECT_EQ(Flags(job)["megatron-core"].unsupported, "ZeRO-2 with a pipeline");
  EXPECT_EQ(Flags(job)["deepspeed"].unsupported, "ZeRO-2 with a pipeline");
}

}  // namespace
}  // namespace planner::planning
