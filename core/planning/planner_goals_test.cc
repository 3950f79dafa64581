#include <algorithm>
#include <bit>
#include <limits>

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

// The deadline needs far more cards than the memory does.
TEST_F(PlannerTest, WhatWouldFitTheMemoryIsNotWhatTheDeadlineNeeds) {
  JobSpec job = Fixed(Job(FakeLlama7B(), 1e12), 1);
  const std::vector<std::string> reasons = Make(job, {Pool("a100")}).infeasible_reasons;
  EXPECT_THAT(reasons, ElementsAre(HasSubstr("2 cards would fit")));
  job.deadline = absl::Hours(24 * 14);
  EXPECT_EQ(Make(job, {Pool("a100")}).infeasible_reasons, reasons);
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

}  // namespace
}  // namespace planner::planning
