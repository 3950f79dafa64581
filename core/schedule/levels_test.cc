#include "core/schedule/levels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace planner::schedule {
namespace {

using cluster::kForever;
using cluster::Step;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LevelsTest, StepsAreWhereSomethingChanges) {
  Levels levels;
  levels.Add(0, 50, 8);
  levels.Add(10, 50, 16);
  EXPECT_THAT(levels.steps(), ElementsAre(Step{0, 8}, Step{10, 24}, Step{50, 0}));
  levels.Add(50, 60, 24);
  EXPECT_THAT(levels.steps(), ElementsAre(Step{0, 8}, Step{10, 24}, Step{60, 0})) << "nothing changes at 50 any more";
  levels.Add(10, 60, -24);
  levels.Add(0, 10, -8);
  EXPECT_THAT(levels.steps(), IsEmpty());
}

TEST(LevelsTest, TimeHasNeitherBeginningNorEnd) {
  Levels levels;
  constexpr auto kBeginning = std::numeric_limits<cluster::Micros>::min();
  levels.Add(kBeginning, kForever, 3);
  EXPECT_THAT(levels.steps(), ElementsAre(Step{kBeginning, 3}));
  EXPECT_EQ(levels.Highest(kBeginning, 0), 3);
  EXPECT_EQ(levels.Highest(7, kForever), 3);
  levels.Add(kBeginning, kForever, -3);
  EXPECT_THAT(levels.steps(), IsEmpty());
}

TEST(LevelsTest, TheHighestIsWithinTheTimeAlone) {
  Levels levels;
  levels.Add(10, 20, 8);
  levels.Add(30, 40, 16);
  EXPECT_EQ(levels.Highest(0, 10), 0);
  EXPECT_EQ(levels.Highest(0, 11), 8);
  EXPECT_EQ(levels.Highest(15, 30), 8);
  EXPECT_EQ(levels.Highest(20, 30), 0);
  EXPECT_EQ(levels.Highest(19, 31), 16);
}

}  // namespace
}  // namespace planner::schedule
