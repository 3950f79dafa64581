#include "clients/plannerctl/input_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::plannerctl {
namespace {

using ::testing::ElementsAre;

TEST(ParseInputShapeTest, TakesSizesAndType) {
  EXPECT_THAT(ParseInputShape("1x3x224x224")->dimensions(), ElementsAre(1, 3, 224, 224));
  EXPECT_EQ(ParseInputShape("1x3x224x224")->dtype(), "");
  EXPECT_THAT(ParseInputShape("8x128:int64")->dimensions(), ElementsAre(8, 128));
  EXPECT_EQ(ParseInputShape("8x128:int64")->dtype(), "int64");
  EXPECT_THAT(ParseInputShape("7")->dimensions(), ElementsAre(7));
}

TEST(ParseInputShapeTest, TakesANameOfAnArgument) {
  const auto shape = ParseInputShape("input_ids=8x128:int64");
  EXPECT_EQ(shape->name(), "input_ids");
  EXPECT_THAT(shape->dimensions(), ElementsAre(8, 128));
  EXPECT_EQ(shape->dtype(), "int64");
  EXPECT_EQ(ParseInputShape("1x3")->name(), "");
}

TEST(ParseInputShapeTest, RefusesEverythingElse) {
  for (const char* text : {"", "x", "1x", "x1", "1xx2", "axb", "1x2:", ":int64", "1,2", "1.5x2", "=1x2", "a=", "a=b=1"}) {
    EXPECT_FALSE(ParseInputShape(text).ok()) << text;
  }
}

}  // namespace
}  // namespace planner::plannerctl
