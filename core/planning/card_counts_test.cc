#include "core/planning/card_counts.h"

#include "core/planning/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CardRangeTest, OffersPowersOfTwoInANodeAndWholeNodesAbove) {
  const CardRange range{.least = 1, .most = 1000, .per_node = 8};
  EXPECT_EQ(range.AtLeast(3), 4);
  EXPECT_EQ(range.AtLeast(8), 8);
  EXPECT_EQ(range.AtLeast(9), 16);
  EXPECT_EQ(range.AtLeast(17), 24);
  EXPECT_EQ(range.AtMost(3), 2);
  EXPECT_EQ(range.AtMost(15), 8);
  EXPECT_EQ(range.AtMost(23), 16);
  EXPECT_EQ(range.AtMost(0), 0);
  EXPECT_EQ(range.AtLeast(1001), 0);
  EXPECT_THAT((CardRange{.least = 1, .most = 40, .per_node = 8}.Doublings()), ElementsAre(1, 2, 4, 8, 16, 32, 40));
}

TEST(CardRangeTest, KeepsTheCallersBounds) {
  const CardRange range{.least = 3, .most = 21, .per_node = 8};
  EXPECT_EQ(range.AtLeast(1), 3);
  EXPECT_EQ(range.AtLeast(4), 4);
  EXPECT_EQ(range.AtLeast(17), 21);
  EXPECT_EQ(range.AtMost(3), 3);
  EXPECT_EQ(range.AtMost(2), 0);
  EXPECT_EQ(range.AtMost(100), 21);
  EXPECT_THAT((CardRange{.least = 7, .most = 7, .per_node = 4}.Doublings()), ElementsAre(7));
  EXPECT_THAT((CardRange{.least = 8, .most = 7, .per_node = 8}.Doublings()), IsEmpty());
}

TEST(CardRangeTest, NodesOfOddSizes) {
  const CardRange range{.least = 1, .most = 100, .per_node = 6};
  EXPECT_EQ(range.AtLeast(5), 6);
  EXPECT_EQ(range.AtMost(5), 4);
  EXPECT_THAT((CardRange{.least = 1, .most = 4, .per_node = 1}.Doublings()), ElementsAre(1, 2, 4));
}

TEST(RangeOfTest, CombinesPoolAndJob) {
  cluster::Pool pool;
  pool.gpus_per_node = 4;
  JobSpec job;
  EXPECT_EQ(RangeOf(pool, job, false).most, kMostCardsUnasked);
  EXPECT_EQ(RangeOf(pool, job, true).most, kMostCards);
  pool.node_count = 3;
  EXPECT_EQ(RangeOf(pool, job, true).most, 12);
  job.min_gpus = 13;
  EXPECT_TRUE(RangeOf(pool, job, true).empty());
}

TEST(TextTest, ReadsLikeAPersonWouldSay) {
  EXPECT_EQ(Gib(112.4 * 1024 * 1024 * 1024), "112.4 GiB");
  EXPECT_EQ(Duration(45), "45 s");
  EXPECT_EQ(Duration(7200), "2.0 h");
  EXPECT_EQ(Duration(34 * 86400), "34.0 days");
  EXPECT_EQ(Duration(1e9), "31.7 years");
  EXPECT_EQ(Grouped(4194304), "4,194,304");
  EXPECT_EQ(Grouped(-1000), "-1,000");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Cards(1), "1 card");
  EXPECT_EQ(Cards(8), "8 cards");
}

}  // namespace
}  // namespace planner::planning
