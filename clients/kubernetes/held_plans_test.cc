#include "clients/kubernetes/held_plans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kStart = absl::FromUnixSeconds(1'767'225'600);

TEST(HeldPlansTest, WhatIsOverIsGivenBackAtOnceAndOnlyOnce) {
  HeldPlans held(absl::Minutes(1));
  EXPECT_THAT(held.Unused({.live = {"plans/a", "plans/b"}, .over = {}}, kStart), IsEmpty());
  const SeenPlans seen{.live = {"plans/b"}, .over = {"plans/a"}};
  EXPECT_THAT(held.Unused(seen, kStart), ElementsAre("plans/a"));
  EXPECT_THAT(held.Unused(seen, kStart), ElementsAre("plans/a")) << "the planner has not answered";
  held.Settle("plans/a");
  EXPECT_THAT(held.Unused(seen, kStart + absl::Hours(1)), IsEmpty());
}

TEST(HeldPlansTest, OneThatIsOverWasPerhapsNeverSeenLive) {
  HeldPlans held(absl::Minutes(1));
  EXPECT_THAT(held.Unused({.live = {}, .over = {"plans/a"}}, kStart), ElementsAre("plans/a"));
}

TEST(HeldPlansTest, DeletedOnesHaveTimeToComeBack) {
  HeldPlans held(absl::Minutes(1));
  held.Unused({.live = {"plans/a", "plans/b"}, .over = {}}, kStart);
  EXPECT_THAT(held.Unused({}, kStart + absl::Seconds(59)), IsEmpty());
  EXPECT_THAT(held.Unused({.live = {"plans/a"}, .over = {}}, kStart + absl::Seconds(59)), IsEmpty()) << "made anew";
  EXPECT_THAT(held.Unused({}, kStart + absl::Seconds(60)), ElementsAre("plans/b"));
  held.Settle("plans/b");
  EXPECT_THAT(held.Unused({}, kStart + absl::Seconds(118)), IsEmpty());
  EXPECT_THAT(held.Unused({}, kStart + absl::Seconds(119)), ElementsAre("plans/a"));
}

TEST(HeldPlansTest, APlanThatAnotherTrainingHasIsInUse) {
  HeldPlans held(absl::ZeroDuration());
  EXPECT_THAT(held.Unused({.live = {"plans/a"}, .over = {"plans/a"}}, kStart), IsEmpty());
  EXPECT_THAT(held.Unused({.live = {}, .over = {"plans/a"}}, kStart), ElementsAre("plans/a"));
}

TEST(HeldPlansTest, OneThatRunsAgainIsGivenBackAgain) {
  HeldPlans held(absl::Minutes(1));
  const SeenPlans over{.live = {}, .over = {"plans/a"}};
  held.Unused(over, kStart);
  held.Settle("plans/a");
  held.Unused({.live = {"plans/a"}, .over = {}}, kStart);
  EXPECT_THAT(held.Unused(over, kStart), ElementsAre("plans/a"));
}

}  // namespace
}  // namespace planner::kubernetes
