#include "core/planning/pareto.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ParetoFrontTest, KeepsWhatIsBestInSomething) {
  EXPECT_THAT(ParetoFront(std::vector<Price>{{2, 8, 20}, {2, 4, 10}, {1, 8, 10}}), ElementsAre(2, 1));
  EXPECT_THAT(ParetoFront(std::vector<Price>{{4, 1, 1}, {3, 2, 2}, {2, 3, 3}}), ElementsAre(2, 1, 0));
  EXPECT_THAT(ParetoFront({}), IsEmpty());
}

TEST(ParetoFrontTest, OfEqualsKeepsTheFirst) {
  EXPECT_THAT(ParetoFront(std::vector<Price>{{1, 8, 10}, {1, 8, 10}}), ElementsAre(0));
}

TEST(ParetoFrontTest, NobodyOnItIsBeatenAndEverybodyElseIs) {
  std::vector<Price> options;
  for (int i = 0; i < 200; ++i) options.push_back({double(i * 37 % 101), double(i * 53 % 17), double(i * 71 % 29)});
  const auto front = ParetoFront(options);
  const auto beats = [](const Price& a, const Price& b) {
    return a.seconds <= b.seconds && a.gpus <= b.gpus && a.cost <= b.cost;
  };
  for (size_t i = 0; i < options.size(); ++i) {
    const bool on_it = std::find(front.begin(), front.end(), i) != front.end();
    const bool beaten = std::any_of(front.begin(), front.end(), [&](size_t j) { return j != i && beats(options[j], options[i]); });
    EXPECT_NE(on_it, beaten) << i;
  }
}

}  // namespace
}  // namespace planner::planning
