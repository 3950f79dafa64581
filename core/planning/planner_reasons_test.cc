#include "core/base/error.h"
#include "core/planning/fake_models.h"
#include "core/planning/planner_fixture.h"
#include "gmock/gmock.h"

namespace planner::planning {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(PlannerTest, AnAssumedRecomputationRulesNothingOut) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e12), 64);
  job.hardware_flops_ratio = 0.4;
  const Plan assumed = Make(job, {Pool("h100")});
  ASSERT_FALSE(assumed.recommendations.empty());
  EXPECT_EQ(assumed.recommendations[0].layout.recompute, parallel::Recompute::kFull);
  EXPECT_THAT(assumed.warnings, Contains(HasSubstr("full recomputation")));
  // A deadline between the times with and without it.
  job.deadline = assumed.recommendations[0].total_duration * 0.9;
  const Plan relaxed = Make(job, {Pool("h100")});
  ASSERT_FALSE(relaxed.recommendations.empty());
  EXPECT_EQ(relaxed.recommendations[0].layout.recompute, parallel::Recompute::kNone);
  EXPECT_THAT(relaxed.warnings, Contains(HasSubstr("least recomputation")));
}

TEST_F(PlannerTest, TooLittleMemorySaysByHowMuchAndWhatWouldFit) {
  const Plan plan = Make(Fixed(Job(FakeGpt3(), 300e9), 8), {Pool("a100")});
  EXPECT_THAT(plan.recommendations, IsEmpty());
  ASSERT_THAT(plan.infeasible_reasons, SizeIs(1));
  EXPECT_THAT(plan.infeasible_reasons[0],
              AllOf(HasSubstr("A100-SXM-80GB x 8: needs "), HasSubstr("has 79.3 GiB"), HasSubstr("GiB too much"),
                    HasSubstr("even in the layout that needs the least: "),
                    HasSubstr("microbatch 1, ZeRO-3, full recomputation"), HasSubstr("; 40 cards would fit")));
  // What it promises holds, and no node less would do: 32 x 79.35 GiB are 15.6 bytes for a parameter that needs 16.
  EXPECT_THAT(Make(Fixed(Job(FakeGpt3(), 300e9), 40), {Pool("a100")}).recommendations, SizeIs(1));
  EXPECT_THAT(Make(Fixed(Job(FakeGpt3(), 300e9), 32), {Pool("a100")}).recommendations, IsEmpty());
}

TEST_F(PlannerTest, TensorParallelismStaysWithinThePoolsNodes) {
  JobSpec job = Fixed(Job(FakeLlama65B(), 1e12), 128);
  job.layout.pipeline_parallel = 1;
  job.layout.zero_stage = 1;  // 6 bytes of each parameter over the tensor parallel cards alone: 49 GB on 8, 98 on 4.
  EXPECT_EQ(Make(job, {Pool("h100")}).recommendations.at(0).layout.tensor_parallel, 8);
  cluster::Pool halves = Pool("h100");
  halves.gpus_per_node = 4;
  EXPECT_THAT(Make(job, {halves}).recommendations, IsEmpty());
  // A rack's link joins more than a node: 72 of GB200, 4 to a node. 262 GB on 4, 131 on 8.
  job.model = FakeGpt3();
  EXPECT_GE(Make(job, {Pool("gb200")}).recommendations.at(0).layout.tensor_parallel, 8);
}

// A pipeline of 16 stages with one microbatch at a time waits for its bubble more than it computes.
TEST_F(PlannerTest, TheLargestPartOfTheStepIsNamed) {
  JobSpec job = Fixed(Job(FakeGpt3(), 300e9), 128);
  job.global_batch = 1;
  job.layout.tensor_parallel = 8;
  job.layout.pipeline_parallel = 16;
  job.layout.virtual_pipeline = 1;
  const Plan plan = Make(job, {Pool("a100")});
  ASSERT_THAT(plan.recommendations, SizeIs(1));
  EXPECT_EQ(plan.recommendations[0].limited_by, "pipeline");
}

TEST_F(PlannerTest, AShardGroupThatDividesNothingIsTheReason) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e12), 64);
  job.layout.tensor_parallel = 2;
  job.layout.shard_group = 3;
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons,
              ElementsAre(HasSubstr("shards over groups of 3, which do not divide 32 replicas")));
  job.layout.shard_group = 64;  // More than there are.
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons,
              ElementsAre(HasSubstr("groups of 64, which do not divide 32 replicas")));
  job.layout.shard_group = 16;
  EXPECT_EQ(Make(job, {Pool("a100")}).recommendations.at(0).layout.shard_group, 16);
}

