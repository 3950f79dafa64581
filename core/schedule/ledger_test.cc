#include "core/schedule/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::schedule {
namespace {

using cluster::Opening;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Micros kBeginning = std::numeric_limits<Micros>::min();

Use Nodes(int32_t first, int32_t last, Micros start, Micros end, int gpus = 8) {
  return {{{first, last}}, gpus, start, end};
}

TEST(LedgerTest, OpeningsAreWhatNobodyHas) {
  Ledger ledger(4, 8);
  EXPECT_THAT(ledger.View()->by_start, ElementsAre(Opening{kBeginning, kForever, 4}));
  ledger.Add(Nodes(0, 1, 10, 20));
  EXPECT_THAT(ledger.View()->by_start,
              ElementsAre(Opening{kBeginning, 10, 2}, Opening{kBeginning, kForever, 2}, Opening{20, kForever, 2}));
  EXPECT_THAT(ledger.View()->by_end,
              ElementsAre(Opening{kBeginning, 10, 2}, Opening{kBeginning, kForever, 2}, Opening{20, kForever, 2}));
  ledger.Remove(Nodes(0, 1, 10, 20));
  EXPECT_THAT(ledger.View()->by_start, ElementsAre(Opening{kBeginning, kForever, 4}));
}

TEST(LedgerTest, AViewStaysAsItWas) {
  Ledger ledger(1, 8);
  const auto before = ledger.View();
  EXPECT_EQ(ledger.View(), before);
  ledger.Add(Nodes(0, 0, 10, 20));
  EXPECT_EQ(before->by_start.size(), 1u);
  EXPECT_EQ(ledger.View()->by_start.size(), 2u);
}

TEST(LedgerTest, UsesMayOverlap) {
  Ledger ledger(1, 8);
  const Use booked = Nodes(0, 0, 10, 20);
  ledger.Add(booked);
  EXPECT_FALSE(ledger.IsOverbooked(booked));
  ledger.Add(Nodes(0, 0, 15, 30));
  EXPECT_TRUE(ledger.IsOverbooked(booked));
  EXPECT_THAT(ledger.View()->by_start, ElementsAre(Opening{kBeginning, 10, 1}, Opening{30, kForever, 1}));
  ledger.Remove(booked);
  EXPECT_THAT(ledger.View()->by_start, ElementsAre(Opening{kBeginning, 15, 1}, Opening{30, kForever, 1}));
  EXPECT_TRUE(ledger.IsOverbooked(Nodes(1, 1, 0, 1))) << "no such node";
}

TEST(LedgerTest, FreeIsFreeThroughout) {
  Ledger ledger(2, 8);
  ledger.Add(Nodes(0, 0, 10, 20, 5));
  EXPECT_TRUE(ledger.IsFree(Nodes(0, 1, 0, 10)));
  EXPECT_FALSE(ledger.IsFree(Nodes(0, 1, 0, 11)));
  EXPECT_TRUE(ledger.IsFree(Nodes(0, 0, 0, 30, 3)));
  EXPECT_FALSE(ledger.IsFree(Nodes(0, 0, 0, 30, 4)));
  EXPECT_FALSE(ledger.IsFree(Nodes(1, 2, 0, 1)));
}

TEST(LedgerTest, PlacesInTheTightestGap) {
  Ledger ledger(3, 8);
  ledger.Add(Nodes(1, 1, 50, 100));
  EXPECT_THAT(ledger.Place({1, 8}, 0, 50), ElementsAre(NodeRange{1, 1}));
  EXPECT_THAT(ledger.Place({1, 8}, 0, 51), ElementsAre(NodeRange{0, 0}));
  EXPECT_THAT(ledger.Place({3, 8}, 0, 50), ElementsAre(NodeRange{0, 2}));
  EXPECT_THAT(ledger.Place({3, 8}, 0, 51), IsEmpty());
}

TEST(LedgerTest, SharesTheFullestNode) {
  Ledger ledger(3, 8);
  ledger.Add(Nodes(1, 1, 0, 100, 2));
  ledger.Add(Nodes(2, 2, 0, 100, 4));
  EXPECT_THAT(ledger.Place({1, 3}, 0, 10), ElementsAre(NodeRange{2, 2}));
  EXPECT_THAT(ledger.Place({1, 5}, 0, 10), ElementsAre(NodeRange{1, 1}));
  EXPECT_THAT(ledger.Place({1, 7}, 0, 10), ElementsAre(NodeRange{0, 0}));
}

TEST(LedgerTest, KeepsAJobInOneRackIfOneHasRoom) {
  Ledger ledger(10, 8, 4);  // 0-3, 4-7, 8-9.
  ledger.Add(Nodes(1, 1, 0, 100));
  EXPECT_THAT(ledger.Place({2, 8}, 0, 10), ElementsAre(NodeRange{8, 9})) << "the rack that has just enough";
  EXPECT_THAT(ledger.Place({3, 8}, 0, 10), ElementsAre(NodeRange{0, 0}, NodeRange{2, 3}));
  EXPECT_THAT(ledger.Place({4, 8}, 0, 10), ElementsAre(NodeRange{4, 7}));
  EXPECT_THAT(ledger.Place({6, 8}, 0, 10), ElementsAre(NodeRange{4, 9})) << "as few racks as possible";
  EXPECT_THAT(ledger.Place({9, 8}, 0, 10), ElementsAre(NodeRange{0, 0}, NodeRange{2, 9}));
}

}  // namespace
}  // namespace planner::schedule
