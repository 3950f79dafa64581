#include "core/cluster/openings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

namespace planner::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Order = Openings::Order;

TEST(OpeningsTest, NodesAddUpAndNoneAreNoOpening) {
  Openings openings(Order::kByStart, {{0, 10, 2}, {0, 20, 1}, {5, 8, 3}});
  openings.Apply({{0, 10, -2}, {0, 20, 4}, {6, 7, 1}});
  EXPECT_THAT(openings, ElementsAre(Opening{0, 20, 5}, Opening{5, 8, 3}, Opening{6, 7, 1}));
  EXPECT_EQ(openings.size(), 3u);
  openings.Apply({{0, 20, -5}, {5, 8, -3}, {6, 7, -1}});
  EXPECT_THAT(openings, IsEmpty());
  EXPECT_TRUE(openings.empty());
}

TEST(OpeningsTest, ByEndTheEndComesFirst) {
  const Openings openings(Order::kByEnd, {{5, 8, 3}, {0, 10, 2}, {0, kForever, 1}});
  const auto lasts = openings.PartitionPoint([](const Opening& one) { return one.end < kForever; });
  EXPECT_EQ(*lasts, (Opening{0, kForever, 1}));
}

/// As a list of its own size would be.
class Reference {
 public:
  void Add(const Opening& change) {
    int64_t& nodes = all_[{change.start, change.end}];
    nodes += change.nodes;
    if (nodes == 0) all_.erase({change.start, change.end});
  }
  int64_t NodesOf(const Opening& one) const {
    const auto found = all_.find({one.start, one.end});
    return found == all_.end() ? 0 : found->second;
  }
  std::vector<Opening> List() const {
    std::vector<Opening> list;
    for (const auto& [gap, nodes] : all_) list.push_back({gap.first, gap.second, nodes});
    return list;
  }

 private:
  std::map<std::pair<Micros, Micros>, int64_t> all_;
};

TEST(OpeningsTest, ThousandsOfChangesGiveWhatAMapGivesAndCopiesStay) {
  std::mt19937 random(1);
  const auto any = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  Openings openings(Order::kByStart);
  Reference reference;
  for (int round = 0; round < 2'000; ++round) {
    const Openings before = openings;
    const std::vector<Opening> was = reference.List();
    // It grows at first, and shrinks to nothing at last.
    std::map<std::pair<Micros, Micros>, int64_t> changes;
    for (int i = any(1, 8); i > 0; --i) {
      Opening one{any(0, 60), any(61, 100), 0};
      if (round >= 1'500) one = was.empty() ? one : was[static_cast<size_t>(any(0, static_cast<int>(was.size()) - 1))];
      const int64_t known = reference.NodesOf(one);
      changes[{one.start, one.end}] = round < 1'500 && any(0, 2) > 0 ? any(1, 3) : -known;
    }
    std::vector<Opening> sorted;
    for (const auto& [gap, nodes] : changes) {
      if (nodes == 0) continue;
      sorted.push_back({gap.first, gap.second, nodes});
      reference.Add(sorted.back());
    }
    openings.Apply(sorted);
    ASSERT_THAT(openings, ::testing::ElementsAreArray(reference.List())) << "round " << round;
    ASSERT_THAT(before, ::testing::ElementsAreArray(was)) << "round " << round;

    const Micros start = any(0, 70), end = start + any(1, 30);
    std::vector<Opening> around;
    openings.VisitAround(start, end, [&](const Opening& one) {
      around.push_back(one);
      return true;
    });
    std::reverse(around.begin(), around.end());
    std::vector<Opening> expected = reference.List();
    std::erase_if(expected, [&](const Opening& one) { return one.start > start || one.end < end; });
    ASSERT_EQ(around, expected) << "round " << round;
  }
  EXPECT_THAT(openings, IsEmpty());
}

TEST(OpeningsTest, TheLatestIsVisitedFirstAndAVisitorMayStop) {
  Openings openings(Order::kByStart);
  std::vector<Opening> many;
  for (Micros start = 0; start < 1'000; ++start) many.push_back({start, 2'000, 1});
  openings.Apply(many);
  std::vector<Micros> starts;
  openings.VisitAround(500, 600, [&](const Opening& one) {
    starts.push_back(one.start);
    return starts.size() < 3;
  });
  EXPECT_THAT(starts, ElementsAre(500, 499, 498));
}

}  // namespace
}  // namespace planner::cluster