TEST_F(PlannerTest, APoolBoundsTheCards) {
  cluster::Pool pool = Pool("a100");
  pool.cluster = "main";
  pool.name = "a100";
  pool.node_count = 2;
  EXPECT_THAT(Make(Fixed(Job(FakeLlama7B(), 1e9), 24), {pool}).infeasible_reasons,
              ElementsAre("main/a100 (A100-SXM-80GB): has 16 cards, at least 24 are asked for: 8 too few"));
  const Plan plan = Make(Job(FakeLlama7B(), 1e12), {pool});
  ASSERT_FALSE(plan.recommendations.empty());
  EXPECT_EQ(plan.recommendations[0].gpu_count, 16);
  EXPECT_EQ(plan.recommendations[0].cluster, "main");
  EXPECT_THAT(Make(Job(FakeLlama7B(), 1e12), {}).infeasible_reasons, SizeIs(1));
}

TEST_F(PlannerTest, FixedDegreesAreKeptOrRefused) {
  JobSpec job = Fixed(Job(FakeLlama65B(), 1e12), 128);
  job.layout.tensor_parallel = 4;
  job.layout.pipeline_parallel = 8;
  job.global_batch = 1024;
  const Recommendation best = Make(job, {Pool("a100")}).recommendations.at(0);
  EXPECT_EQ(best.layout.tensor_parallel, 4);
  EXPECT_EQ(best.layout.pipeline_parallel, 8);
  EXPECT_EQ(best.layout.data_parallel, 4);
  EXPECT_THAT(Make(Fixed(job, 120), {Pool("a100")}).infeasible_reasons,
              ElementsAre(HasSubstr("the fixed tensor parallel 4 x pipeline parallel 8 make 32 cards or a multiple of that")));
  job.layout.context_parallel = 1;
  job.layout.data_parallel = 2;
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons,
              ElementsAre(HasSubstr("the fixed tensor parallel 4 x pipeline parallel 8 x context parallel 1 x data parallel 2 make 64 cards")));
  job.layout.context_parallel.reset();  // Sequences as short as these are not split unasked.
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons,
              ElementsAre(HasSubstr("no layout: the fixed tensor parallel 4 x pipeline parallel 8 x data parallel 2 make 64 cards")));
  job.layout.tensor_parallel = 3;
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons,
              ElementsAre(HasSubstr("tensor parallel 3 does not divide 64 heads")));
  job.layout.tensor_parallel = 0;
  EXPECT_EQ(base::DetailOf(StatusOf(job)).field, "layout.tensor_parallel");
  job = Fixed(Job(FakeLlama7B(), 1e12), 7);
  job.global_batch = 64;
  job.layout.pipeline_parallel = 1;
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons, ElementsAre(HasSubstr("no layout")));
}

TEST_F(PlannerTest, ChunksThatDoNotShareOutTheLayersAreTheReason) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e9), 8);
  job.layout.pipeline_parallel = 4;
  job.layout.virtual_pipeline = 3;
  EXPECT_THAT(Make(job, {Pool("h100")}).infeasible_reasons,
              ElementsAre(HasSubstr("virtual pipeline 3 on 4 stages makes 12 chunks, which do not share out 32 layers")));
}

TEST_F(PlannerTest, TimesBeyondTheCalendarAreReasons) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e18), 8);
  const Plan plan = Make(job, {Pool("a100")});
  EXPECT_THAT(plan.recommendations, IsEmpty());
  EXPECT_THAT(plan.infeasible_reasons, ElementsAre(HasSubstr("longer than can be planned")));
}

TEST_F(PlannerTest, ACardWithoutThePrecisionFallsBackAloudOrIsOut) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e9), 64);
  job.precision = "bf16";
  const Plan fallback = Make(job, {Pool("v100")});
  EXPECT_THAT(fallback.warnings, Contains(HasSubstr("V100-SXM2-32GB has no fast bf16: computed in fp16")));
  // Megatron-LM is told fp16, too: --bf16 does not run there.
  ASSERT_FALSE(fallback.recommendations.empty());
  EXPECT_THAT(fallback.recommendations[0].launch.at(0).flags,
              AllOf(HasSubstr("--fp16"), ::testing::Not(HasSubstr("--bf16"))));
  job.precision = "fp8";
  EXPECT_THAT(Make(job, {Pool("a100")}).recommendations.at(0).launch.at(0).flags,
              AllOf(HasSubstr("--bf16"), ::testing::Not(HasSubstr("--fp8"))));
  job.precision = "fp32";
  EXPECT_THAT(Make(job, {Pool("tpu-v4")}).infeasible_reasons, Contains(HasSubstr("TPU-v4 has no peak for fp32")));
  job.precision = "int4";
  EXPECT_EQ(base::DetailOf(StatusOf(job)).field, "training.precision");
}

TEST_F(PlannerTest, FrameworksNarrowTheSearch) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e9), 64);
  job.framework = "fsdp";
  const Recommendation fsdp = Make(job, {Pool("a100")}).recommendations.at(0);
  EXPECT_EQ(fsdp.layout.zero_stage, 3);
  EXPECT_EQ(fsdp.layout.data_parallel, 64);
  job.framework = "ddp";  // 18 bytes x 6.7e9 on every card.
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons, SizeIs(1));
}

}  // namespace
}  // namespace planner::planning
