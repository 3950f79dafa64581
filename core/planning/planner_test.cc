#include "core/planning/planner.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "core/base/error.h"
#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/fake_models.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PlannerTest : public ::testing::Test {
 protected:
  cluster::Pool Pool(const char* gpu) const {
    cluster::Pool pool;
    pool.gpu = **catalog_->Find(gpu);
    pool.gpus_per_node = pool.gpu.gpus_per_node;
    return pool;
  }
  Plan Make(const JobSpec& job, std::vector<cluster::Pool> pools) const {
    auto plan = planner_.MakePlan(job, {absl::FromUnixSeconds(1767225600), std::move(pools), {}});
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *std::move(plan) : Plan{};
  }
  absl::Status StatusOf(const JobSpec& job) const {
    return planner_.MakePlan(job, {absl::FromUnixSeconds(1767225600), {Pool("a100")}, {}}).status();
  }
  static JobSpec Job(model::ModelDescription model, double tokens) {
    JobSpec job;
    job.model = std::move(model);
    if (tokens > 0) job.token_count = tokens;
    return job;
  }
  static JobSpec Fixed(JobSpec job, int64_t gpus) {
    job.min_gpus = job.max_gpus = gpus;
    return job;
  }
  static double Days(absl::Duration duration) { return absl::ToDoubleHours(duration) / 24; }

  const absl::StatusOr<hardware::GpuCatalog> catalog_ = hardware::GpuCatalog::Create();
  const counting::AnalyticCounter counter_;
  const Planner planner_{counter_};
};

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

TEST_F(PlannerTest, ADeadlineIsMetByTheFewestCards) {
  JobSpec job = Job(FakeLlama7B(), 1e12);
  job.deadline = absl::Hours(24 * 14);
  const Plan plan = Make(job, {Pool("a100"), Pool("h100"), Pool("h200"), Pool("b200")});
  ASSERT_FALSE(plan.recommendations.empty());
  EXPECT_LE(plan.recommendations.size(), 8u);
  for (const char* gpu : {"A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB"}) {
    const auto best = std::find_if(plan.recommendations.begin(), plan.recommendations.end(),
                                   [&](const Recommendation& candidate) { return candidate.gpu_type == gpu; });
    ASSERT_NE(best, plan.recommendations.end()) << gpu;
    EXPECT_LE(best->total_duration, absl::Hours(24 * 14));
    EXPECT_EQ(best->limited_by, "deadline");
    ASSERT_EQ(best->gpu_count % 8, 0);
    const Plan fewer = Make(Fixed(Job(FakeLlama7B(), 1e12), best->gpu_count - 8), {Pool(gpu)});
    EXPECT_GT(fewer.recommendations.at(0).total_duration, absl::Hours(24 * 14)) << gpu;
  }
  EXPECT_TRUE(
      std::is_sorted(plan.recommendations.begin(), plan.recommendations.end(),
                     [](const Recommendation& a, const Recommendation& b) { return a.gpu_count < b.gpu_count; }));
}

TEST_F(PlannerTest, TheFewestCardsAreFoundAlsoFarFromTheLeastPossible) {
  // Full recomputation puts the answer a third above what the search starts from: hundreds of nodes.
  for (const char* gpu : {"h100-nvl", "a40", "rtx4090", "gh200-96gb"}) {
    SCOPED_TRACE(gpu);
    JobSpec job = Job(FakeLlama7B(), 1e14);
    job.global_batch = 1 << 17;
    job.layout.recompute = parallel::Recompute::kFull;
    job.deadline = absl::Hours(24 * 30);
    const Plan plan = Make(job, {Pool(gpu)});
    ASSERT_FALSE(plan.recommendations.empty());
    const int64_t found = plan.recommendations[0].gpu_count;
    const int per_node = Pool(gpu).gpus_per_node;
    ASSERT_GT(found, 300 * per_node);
    for (int64_t fewer = found - per_node; fewer > found - 40 * per_node; fewer -= per_node) {
      JobSpec fixed = job;
      fixed.min_gpus = fixed.max_gpus = fewer;
      EXPECT_THAT(Make(fixed, {Pool(gpu)}).recommendations, IsEmpty()) << fewer;
    }
    // A range that ends just above it holds it too.
    job.min_gpus = 1;
    job.max_gpus = found + per_node;
    const Plan bounded = Make(job, {Pool(gpu)});
    ASSERT_FALSE(bounded.recommendations.empty());
    EXPECT_EQ(bounded.recommendations[0].gpu_count, found);
  }
}

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

