#include "core/calibration/kind.h"

#include <gtest/gtest.h>

#include <limits>

namespace planner::calibration {
namespace {

const size_t kSize = static_cast<size_t>(Level::kSize);
const size_t kCards = static_cast<size_t>(Level::kCards);

TEST(KindTest, TheDocumentedClasses) {
  EXPECT_EQ(PathOf({.parameters = 7e9})[kSize], "33");
  EXPECT_EQ(PathOf({.parameters = 6.1e9})[kSize], PathOf({.parameters = 1.2e10})[kSize]);
  EXPECT_NE(PathOf({.parameters = 6.0e9})[kSize], PathOf({.parameters = 1.3e10})[kSize]);
  EXPECT_EQ(PathOf({.gpus = 512})[kCards], PathOf({.gpus = 2047})[kCards]);
  EXPECT_NE(PathOf({.gpus = 512})[kCards], PathOf({.gpus = 511})[kCards]);
}

TEST(KindTest, WhatHasNoSizeIsInOneClass) {
  EXPECT_EQ(PathOf({.parameters = 0})[kSize], PathOf({.parameters = -1})[kSize]);
  EXPECT_EQ(PathOf({.parameters = std::numeric_limits<double>::quiet_NaN()})[kSize], "?");
}

TEST(KindTest, NamesAreInOrder) {
  EXPECT_EQ(NameOf(Level::kAll), "all");
  EXPECT_EQ(NameOf(Level::kCards), "cards");
}

}  // namespace
}  // namespace planner::calibration
