#include "core/planning/run_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace planner::planning {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;

RunComparison Timed(double measured, double predicted, double low, double high) {
  return {.predicted = true,
          .measured_step_seconds = measured,
          .predicted_step_seconds = predicted,
          .low_step_seconds = low,
          .high_step_seconds = high};
}

RunComparison Remembered(double measured_gib, double predicted_gib) {
  return {.predicted = true, .measured_peak_gib = measured_gib, .predicted_peak_gib = predicted_gib};
}

RunComparison From(const char* source, const char* family, double measured, double predicted) {
  RunComparison row = Timed(measured, predicted, 0, 0);
  row.source = source;
  row.gpu_family = family;
  return row;
}

TEST(RunErrorsTest, NothingIsNoError) {
  const RunErrors errors = ErrorsOf({});
  EXPECT_EQ(errors.row_count, 0);
  EXPECT_EQ(errors.time_mape, 0);
  EXPECT_EQ(errors.time_median_ratio, 0);
  EXPECT_EQ(errors.time_coverage, 0);
  EXPECT_EQ(errors.memory_mape, 0);
}

TEST(RunErrorsTest, TimesByHand) {
  // Ratios 0.9, 1.2, 1, 2.5: |error| 0.1 + 0.2 + 0 + 1.5 = 1.8 over 4; the middle two are 1 and 1.2; the intervals
  // [8, 10] (its end counts), [9, 13] and [10, 10] hold their 10 s, [15, 40] does not.
  const std::vector<RunComparison> rows = {Timed(10, 9, 8, 10), Timed(10, 12, 9, 13), Timed(10, 10, 10, 10),
                                           Timed(10, 25, 15, 40)};
  const RunErrors errors = ErrorsOf(rows);
  EXPECT_EQ(errors.time_count, 4);
  EXPECT_DOUBLE_EQ(errors.time_mape, 0.45);
  EXPECT_DOUBLE_EQ(errors.time_median_ratio, 1.1);
  EXPECT_DOUBLE_EQ(errors.time_coverage, 0.75);
  // Without the first, 1, 1.2 and 2.5: the middle one.
  EXPECT_DOUBLE_EQ(ErrorsOf(std::span(rows).subspan(1)).time_median_ratio, 1.2);
}

TEST(RunErrorsTest, MemoryIsApartFromTime) {
  const std::vector<RunComparison> rows = {Remembered(40, 44), Remembered(50, 48), Timed(1, 1, 0, 2)};
  const RunErrors errors = ErrorsOf(rows);
  EXPECT_EQ(errors.memory_count, 2);
  EXPECT_DOUBLE_EQ(errors.memory_mape, (0.1 + 0.04) / 2);
  EXPECT_DOUBLE_EQ(errors.memory_median_ratio, (1.1 + 0.96) / 2);
  EXPECT_DOUBLE_EQ(errors.memory_coverage, 0);
  EXPECT_EQ(errors.time_count, 1);
  EXPECT_DOUBLE_EQ(errors.time_coverage, 1);
}

TEST(RunErrorsTest, MemoryIsCoveredWhereItLiesInItsInterval) {
  std::vector<RunComparison> rows = {Remembered(40, 44), Remembered(50, 48)};
  for (RunComparison& row : rows) {
    row.low_peak_gib = row.predicted_peak_gib - 2;
    row.high_peak_gib = row.predicted_peak_gib + 2;
  }
  EXPECT_DOUBLE_EQ(ErrorsOf(rows).memory_coverage, 0.5);
}

TEST(RunErrorsTest, SkippedRowsAreCountedAndNothingElse) {
  RunComparison skipped = Timed(10, 1000, 0, 1);
  skipped.predicted = false;
  skipped.fits = false;
  const std::vector<RunComparison> rows = {skipped, Timed(10, 11, 0, 1)};
  const RunErrors errors = ErrorsOf(rows);
  EXPECT_EQ(errors.row_count, 2);
  EXPECT_EQ(errors.predicted_count, 1);
  EXPECT_EQ(errors.skipped_count, 1);
  EXPECT_EQ(errors.time_count, 1);
  EXPECT_NEAR(errors.time_mape, 0.1, 1e-12);
  EXPECT_EQ(errors.ran_count, 1);
  EXPECT_EQ(errors.ran_wrong_count, 0);
}

TEST(RunErrorsTest, WhatDoesNotFitIsRightWhereTheRunDidNot) {
  const auto fit = [](bool ran_out_of_memory, std::optional<bool> fits) {
    return RunComparison{.ran_out_of_memory = ran_out_of_memory, .predicted = true, .fits = fits};
  };
  const std::vector<RunComparison> rows = {fit(true, false),  fit(true, true),  fit(true, std::nullopt),
                                           fit(false, false), fit(false, true), fit(false, std::nullopt)};
  const RunErrors errors = ErrorsOf(rows);
  EXPECT_EQ(errors.oom_count, 3);
  EXPECT_EQ(errors.oom_right_count, 1);
  EXPECT_EQ(errors.ran_count, 3);
  EXPECT_EQ(errors.ran_wrong_count, 1);
}

TEST(RunErrorsTest, GroupsAreInTheOrderOfTheirFirstRows) {
  const std::vector<RunComparison> rows = {From("b / 1", "Hopper", 10, 11), From("a", "Ampere", 10, 12),
                                           From("b / 2", "Ampere", 10, 13), From("b / 1", "Hopper", 10, 13)};
  const auto is = [](const char* name, double mape) {
    return ::testing::AllOf(
        Field(&NamedErrors::name, name),
        Field(&NamedErrors::errors, Field(&RunErrors::time_mape, ::testing::DoubleNear(mape, 1e-12))));
  };
  EXPECT_THAT(ErrorsBy(SourceOf, rows), ElementsAre(is("b / 1", 0.2), is("a", 0.2), is("b / 2", 0.3)));
  EXPECT_THAT(ErrorsBy(PublicationOf, rows), ElementsAre(is("b", 0.7 / 3), is("a", 0.2)));
  EXPECT_THAT(ErrorsBy(GpuFamilyOf, rows), ElementsAre(is("Hopper", 0.2), is("Ampere", 0.25)));
}

TEST(RunErrorsTest, APublicationIsTheSourceUpToItsFirstTable) {
  RunComparison row;
  for (const auto& [source, publication] : {std::pair{"x README / A100 / 40GB", "x README"},
                                            {"github.com/x/y", "github.com/x/y"},
                                            {" / x", ""},
                                            {"", ""}}) {
    row.source = source;
    EXPECT_EQ(PublicationOf(row), publication);
  }
}

}  // namespace
}  // namespace planner::planning