TEST_F(PlannerTest, AMissedDeadlineSaysByHowMuch) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e12), 8);
  job.deadline = absl::FromUnixSeconds(1767225600) + absl::Hours(240);
  const Plan plan = Make(job, {Pool("a100")});
  EXPECT_THAT(plan.recommendations, IsEmpty());
  EXPECT_THAT(plan.infeasible_reasons,
              ElementsAre(AllOf(HasSubstr("A100-SXM-80GB x 8: takes"), HasSubstr("longer than the deadline allows"))));
  EXPECT_GT(plan.model_flops, 4e22);
  job.deadline = absl::FromUnixSeconds(1767225600) - absl::Hours(1);
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons, ElementsAre(HasSubstr("passed 60.0 min before the start")));
}

TEST_F(PlannerTest, ABudgetIsKeptAndAMissedOneSaysByHowMuch) {
  cluster::Pool pool = Pool("a100");
  pool.price_per_gpu_hour = 2;
  pool.currency = "USD";
  JobSpec job = Job(FakeLlama7B(), 1e12);  // About 78,000 GPU hours.
  job.budget = 200000;
  const Plan plan = Make(job, {pool});
  ASSERT_FALSE(plan.recommendations.empty());
  for (const Recommendation& candidate : plan.recommendations) {
    EXPECT_LE(candidate.cost, 200000);
    EXPECT_NEAR(candidate.cost, 2 * candidate.gpu_hours, 0.01);
    EXPECT_EQ(candidate.currency, "USD");
  }
  job.budget = 100000;
  // The cheapest number is named.
  EXPECT_THAT(Make(job, {pool}).infeasible_reasons,
              ElementsAre(AllOf(HasSubstr("A100-SXM-80GB x "), HasSubstr(": costs"), HasSubstr("over the budget of 100000.00"))));
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons, ElementsAre(HasSubstr("no price is known")));
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

// The deadline needs far more cards than the memory does.
TEST_F(PlannerTest, WhatWouldFitTheMemoryIsNotWhatTheDeadlineNeeds) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e12), 1);
  const std::vector<std::string> reasons = Make(job, {Pool("a100")}).infeasible_reasons;
  EXPECT_THAT(reasons, ElementsAre(HasSubstr("2 cards would fit")));
  job.deadline = absl::Hours(24 * 14);
  EXPECT_EQ(Make(job, {Pool("a100")}).infeasible_reasons, reasons);
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

TEST_F(PlannerTest, OnePoolOffersItsBestAndThreeDoublings) {
  JobSpec job = Job(FakeLlama7B(), 1e12);
  job.deadline = absl::Hours(24 * 30);
  const Plan plan = Make(job, {Pool("a100")});
  ASSERT_THAT(plan.recommendations, SizeIs(4));
  EXPECT_EQ(plan.recommendations[3].gpu_count, 8 * plan.recommendations[0].gpu_count);
}

