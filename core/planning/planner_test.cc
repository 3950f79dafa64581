#include "core/base/error.h"
#include "core/planning/fake_models.h"
#include "core/planning/planner_fixture.h"
#include "gmock/gmock.h"

namespace planner::planning {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// SC21 (2104.04473), section 5.1: 1,024 A100 at 140 TFLOP/s each train GPT-3 on 300B tokens in 34 days.
TEST_F(PlannerTest, Gpt3TakesThePublished34Days) {
  JobSpec job = Fixed(Job(FakeGpt3(), 300e9), 1024);
  job.hardware_flops_ratio = 140.0 / 312;
  const Plan plan = Make(job, {Pool("a100")});
  ASSERT_THAT(plan.recommendations, SizeIs(1));
  // A failure every 49 hours on 1,024 cards.
  EXPECT_NEAR(plan.recommendations[0].goodput.ratio, 0.98, 0.01);
  EXPECT_THAT(plan.recommendations[0].explanation, Contains(HasSubstr("Goodput")));
  EXPECT_THAT(plan.recommendations[0].launch, SizeIs(Ge(3)));
  const Recommendation& best = plan.recommendations[0];
  EXPECT_NEAR(Days(best.total_duration), 34, 34 * 0.03);
  EXPECT_EQ(best.layout.recompute, parallel::Recompute::kFull);
  EXPECT_EQ(best.utilization_source, UtilizationSource::kGiven);
  EXPECT_EQ(best.total_duration_low, best.total_duration);
  EXPECT_EQ(best.total_duration_high, best.total_duration);
  EXPECT_NEAR(best.hardware_flops_utilization, 140.0 / 312, 1e-9);
  EXPECT_LT(best.model_flops_utilization, best.hardware_flops_utilization);
  EXPECT_EQ(best.node_count, 128);
}

// LLaMA (2302.13971), table 15: 1,022,362 GPU hours on A100-80GB.
TEST_F(PlannerTest, Llama65BTakesThePublishedGpuHours) {
  const Plan plan = Make(Fixed(Job(FakeLlama65B(), 1.4e12), 2048), {Pool("a100")});
  ASSERT_THAT(plan.recommendations, SizeIs(1));
  const Recommendation& best = plan.recommendations[0];
  EXPECT_NEAR(best.gpu_hours, 1022362, 102236);
  EXPECT_LT(best.total_duration_low, best.total_duration);
  EXPECT_GT(best.total_duration_high, best.total_duration);
  EXPECT_EQ(best.utilization_source, UtilizationSource::kPredicted);
  EXPECT_EQ(best.global_batch, 2048);  // 4M tokens.
  EXPECT_NEAR(best.energy_kwh, best.gpu_hours * 0.4, 1);
  EXPECT_NEAR(best.tokens_per_second * absl::ToDoubleSeconds(best.total_duration), 1.4e12, 1e6);
}

TEST_F(PlannerTest, AGivenModelRatioIsOfModelFlopsWhateverIsRecomputed) {
  JobSpec job = Fixed(Job(FakeLlama65B(), 1e12), 512);
  job.model_flops_ratio = 0.5;
  job.layout.recompute = parallel::Recompute::kFull;
  const Recommendation best = Make(job, {Pool("h100")}).recommendations.at(0);
  EXPECT_NEAR(absl::ToDoubleSeconds(best.total_duration), best.model_flops / (512 * 989.5e12 * 0.5), 1);
  EXPECT_NEAR(best.model_flops_utilization, 0.5, 1e-9);
  EXPECT_GT(best.hardware_flops_utilization, 0.6);
}

TEST_F(PlannerTest, WithoutDataOnlyRatesAreAnswered) {
  const Plan plan = Make(Job(FakeLlama7B(), 0), {Pool("a100")});
  ASSERT_FALSE(plan.recommendations.empty());
  const Recommendation& best = plan.recommendations[0];
  EXPECT_EQ(best.total_duration, absl::ZeroDuration());
  EXPECT_EQ(best.gpu_hours, 0);
  EXPECT_GT(best.step_duration, absl::ZeroDuration());
  EXPECT_GT(best.tokens_per_second, 0);
  EXPECT_EQ(best.limited_by, "memory");
  JobSpec job = Job(FakeLlama7B(), 0);
  job.deadline = absl::Hours(1);
  EXPECT_EQ(base::DetailOf(StatusOf(job)).field, "data_set");
}

// A window hides keys from the attention; the products are as many as without. The model FLOPs are those of the pairs that are left.
TEST_F(PlannerTest, AWindowShortensTheAttentionAlone) {
  model::TransformerShape shape = *FakeLlama7B().transformer;
  const auto make = [&] {
    JobSpec job = Fixed(Job(FakeDecoder(shape, 16384), 1e12), 64);
    job.global_batch = 64;
    job.layout.tensor_parallel = 4;
    job.layout.pipeline_parallel = 1;
    job.layout.context_parallel = 1;
    job.layout.micro_batch_size = 1;
    job.layout.zero_stage = 1;
    job.layout.recompute = parallel::Recompute::kFull;
    return Make(job, {Pool("a100")});
  };
  const Plan all = make();
  shape.window = 1024;
  shape.window_layers = 32;
  const Plan windowed = make();
  ASSERT_THAT(all.recommendations, SizeIs(1));
  ASSERT_THAT(windowed.recommendations, SizeIs(1));
  EXPECT_LT(windowed.model_flops, 0.7 * all.model_flops);
  EXPECT_DOUBLE_EQ(windowed.recommendations[0].step->matmul, all.recommendations[0].step->matmul);
  EXPECT_LT(windowed.recommendations[0].step->attention, all.recommendations[0].step->attention);
}

TEST_F(PlannerTest, AdaptersNeedLessMemoryAndTime) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e9), 1);
  EXPECT_THAT(Make(job, {Pool("a100")}).recommendations, IsEmpty());
  job.finetune = Finetune::kLora;
  const Recommendation lora = Make(job, {Pool("a100")}).recommendations.at(0);
  // 4 N D through the weights, and the attention's cores three times: 4 x 2,048 x 4,096 x 32 a token.
  const double flops = (4 * 6.74e9 + 3 * 4 * 2048. * 4096 * 32) * 1e9;
  EXPECT_NEAR(lora.model_flops, flops, 0.02 * flops);
  job.finetune = Finetune::kQlora;
  const Recommendation qlora = Make(job, {Pool("a100")}).recommendations.at(0);
  EXPECT_LT(qlora.memory.parameter_bytes, lora.memory.parameter_bytes / 3);
  job.model = FakeCnn();
  job.token_count.reset();
  EXPECT_EQ(base::DetailOf(StatusOf(job)).field, "training.finetune");
}

