#include "core/calibration/shrinkage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace planner::calibration {
namespace {

using ::testing::DoubleNear;

TEST(ShrinkageTest, TheDocumentedOutlier) {
  std::vector<Weighted> runs(20, {0.1, 1});
  runs.push_back({1.0, 1});
  const Summary summary = SummaryOfRuns(runs, 0.03);
  EXPECT_THAT(summary.mean, DoubleNear(0.103, 0.0005));
  EXPECT_THAT(summary.runs, DoubleNear(20.07, 0.005));
}

TEST(ShrinkageTest, TheDocumentedGroups) {
  const std::vector<Summary> groups = {SummaryOfRuns(std::vector<Weighted>(1, {0.1, 1}), 0.03),
                                       SummaryOfRuns(std::vector<Weighted>(100, {0.1, 1}), 0.03)};
  EXPECT_THAT(groups[0].variance, DoubleNear(0.0009, 1e-12));
  EXPECT_THAT(groups[1].variance, DoubleNear(0.000009, 1e-12));
  const Summary summary = SummaryOfGroups(groups, 0.06);
  EXPECT_THAT(1 / summary.variance, DoubleNear(222 + 277, 1));
  EXPECT_EQ(summary.runs, 101);
}

TEST(ShrinkageTest, TheDocumentedShares) {
  const auto share = [](size_t runs) {
    return Shrink({}, SummaryOfRuns(std::vector<Weighted>(runs, {1, 1}), 0.06), 0.03).mean;
  };
  EXPECT_THAT(share(1), DoubleNear(1.0 / 5, 1e-9));
  EXPECT_THAT(share(20), DoubleNear(5.0 / 6, 1e-9));
}

TEST(ShrinkageTest, RunsThatScatterSayLess) {
  const std::vector<Weighted> close = {{0.1, 1}, {0.1, 1}, {0.1, 1}, {0.1, 1}},
                              apart = {{0.05, 1}, {0.15, 1}, {0.05, 1}, {0.15, 1}};
  EXPECT_THAT(SummaryOfRuns(close, 0.03).variance, DoubleNear(0.03 * 0.03 / 4, 1e-12));
  EXPECT_THAT(SummaryOfRuns(apart, 0.03).variance, DoubleNear(0.01 / 3 / 4, 1e-12));
}

TEST(ShrinkageTest, WhatIsUnsureAboveIsSurerBelow) {
  const Belief belief = Shrink({0, 0.01}, {0.2, 0.0001, 9}, 0.06);
  EXPECT_LT(belief.variance, 0.0002);
  EXPECT_GT(belief.mean, 0.19);
}

TEST(ShrinkageTest, AWeightOfAHalfIsHalfARun) {
  EXPECT_THAT(SummaryOfRuns(std::vector<Weighted>{{0, 1}, {0.3, 0.5}}, 0.03).mean, DoubleNear(0.1, 1e-9));
}

}  // namespace
}  // namespace planner::calibration