TEST_F(PlannerTest, WithoutALimitTheFewestDoublingsThatFinishInAMonth) {
  const Plan plan = Make(Job(FakeLlama7B(), 1e12), {Pool("a100"), Pool("h100")});
  ASSERT_FALSE(plan.recommendations.empty());
  const Recommendation& best = plan.recommendations[0];
  EXPECT_EQ(best.gpu_type, "H100-SXM-80GB");
  EXPECT_LE(Days(best.total_duration), 30);
  EXPECT_GT(2 * Days(best.total_duration), 30);
  EXPECT_EQ(best.limited_by, "compute");
  EXPECT_THAT(best.explanation, Contains(HasSubstr("no goal, deadline or number of cards is given")));
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

TEST_F(PlannerTest, GoalsOrderTheAnswers) {
  JobSpec job = Job(FakeLlama7B(), 1e12);
  job.goal = Goal::kFastest;
  cluster::Pool small = Pool("b200");
  small.node_count = 2;
  const Plan fastest = Make(job, {Pool("a100"), small});
  ASSERT_GE(fastest.recommendations.size(), 2u);
  EXPECT_EQ(fastest.recommendations[0].gpu_count, 1024);
  EXPECT_EQ(fastest.recommendations[0].limited_by, "cards");
  EXPECT_EQ(fastest.recommendations[0].next_better,
            "A100-SXM-80GB: no more than 1024 cards were looked at; name a number of cards for more");
  JobSpec bounded = job;
  bounded.min_gpus = 8;
  bounded.max_gpus = 512;
  EXPECT_EQ(Make(bounded, {Pool("a100")}).recommendations.at(0).next_better,
            "A100-SXM-80GB: no more than 512 cards are asked for");
  job.goal = Goal::kFewest;
  const Plan fewest = Make(job, {Pool("a100"), small});
  EXPECT_EQ(fewest.recommendations[0].gpu_type, "B200-SXM-180GB");
  EXPECT_EQ(fewest.recommendations[0].gpu_count, 1);
  job.goal = Goal::kCheapest;
  cluster::Pool cheap = Pool("a100");
  cheap.price_per_gpu_hour = 1;
  cheap.currency = "USD";
  small.price_per_gpu_hour = 100;
  small.currency = "USD";
  EXPECT_EQ(Make(job, {small, cheap}).recommendations[0].gpu_type, "A100-SXM-80GB");
  EXPECT_THAT(Make(job, {small, cheap}).warnings, ::testing::Not(Contains(HasSubstr("no price"))));
  EXPECT_THAT(Make(job, {Pool("a100"), Pool("h100")}).warnings, Contains(HasSubstr("no price is known: the cheapest is taken")));
}

// 96 samples are at most 8 replicas on 40 cards and on 56, but 32 on 32 and 48 on 48; 768 cards are 96 replicas of 8, which divides heads
// and layers.
TEST_F(PlannerTest, MoreCardsThanShareOutTheBatchAreNotTheFastest) {
  JobSpec job = Job(FakeLlama7B(), 1e11);
  job.global_batch = 96;
  job.goal = Goal::kFastest;
  absl::Duration before = absl::InfiniteDuration();
  std::vector<int64_t> chosen;
  for (const int64_t most : {32, 40, 48, 56, 768, 896, 992}) {
    job.min_gpus = 8;
    job.max_gpus = most;
    const Recommendation best = Make(job, {Pool("h100")}).recommendations.at(0);
    EXPECT_LE(best.total_duration, before) << most;
    before = best.total_duration;
    chosen.push_back(best.gpu_count);
  }
  EXPECT_THAT(chosen, ElementsAre(32, 32, 48, 48, 768, 768, 768));
}

// 1,536 samples of GPT-3 on A100: 112 cards cost 4.5 % less than 128, the best doubling; 960 of LLaMA 65B on H200: 80 less than 16.
TEST_F(PlannerTest, TheCheapestIsTheCheapestOfAllNumbers) {
  struct Case {
    model::ModelDescription model;
    int64_t global_batch;
    const char* gpu;
  };
  for (const Case& one : {Case{FakeGpt3(), 1536, "a100"}, Case{FakeLlama65B(), 960, "h200"}}) {
    JobSpec job = Job(one.model, 3e11);
    job.global_batch = one.global_batch;
    double least = std::numeric_limits<double>::infinity();
    for (int64_t gpus = 8; gpus <= 256; gpus += 8) {
      const Plan plan = Make(Fixed(job, gpus), {Pool(one.gpu)});
      if (!plan.recommendations.empty()) least = std::min(least, plan.recommendations[0].gpu_hours);
    }
    job.goal = Goal::kCheapest;
    job.max_gpus = 256;
    const Recommendation best = Make(job, {Pool(one.gpu)}).recommendations.at(0);
    EXPECT_NEAR(best.gpu_hours, least, 1e-9 * least) << one.gpu << " x " << best.gpu_count;
    EXPECT_FALSE(std::has_single_bit(static_cast<uint64_t>(best.gpu_count))) << one.gpu;
  }
}

TEST_F(PlannerTest, BothLimitsAreSaidWhereBothRuleOut) {
  JobSpec job = Job(FakeLlama7B(), 1e12);
  job.deadline = absl::Hours(24 * 14);
  job.budget = 100;
  cluster::Pool pool = Pool("a100");
  pool.price_per_gpu_hour = 2;
  pool.currency = "USD";
  const Plan plan = Make(job, {pool});
  EXPECT_THAT(plan.recommendations, IsEmpty());
  ASSERT_THAT(plan.infeasible_reasons, SizeIs(1));
  EXPECT_THAT(plan.infeasible_reasons[0],
              AllOf(HasSubstr("longer than the deadline allows"), HasSubstr("over the budget of 100.00")));
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

// A window hides keys from the attention; the products are as many as without. The model FLOPs are those of the pairs that are left.
TEST_F(PlannerTest, AWindowShortensTheAttentionAlone) {
  model::TransformerShape shape = {.layers = 32,
                                   .hidden = 4096,
                                   .heads = 32,
                                   .kv_heads = 32,
                                   .qk_dim = 128,
                                   .v_dim = 128,
                                   .ffn = 11008,
                                   .gated = true,
                                   .vocab = 32000};
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
              ElementsAre(HasSubstr("the fixed tensor 4 x pipeline 8 parallel make 32 cards or a multiple of that")));
  job.layout.context_parallel = 1;
  job.layout.data_parallel = 2;
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons,
              ElementsAre(HasSubstr("the fixed tensor 4 x pipeline 8 x context 1 x data 2 parallel make 64 cards")));
  job.layout.context_parallel.reset();  // Sequences as short as these are not split unasked.
  EXPECT_THAT(Make(job, {Pool("a100")}).infeasible_reasons,
              ElementsAre(HasSubstr("no layout: the fixed tensor 4 x pipeline 8 x data 2 parallel make 64 cards")));
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

TEST_F(PlannerTest, AdaptersNeedLessMemoryAndTime) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e9), 1);
  EXPECT_THAT(Make(job, {Pool("a100")}).recommendations, IsEmpty());
  job.finetune = Finetune::kLora;
  const Recommendation lora = Make(job, {Pool("a100")}).recommendations.at(0);
  EXPECT_NEAR(lora.model_flops, 4 * 6.74e9 * 1e9, 0.1 * 4 * 6.74e9 * 1e9);
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