TEST_F(PlannerTest, ModelsWithoutATransformerAreSplitByDataAlone) {
  JobSpec job = Fixed(Job(FakeCnn(), 0), 16);
  job.sample_count = 1281167;
  job.epoch_count = 90;
  const Plan plan = Make(job, {Pool("a100")});
  const Recommendation& best = plan.recommendations.at(0);
  EXPECT_EQ(best.layout.data_parallel, 16);
  EXPECT_EQ(best.global_batch, 1024);
  // 2 x 3 x 5 x 256 x 256 x 9 x 56 x 56 FLOPs an image.
  EXPECT_NEAR(plan.model_flops, 1281167.0 * 90 * 6 * 5 * 256 * 256 * 9 * 56 * 56, 1e10);
  EXPECT_EQ(plan.token_count, 0);
  job.sample_count.reset();
  job.token_count = 1e9;
  EXPECT_THAT(Make(job, {Pool("a100")}).warnings, Contains(HasSubstr("token_count is ignored")));
}

// 1,000 tokens are half a sequence of LLaMA, and no framework trains half a step.
TEST_F(PlannerTest, ATrainingIsAtLeastOneStep) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1000), 8);
  job.global_batch = 64;
  cluster::Pool pool = Pool("a100");
  pool.price_per_gpu_hour = 3600;  // A currency unit a second.
  const Plan plan = Make(job, {pool});
  const Recommendation& best = plan.recommendations.at(0);
  EXPECT_EQ(best.step_count, 1);
  EXPECT_EQ(best.total_duration, best.step_duration);
  EXPECT_NEAR(best.cost, 8 * absl::ToDoubleSeconds(best.step_duration), 1e-6);
  EXPECT_NEAR(best.model_flops, 64 * 6 * 6.7e9 * 2048, 0.1 * best.model_flops);
  EXPECT_THAT(plan.warnings, Contains(HasSubstr("samples are fewer than a global batch of 64: one whole step is planned")));
  EXPECT_THAT(best.explanation, Contains(HasSubstr(" 1 steps: ")));
  job.token_count = 64 * 2048;
  EXPECT_THAT(Make(job, {pool}).warnings, ::testing::Not(Contains(HasSubstr("one whole step"))));
}

