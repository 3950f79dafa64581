#include "core/schedule/earliest_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/schedule/ledger.h"

namespace planner::schedule {
namespace {

using ::testing::Eq;
using ::testing::Optional;

constexpr int kGpus = 8;

Use Nodes(int32_t first, int32_t last, Micros start, Micros end, int gpus = kGpus) {
  return {{{first, last}}, gpus, start, end};
}

Request For(int64_t gpus, Micros duration, Micros not_before = 0) {
  return {.shape = ShapeOf(gpus, kGpus), .duration = duration, .not_before = not_before};
}

TEST(ShapeTest, BelowANodeItIsSharedAndFromThereOnWhole) {
  EXPECT_EQ(ShapeOf(4, 8).nodes, 1);
  EXPECT_EQ(ShapeOf(4, 8).gpus_per_node, 4);
  EXPECT_EQ(ShapeOf(8, 8).gpus_per_node, 8);
  EXPECT_EQ(ShapeOf(12, 8).nodes, 2);
  EXPECT_EQ(ShapeOf(12, 8).gpus(), 16);
}

TEST(EarliestStartTest, TheDocumentedExample) {
  Ledger ledger(4, kGpus);
  ledger.Add(Nodes(0, 1, 10, 20));
  ledger.Add(Nodes(2, 3, 0, 20));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(16, 10)), Optional(0));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(16, 11)), Optional(20));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(24, 1)), Optional(20));
}

TEST(EarliestStartTest, AnEmptyPoolIsFreeAtOnce) {
  Ledger ledger(2, kGpus);
  EXPECT_THAT(EarliestStart(*ledger.View(), For(16, 1000, 7)), Optional(7));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(3, 1000, 7)), Optional(7));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(24, 1)), Eq(std::nullopt));
  EXPECT_THAT(EarliestStart(*Ledger(0, kGpus).View(), For(1, 1)), Eq(std::nullopt));
}

TEST(EarliestStartTest, FreeNodesOfDifferentTimesDoNotAddUp) {
  // At every moment one node is free, but neither of them for 15.
  Ledger ledger(2, kGpus);
  ledger.Add(Nodes(0, 0, 10, 30));
  ledger.Add(Nodes(1, 1, 0, 10));
  ledger.Add(Nodes(1, 1, 20, 40));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(8, 10)), Optional(0));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(8, 15)), Optional(30));
}

TEST(EarliestStartTest, AShortJobGoesIntoAGapBeforeAReservation) {
  Ledger ledger(2, kGpus);
  ledger.Add(Nodes(0, 1, 100, 200));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(16, 100)), Optional(0));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(16, 100, 1)), Optional(200));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(16, 99, 1)), Optional(1));
}

TEST(EarliestStartTest, LessThanANodeSharesOne) {
  Ledger ledger(1, kGpus);
  ledger.Add(Nodes(0, 0, 0, 100, 6));
  ledger.Add(Nodes(0, 0, 50, 150, 2));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(2, 50)), Optional(0));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(2, 51)), Optional(100));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(4, 10)), Optional(100));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(7, 10)), Optional(150));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(8, 10)), Optional(150));
}

TEST(EarliestStartTest, NothingAfterNotAfter) {
  Ledger ledger(1, kGpus);
  ledger.Add(Nodes(0, 0, 0, 100));
  Request request = For(8, 10);
  request.not_after = 99;
  EXPECT_THAT(EarliestStart(*ledger.View(), request), Eq(std::nullopt));
  request.not_after = 100;
  EXPECT_THAT(EarliestStart(*ledger.View(), request), Optional(100));
}

TEST(EarliestStartTest, ANodeThatNeverComesBackIsNotCountedOn) {
  Ledger ledger(2, kGpus);
  ledger.Add({{{1, 1}}, kGpus});
  EXPECT_THAT(EarliestStart(*ledger.View(), For(8, 10)), Optional(0));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(16, 10)), Eq(std::nullopt));
}

TEST(EarliestStartTest, QuotasHoldForTheWholeDuration) {
  Ledger ledger(4, kGpus);
  const cluster::Quota quota{"team", "", 16, {{0, 8}, {50, 16}, {80, 0}}};
  Request request = For(8, 50);
  request.quotas = {&quota};
  EXPECT_THAT(EarliestStart(*ledger.View(), request), Optional(0));
  request.duration = 51;
  EXPECT_THAT(EarliestStart(*ledger.View(), request), Optional(80));
  request.shape = ShapeOf(24, kGpus);
  EXPECT_THAT(EarliestStart(*ledger.View(), request), Eq(std::nullopt));
  const cluster::Quota running{"team", "", 16, {{std::numeric_limits<Micros>::min(), 16}, {30, 0}}};
  request = For(8, 50);
  request.quotas = {&quota, &running};
  EXPECT_THAT(EarliestStart(*ledger.View(), request), Optional(80));
  request.quotas = {&running};
  EXPECT_THAT(EarliestStart(*ledger.View(), request), Optional(30));
}

TEST(EarliestStartTest, TenThousandYearsDoNotOverflow) {
  Ledger ledger(1, kGpus);
  ledger.Add(Nodes(0, 0, 0, 100));
  EXPECT_THAT(EarliestStart(*ledger.View(), For(8, int64_t{315'576'000'000} * 1'000'000)), Optional(100));
}

}  // namespace
}  // namespace planner::schedule
