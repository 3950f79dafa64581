// When jobs start: plans on pools with calendars.

#include <algorithm>

#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/fake_models.h"
#include "core/planning/planner.h"
#include "core/schedule/ledger.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);

class StartTimeTest : public ::testing::Test {
 protected:
  StartTimeTest() {
    pool_.cluster = "main";
    pool_.name = "p";
    pool_.gpu = **hardware::GpuCatalog::Create()->Find("h100");
    pool_.node_count = kNodes;
    job_.model = FakeLlama7B();
    job_.token_count = 2e11;
    job_.goal = Goal::kFastest;
  }
  /// Nodes are not free for some days from now on.
  void Take(int32_t first, int32_t last, double from_days, double to_days) {
    const auto at = [](double days) { return cluster::ToMicros(kNow + days * absl::Hours(24)); };
    ledger_.Add({{{first, last}}, 8, at(from_days), at(to_days)});
  }
  Plan Make() {
    pool_.calendar = ledger_.View();
    auto plan = planner_.MakePlan(job_, {kNow, {pool_}, {}});
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *std::move(plan) : Plan{};
  }
  Recommendation Best() {
    const Plan plan = Make();
    return plan.recommendations.empty() ? Recommendation{} : plan.recommendations.front();
  }
  static double DaysTo(absl::Time time) { return absl::ToDoubleHours(time - kNow) / 24; }

  static constexpr int64_t kNodes = 32;
  cluster::Pool pool_;
  schedule::Ledger ledger_{kNodes, 8};
  JobSpec job_;
  const counting::AnalyticCounter counter_;
  const Planner planner_{counter_};
};

TEST_F(StartTimeTest, AFreePoolStartsNow) {
  const Recommendation best = Best();
  EXPECT_EQ(best.start_time, kNow);
  EXPECT_EQ(best.finish_time, kNow + best.total_duration);
  EXPECT_EQ(best.gpu_count, 256);
}

TEST_F(StartTimeTest, FewerCardsNowAgainstMoreCardsLater) {
  // The whole pool does it in about a day; half of it in two.
  const double all_days = absl::ToDoubleHours(Best().total_duration) / 24;
  Take(0, 15, 0, 0.5 * all_days);
  EXPECT_EQ(Best().gpu_count, 256) << "worth to wait for";
  EXPECT_NEAR(DaysTo(Best().start_time), 0.5 * all_days, 1e-9);
  EXPECT_THAT(Best().explanation, Contains(HasSubstr("Starts in")));
  Take(0, 15, 0.5 * all_days, 30);
  const Plan plan = Make();
  EXPECT_EQ(plan.recommendations[0].gpu_count, 128) << "finishes sooner with what is free";
  EXPECT_EQ(plan.recommendations[0].start_time, kNow);
  // Both are told.
  const auto all = std::find_if(plan.recommendations.begin(), plan.recommendations.end(),
                                [](const Recommendation& one) { return one.gpu_count == 256; });
  ASSERT_NE(all, plan.recommendations.end());
  EXPECT_DOUBLE_EQ(DaysTo(all->start_time), 30);
  EXPECT_GT(all->finish_time, plan.recommendations[0].finish_time);
}

TEST_F(StartTimeTest, WhatIsFreeAtOnceIsTriedToTheNode) {
  Take(0, 7, 0, 100);
  EXPECT_EQ(Best().gpu_count, 192) << "not 128, half of all";
}

TEST_F(StartTimeTest, ADeadlineCountsTheWait) {
  job_.min_gpus = job_.max_gpus = 256;
  Take(0, 0, 0, 20);
  job_.deadline = kNow + absl::Hours(24 * 19);
  const Plan late = Make();
  EXPECT_THAT(late.recommendations, IsEmpty());
  EXPECT_THAT(late.infeasible_reasons[0], HasSubstr("can start in 20.0 days"));
  job_.deadline = kNow + absl::Hours(24 * 25);
  EXPECT_THAT(Make().recommendations, SizeIs(1));
  // A length of time is that of training alone.
  job_.deadline = absl::Hours(24 * 5);
  EXPECT_THAT(Make().recommendations, SizeIs(1));
}

TEST_F(StartTimeTest, NotBeforeItMay) {
  job_.earliest_start = kNow + absl::Hours(48);
  EXPECT_EQ(Best().start_time, job_.earliest_start);
  EXPECT_THAT(Best().explanation, Contains(HasSubstr("not before, as asked")));
  job_.deadline = kNow + absl::Hours(47);
  EXPECT_THAT(Make().infeasible_reasons[0], HasSubstr("the deadline passed"));
  // Without a calendar, too.
  job_.deadline = {};
  pool_.calendar = nullptr;
  EXPECT_EQ(planner_.MakePlan(job_, {kNow, {pool_}, {}})->recommendations[0].start_time, job_.earliest_start);
}

TEST_F(StartTimeTest, TheMonthThatNobodyAskedForRunsFromTheStartThatIsAskedFor) {
  job_.goal = Goal::kUnspecified;
  const int64_t at_once = Best().gpu_count;
  EXPECT_LT(at_once, 256);
  job_.earliest_start = kNow + absl::Hours(24 * 31);
  EXPECT_EQ(Best().gpu_count, at_once);
  // Waiting for others counts.
  Take(0, 31, 31, 31 + 30);
  EXPECT_EQ(Best().gpu_count, 256) << "nothing is in time any more, so the fastest";
}

TEST_F(StartTimeTest, NodesThatNeverComeBackAreNotCountedOn) {
  ledger_.Add({{{0, 15}}, 8});
  EXPECT_EQ(Best().gpu_count, 128);
  job_.min_gpus = 256;
  EXPECT_THAT(Make().infeasible_reasons[0], HasSubstr("has 128 cards that are not gone for good, at least 256 are asked for"));
}

TEST_F(StartTimeTest, QuotasBoundTheirTenant) {
  for (const cluster::Quota& quota : {cluster::Quota{"t", "", 100, {}}, cluster::Quota{"t", "other", 8, {}}}) {
    pool_.quotas.push_back(std::make_shared<const cluster::Quota>(quota));
  }
  EXPECT_EQ(Best().gpu_count, 256);
  job_.tenant = "t";
  EXPECT_EQ(Best().gpu_count, 96) << "whole nodes";
  EXPECT_THAT(Best().next_better, HasSubstr("the tenant's quota leaves no more than 96 cards"));
  job_.min_gpus = 128;
  EXPECT_THAT(Make().infeasible_reasons[0], HasSubstr("the tenant's quota leaves 96 cards, at least 128 are asked for: 32 too few"));
}

TEST_F(StartTimeTest, TheSameCalendarAndNowGiveTheSamePlan) {
  Take(0, 20, 0, 3);
  Take(3, 30, 4, 9);
  const Plan first = Make();
  const Plan second = Make();
  ASSERT_EQ(first.recommendations.size(), second.recommendations.size());
  for (size_t i = 0; i < first.recommendations.size(); ++i) {
    EXPECT_EQ(first.recommendations[i].start_time, second.recommendations[i].start_time);
    EXPECT_EQ(first.recommendations[i].gpu_count, second.recommendations[i].gpu_count);
    EXPECT_EQ(first.recommendations[i].explanation, second.recommendations[i].explanation);
  }
}

}  // namespace
}  // namespace planner::planning
