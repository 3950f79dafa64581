#include "core/runs/thinning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace planner::runs {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr absl::Time kStart = absl::FromUnixSeconds(1'767'225'600);

Sample At(double seconds, int64_t step) { return {.time = kStart + absl::Seconds(seconds), .step = step}; }

std::vector<Sample> Steady(int count, double seconds) {
  std::vector<Sample> samples;
  for (int i = 0; i < count; ++i) samples.push_back(At(i * seconds, i));
  return samples;
}

TEST(Thinned, KeepsFewAsTheyAreInOrderOfTime) {
  EXPECT_THAT(Thinned({}), SizeIs(0));
  EXPECT_THAT(Thinned({At(2, 20), At(1, 10), At(3, 5)}), ElementsAre(At(1, 10), At(2, 20), At(3, 5)));
}

TEST(Thinned, OfOneMomentTheOneThatSaysMostStays) {
  EXPECT_THAT(Thinned({At(1, 10), At(1, 12), At(1, 11)}), ElementsAre(At(1, 12)));
  Sample with_loss = At(1, 12);
  with_loss.loss = 2.5;
  EXPECT_THAT(Thinned({At(1, 12), with_loss, At(1, 12)}), ElementsAre(with_loss));
}

TEST(Thinned, TheWorkedNumber) {
  // 600 s in slots of 2.097152 s, counted from 1970: the first may be cut.
  const std::vector<Sample> kept = Thinned(Steady(600, 1));
  EXPECT_GE(kept.size(), 286u);
  EXPECT_LE(kept.size(), 288u);
  EXPECT_EQ(kept.front(), At(0, 0));
  EXPECT_EQ(kept.back(), At(599, 599));
}

TEST(Thinned, IsEven) {
  for (const int count : {501, 1000, 12'345, 100'000}) {
    const std::vector<Sample> kept = Thinned(Steady(count, 60));
    EXPECT_LE(kept.size(), kMostSamples) << count;
    EXPECT_GE(kept.size(), kMostSamples / 2) << count;
    std::vector<int64_t> gaps;
    for (size_t i = 2; i + 1 < kept.size(); ++i) gaps.push_back(kept[i].step - kept[i - 1].step);
    // Within a step of one another: a slot's edge lies between two reports.
    EXPECT_LE(*std::max_element(gaps.begin(), gaps.end()) - *std::min_element(gaps.begin(), gaps.end()), 1) << count;
  }
}

TEST(Thinned, NeitherOrderNorBatchesMatter) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Sample> all;
    const int count = std::uniform_int_distribution<int>(1, 3000)(random);
    std::exponential_distribution<double> gap(1.0 / std::uniform_real_distribution<double>(0.001, 1000)(random));
    double time = 0;
    for (int i = 0; i < count; ++i) all.push_back(At(time += gap(random), std::uniform_int_distribution<int>(0, 50)(random)));
    const std::vector<Sample> expected = Thinned(all);
    std::shuffle(all.begin(), all.end(), random);
    std::vector<Sample> kept;
    for (size_t begin = 0; begin < all.size();) {
      const size_t size = std::uniform_int_distribution<size_t>(1, 1000)(random);
      const size_t end = std::min(all.size(), begin + size);
      kept.insert(kept.end(), all.begin() + static_cast<ptrdiff_t>(begin), all.begin() + static_cast<ptrdiff_t>(end));
      // Some are sent again.
      if (round % 2 == 0) kept.push_back(all[begin]);
      kept = Thinned(std::move(kept));
      EXPECT_LE(kept.size(), kMostSamples);
      begin = end;
    }
    EXPECT_TRUE(kept == expected) << "round " << round;
  }
}

TEST(Thinned, TimesFarApartDoNoHarm) {
  const std::vector<Sample> kept = Thinned({{.time = absl::FromUnixSeconds(0)}, {.time = absl::FromUnixSeconds(253'402'300'799), .step = 9},
                                            {.time = absl::FromUnixSeconds(-5), .step = 1}});
  EXPECT_THAT(kept, SizeIs(3));
  EXPECT_EQ(kept.front().step, 1);
  EXPECT_EQ(kept.back().step, 9);
}

}  // namespace
}  // namespace planner::runs
