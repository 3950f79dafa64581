#include "core/planning/goodput.h"

#include "gtest/gtest.h"

namespace planner::planning {
namespace {

TEST(GoodputTest, Llama3sCardsAreWorthTheReportedShare) {
  const Goodput goodput = GoodputOf(16384, 0.35e9);
  EXPECT_NEAR(goodput.seconds_between_failures / 3600, 3.09, 0.01);
  EXPECT_NEAR(goodput.checkpoint_interval_seconds, 334, 1);
  EXPECT_NEAR(goodput.ratio, 0.919, 0.001);
}

TEST(GoodputTest, OneNodeLosesNextToNothing) {
  const Goodput goodput = GoodputOf(8, 20e9);
  EXPECT_DOUBLE_EQ(goodput.checkpoint_seconds, 20);
  EXPECT_GT(goodput.ratio, 0.995);
  EXPECT_LT(goodput.ratio, 1);
}

TEST(GoodputTest, MoreCardsAndLargerCheckpointsLoseMore) {
  double last = 1;
  for (double gpus = 1; gpus < 2e6; gpus *= 4) {
    const double ratio = GoodputOf(gpus, 10e9).ratio;
    EXPECT_LT(ratio, last) << gpus;
    EXPECT_GT(ratio, 0) << gpus;
    EXPECT_LT(GoodputOf(gpus, 20e9).ratio, ratio) << gpus;
    last = ratio;
  }
}

}  // namespace
}  // namespace planner::planning
