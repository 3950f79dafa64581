#include "clients/plannerctl/validation_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "clients/plannerctl/fake_validation.h"

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

std::string Printed(const v1::ValidateRunsResponse& validation, bool rows) {
  std::ostringstream out;
  PrintValidation(validation, rows, {}, out);
  return out.str();
}

TEST(ValidationViewTest, SaysHowFarOff) {
  const std::string text = Printed(FakeValidation(), false);
  EXPECT_THAT(
      text,
      AllOf(HasSubstr("3 rows: 2 predicted, 1 skipped\n"),
            HasSubstr("step time of 2 rows: mean error 30.0 %, median of predicted / measured 1.200, 50.0 % "
                      "within the 90 % interval\n"),
            HasSubstr("peak memory of 1 rows: mean error 10.0 %, median of predicted / measured 1.100, 100.0 % within "
                      "the 90 % interval\n"),
            HasSubstr("1 of 2 rows that ran are predicted not to fit\n"),
            HasSubstr("  skipped 1: the model is unknown\n")));
  EXPECT_THAT(text, HasSubstr("SOURCE   ROWS  TIMED  TIME MAPE  MEDIAN RATIO  COVERAGE  WITH MEMORY  MEMORY MAPE\n"
                              "a paper     3      2     30.0 %         1.200    50.0 %            1       10.0 %\n"));
  EXPECT_THAT(text, HasSubstr("Ampere "));
  EXPECT_THAT(text, Not(HasSubstr("r0")));
}

TEST(ValidationViewTest, RowsOnDemand) {
  const std::string text = Printed(FakeValidation(), true);
  EXPECT_THAT(text, AllOf(HasSubstr("r0  gpt    64 × A100-SXM-80GB      10 s        9 s   8 to 11  -10.0 %  40.0 GiB   "
                                    "44.0 GiB  yes"),
                          HasSubstr("+50.0 %"), HasSubstr("the model is unknown\n")));
}

TEST(ValidationViewTest, WhatWasNotMeasuredHasNoError) {
  v1::RunGroup group;
  group.set_row_count(7);
  EXPECT_THAT(GroupCells(group), ElementsAre("7", "0", "-", "-", "-", "0", "-"));
  EXPECT_EQ(GroupCells(group).size(), GroupTitles().size());
  EXPECT_EQ(DeviationText(1, 0), "-");
  EXPECT_EQ(StepText(0), "-");
  EXPECT_EQ(StepText(63.05), "63 s");
  EXPECT_EQ(StepText(0.08817), "0.0882 s");
}

TEST(ValidationViewTest, SkipReasonsTheMostFrequentFirst) {
  v1::ValidateRunsResponse validation;
  for (const char* reason : {"a", "b", "b", ""}) validation.add_rows()->set_skipped(reason);
  EXPECT_THAT(SkipReasons(validation), ElementsAre(Pair("b", 2), Pair("a", 1)));
}

TEST(ValidationViewTest, NoEscapeOfATableReachesTheTerminal) {
  v1::ValidateRunsResponse validation = FakeValidation();
  validation.mutable_rows(0)->set_model("\x1b[2Jgpt");
  validation.mutable_rows(2)->set_skipped("odd \x1b[2J");
  validation.mutable_publications(0)->set_source("\x1b]0;x\x07");
  EXPECT_THAT(Printed(validation, true), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace planner::plannerctl