// A data set of 24 sequences is one batch of 24, not 5 % of one of 1,024.
TEST_F(PlannerTest, ADefaultBatchIsNoLargerThanTheDataSet) {
  const Plan plan = Make(Fixed(Job(FakeLlama7B(), 24 * 2048), 8), {Pool("a100")});
  EXPECT_EQ(plan.recommendations.at(0).global_batch, 24);
  EXPECT_EQ(plan.recommendations[0].step_count, 1);
  EXPECT_THAT(plan.recommendations[0].explanation, Contains(HasSubstr("whole data set")));
}

// Attention of 131,072 positions is 12 x 32 x 4,096 x 131,072 = 2.06e11 FLOPs a token, the products are 6 x 6.7e9: half of 84 % is skipped.
TEST_F(PlannerTest, AUtilizationAboveTheWholePeakIsExplained) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e12), 256);
  job.seq_len = 131072;
  job.framework = "megatron-core";
  job.layout.recompute = parallel::Recompute::kNone;
  const Plan plan = Make(job, {Pool("a100")});
  const Recommendation& best = plan.recommendations.at(0);
  ASSERT_GT(best.hardware_flops_utilization, 1);
  EXPECT_THAT(plan.warnings, Contains(AllOf(HasSubstr("counted in full"), HasSubstr("% without it"))));
  EXPECT_THAT(best.explanation, Contains(AllOf(HasSubstr("Utilization"), HasSubstr("fused kernels leave out half: 0.6"))));
  job.seq_len = 2048;
  EXPECT_THAT(Make(job, {Pool("a100")}).warnings, ::testing::Not(Contains(HasSubstr("counted in full"))));
}

TEST_F(PlannerTest, LaunchersAreToldWhatIsTrained) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e9), 8);
  job.finetune = Finetune::kQlora;
  job.lora_rank = 32;
  job.layout.data_parallel = 8;
  EXPECT_THAT(Make(job, {Pool("a100")}).recommendations.at(0).launch.at(3).flags,
              AllOf(HasSubstr("--lora_r 32"), HasSubstr("--load_in_4bit")));
  job.finetune = Finetune::kFull;
  job.optimizer = "momentum";
  EXPECT_THAT(Make(job, {Pool("a100")}).recommendations.at(0).launch.at(0).flags, HasSubstr("--optimizer sgd --sgd-momentum 0.9"));
}

TEST_F(PlannerTest, SameJobSamePlan) {
  const JobSpec job = Job(FakeLlama65B(), 1e12);
  const std::vector<cluster::Pool> pools = {Pool("a100"), Pool("h100"), Pool("b200")};
  const Plan a = Make(job, pools);
  const Plan b = Make(job, pools);
  ASSERT_EQ(a.recommendations.size(), b.recommendations.size());
  for (size_t i = 0; i < a.recommendations.size(); ++i) {
    EXPECT_EQ(a.recommendations[i].layout, b.recommendations[i].layout);
    EXPECT_EQ(a.recommendations[i].explanation, b.recommendations[i].explanation);
  }
}

TEST_F(PlannerTest, SurvivesAbsurdJobs) {
  for (const int64_t gpus : {999983, 1000000, 1, 524288}) {
    for (const int64_t batch : {int64_t{1}, int64_t{2147483647}, int64_t{2147483648}}) {
      for (const int64_t seq_len : {int64_t{1}, int64_t{1000000}}) {
        JobSpec job = Fixed(Job(FakeLlama65B(), 1e18), gpus);
        job.global_batch = batch;
        job.seq_len = seq_len;
        const Plan plan = Make(job, {Pool("a100"), Pool("gb200"), Pool("tpu-v5p")});
        EXPECT_EQ(plan.recommendations.empty(),
                  !plan.infeasible_reasons.empty() && plan.infeasible_reasons.size() == 3);
      }
    }
  }
  JobSpec impossible = Job(FakeLlama65B(), 1e18);
  impossible.deadline = absl::Nanoseconds(1);
  EXPECT_THAT(Make(impossible, {Pool("a100")}).infeasible_reasons, SizeIs(1));
  JobSpec odd = Job(FakeLlama7B(), 1e12);
  odd.model.transformer->heads = 0;
  odd.model.transformer->layers = 0;
  odd.model.transformer->experts = 1;
  Make(odd, {Pool("a100")});
  EXPECT_EQ(StatusOf(JobSpec{}).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace planner::planning
