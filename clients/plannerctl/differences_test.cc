#include "clients/plannerctl/differences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::plannerctl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(DifferencesTest, EqualTextsHaveNone) {
  EXPECT_THAT(Differences(R"({"a":1,"b":[1,2]})", R"({"b":[1,2],"a":1})"), IsEmpty());
}

TEST(DifferencesTest, ListsLeavesByPath) {
  EXPECT_THAT(Differences(R"({"a":{"b":1},"c":["x","y"],"only":true})", R"({"a":{"b":2},"c":["x","z","w"]})"),
              ElementsAre(Difference{"a.b", "1", "2"}, Difference{"c[1]", "y", "z"}, Difference{"only", "true", ""},
                          Difference{"c[2]", "", "w"}));
}

}  // namespace
}  // namespace planner::plannerctl
