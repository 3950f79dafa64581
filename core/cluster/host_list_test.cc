#include "core/cluster/host_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(HostListTest, NamesNodesInTheirOrder) {
  const HostList list = *HostList::Parse("gpu[008-011],login,a7,b[2,4-5]");
  EXPECT_EQ(list.size(), 9);
  std::vector<std::string> names;
  for (int64_t i = 0; i < list.size(); ++i) names.push_back(list.Name(i));
  EXPECT_THAT(names, ElementsAre("gpu008", "gpu009", "gpu010", "gpu011", "login", "a7", "b2", "b4", "b5"));
}

TEST(HostListTest, DefaultsAreNumberedFromZero) {
  const HostList list = HostList::Numbered("h100", 12);
  EXPECT_EQ(list.Name(0), "h100-0");
  EXPECT_EQ(list.Name(11), "h100-11");
  EXPECT_THAT(*list.Find("h100-[9-11]"), ElementsAre(NodeRange{9, 11}));
  EXPECT_EQ(list.Text({{0, 0}, {9, 11}}), "h100-[0,9-11]");
}

TEST(HostListTest, FindsNamesWhereverTheyStand) {
  const HostList list = *HostList::Parse("gpu[008-011],login,a7,b[2,4-5]");
  EXPECT_THAT(*list.Find("b5,gpu009,gpu010,login"), ElementsAre(NodeRange{1, 2}, NodeRange{4, 4}, NodeRange{8, 8}));
  EXPECT_EQ(list.Text({{1, 2}, {4, 5}, {8, 8}}), "gpu[009-010],login,a[7],b[5]");
  for (const char* unknown : {"gpu07", "gpu8", "gpu012", "c1", "loginx", "b3", "gpu"}) {
    EXPECT_THAT(std::string(list.Find(unknown).status().message()), HasSubstr("no node of the pool")) << unknown;
  }
  EXPECT_THAT(std::string(list.Find("a7,a[6-7]").status().message()), HasSubstr("a6"));
  EXPECT_THAT(std::string(list.Find("a7,a7").status().message()), HasSubstr("twice"));
}

TEST(HostListTest, FindsWhatIsLeft) {
  const HostList list = *HostList::Parse("a[1-3]");
  const HostList::Known known = list.FindKnown("a[2-5],b");
  EXPECT_THAT(known.nodes, ElementsAre(NodeRange{1, 2}));
  EXPECT_EQ(known.unknown, 3);
}

TEST(HostListTest, TextRoundTrips) {
  const HostList list = *HostList::Parse("n[1-120],m[01-30]");
  for (const std::vector<NodeRange>& ranges :
       {std::vector<NodeRange>{{0, 149}}, std::vector<NodeRange>{{5, 7}, {99, 121}, {149, 149}}}) {
    EXPECT_EQ(*list.Find(list.Text(ranges)), ranges) << list.Text(ranges);
  }
}

TEST(HostListTest, WrongListsAreRefused) {
  for (const char* text : {"", ",", "a,", "a,,b", "a[", "a[]", "a[1-", "a[3-1]", "a[1]b", "a b", "a[1-2],a2", "a[x]",
                           "a]1[", "a[1-99999999999]", "a[1-1000001]", "\xff"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(HostList::Parse(text).status())) << text;
  }
}

TEST(NodeRangeTest, IndicesAreJoined) {
  EXPECT_THAT(ToRanges({1, 2, 3, 7}), ElementsAre(NodeRange{1, 3}, NodeRange{7, 7}));
  EXPECT_EQ(CountOf({{1, 3}, {7, 7}}), 4);
}

}  // namespace
}  // namespace planner::cluster