TEST_F(PlannerTest, ChunksThatDoNotShareOutTheLayersAreTheReason) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e9), 8);
  job.layout.pipeline_parallel = 4;
  job.layout.virtual_pipeline = 3;
  EXPECT_THAT(Make(job, {Pool("h100")}).infeasible_reasons,
              ElementsAre(HasSubstr("virtual pipeline 3 on 4 stages makes 12 chunks, which do not share out 32 layers")));
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

/// A counter of loaded modules: 4 GMACs forward and 8 backward a sample, 400 MB and 100 MB kept of each, whatever the inputs.
class FakeModuleCounter : public counting::Counter {
 public:
  counting::CounterInfo Info() const override { return {.name = "fake", .version = "3"}; }
  absl::StatusOr<counting::CostReport> Count(const counting::CountRequest& request) const override {
    asked = request.batch;
    if (request.batch.inputs.empty()) return base::InvalidField("batch_shape.inputs", "are needed");
    const int64_t batch = request.batch.inputs[0].sizes[0];
    counting::CostReport report;
    report.parameters = report.active_parameters = report.non_embedding_parameters = parameters;
    report.forward.macs = batch * 4'000'000'000;
    report.backward.macs = batch * 8'000'000'000;
    report.activation_bytes = batch * 100'000'000;
    report.accessed_bytes = 3 * 25e6 * 2 + static_cast<double>(batch) * 400e6;
    report.counter = "fake";
    report.counter_version = "3";
    return report;
  }
  mutable model::BatchShape asked;
  int64_t parameters = 25'000'000;
};

class ModulePlanTest : public PlannerTest {
 protected:
  static JobSpec ModuleJob(int64_t batch) {
    JobSpec job;
    job.model.kind = model::ModelKind::kModule;
    job.model.has_sequence = false;
    job.inputs = {{batch, 3, 224, 224}};
    job.sample_count = 1.28e6;
    job.epoch_count = 90;
    job.min_gpus = job.max_gpus = 8;
    return job;
  }
  Plan MakeModule(const JobSpec& job) const {
    auto plan = Planner(modules_).MakePlan(job, {absl::FromUnixSeconds(1767225600), {Pool("a100")}, {}});
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *std::move(plan) : Plan{};
  }
  const FakeModuleCounter modules_;
};

// Its weights are constants: a plan would have neither gradients nor states nor a backward pass.
TEST_F(ModulePlanTest, AFrozenModuleIsNoTraining) {
  FakeModuleCounter frozen;
  frozen.parameters = 0;
  const absl::Status status =
      Planner(frozen).MakePlan(ModuleJob(8), {absl::FromUnixSeconds(1767225600), {Pool("a100")}, {}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("export it unfrozen"));
  EXPECT_EQ(base::DetailOf(status).field, "model");
  EXPECT_EQ(base::DetailOf(status).reason, "NO_PARAMETERS");
}

// The gradients of a small model, and the launches of its kernels, are what a hundred thousand cards wait for.
TEST_F(ModulePlanTest, ScalingEnds) {
  JobSpec job = ModuleJob(1);
  job.min_gpus = job.max_gpus = 65536;
  const Plan plan = MakeModule(job);
  ASSERT_THAT(plan.recommendations, SizeIs(1));
  const Recommendation& best = plan.recommendations[0];
  EXPECT_LT(best.model_flops_utilization, 0.1);
  EXPECT_NE(best.limited_by, "compute");
  EXPECT_THAT(best.explanation, Contains(HasSubstr("ms for gradients")));
  // 1,024 samples by default are fewer than the cards.
  EXPECT_THAT(plan.warnings, Contains(HasSubstr("the default global batch of 1024 is changed to 65536")));
}

// 24 GFLOP / (312 TFLOP/s x 0.5) + 400 MB / (2.039 TB/s x 0.75) a sample, 115.2e6 samples on 8 cards.
TEST_F(ModulePlanTest, TheTimeIsToldFromFlopsAndBytes) {
  const Plan plan = MakeModule(ModuleJob(1));
  ASSERT_THAT(plan.recommendations, SizeIs(1));
  const Recommendation& best = plan.recommendations[0];
  const double sample = 24e9 / 156e12 + 400e6 / (Pool("a100").gpu.memory_bandwidth * 0.75);
  // Beside that, each step waits for the last bucket of gradients: a part in 300.
  const double compute = 115.2e6 * sample / 8;
  EXPECT_GT(absl::ToDoubleSeconds(best.total_duration), compute);
  EXPECT_NEAR(absl::ToDoubleSeconds(best.total_duration), compute, compute * 0.005);
  EXPECT_NEAR(best.model_flops_utilization, 24e9 / (sample * 312e12), 1e-3);
  EXPECT_EQ(best.limited_by, "compute");
  EXPECT_NEAR(absl::FDivDuration(best.total_duration_high, best.total_duration), 1 / 0.45, 1e-3);
  EXPECT_NEAR(absl::FDivDuration(best.total_duration_low, best.total_duration), 1 / 1.6, 1e-3);
  EXPECT_THAT(best.explanation, Contains(AllOf(HasSubstr("us of products"), HasSubstr("us of memory"))));
  EXPECT_THAT(best.explanation, Contains(HasSubstr("fake 3 on a batch of 1")));
  EXPECT_EQ(best.utilization_source, UtilizationSource::kPredicted);
  EXPECT_NEAR(static_cast<double>(best.memory.activation_bytes), 1e8 * static_cast<double>(best.layout.micro_batch_size), 1);
  EXPECT_EQ(plan.counter, "fake");
}

TEST_F(ModulePlanTest, TheBatchIsCountedAsItIsGivenAndSharedOut) {
  const Plan one = MakeModule(ModuleJob(1));
  const Plan sixteen = MakeModule(ModuleJob(16));
  EXPECT_EQ(modules_.asked.inputs[0].sizes[0], 16);
  EXPECT_EQ(one.model_flops, sixteen.model_flops);
  EXPECT_EQ(one.recommendations[0].total_duration, sixteen.recommendations[0].total_duration);
  EXPECT_EQ(one.recommendations[0].memory.activation_bytes, sixteen.recommendations[0].memory.activation_bytes);
}

TEST_F(ModulePlanTest, AGivenRatioReplacesTheModel) {
  JobSpec job = ModuleJob(1);
  job.hardware_flops_ratio = 0.5;
  EXPECT_NEAR(absl::ToDoubleSeconds(MakeModule(job).recommendations[0].total_duration), 115.2e6 * 24e9 / (8 * 156e12), 1);
}

TEST_F(ModulePlanTest, MissingInputsAreTheCountersToSay) {
  JobSpec job = ModuleJob(1);
  job.inputs.clear();
  const absl::Status status = Planner(modules_).MakePlan(job, {absl::FromUnixSeconds(0), {Pool("a100")}, {}}).status();
  EXPECT_EQ(base::DetailOf(status).field, "batch_shape.inputs");
}

}  // namespace
}  // namespace planner::planning
