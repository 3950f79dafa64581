#include "tests/accuracy/replay/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/accuracy/replay/components.h"

namespace planner::replay {
namespace {

std::vector<Outcome> OutcomesOf(std::string_view part, Sites sites = Sites::kOne) {
  perf::StepTimeConstants constants = *perf::ReadStepTimeConstants(perf::StepTimeConstantsFile(), part);
  constants.intervals = perf::BuiltInStepTimeConstants().intervals;
  std::ifstream in(PUBLISHED_RUNS);
  std::stringstream csv;
  csv << in.rdbuf();
  const auto rows = RowsOf(csv.str(), constants);
  EXPECT_TRUE(rows.ok()) << rows.status();
  return Replay(*rows, LogRatiosOf(*rows, constants), constants, sites);
}

// Bounds are what was measured and a little: tests/accuracy/README.md.

TEST(ReplayTest, ByTheFittedConstantsNoSourceGetsMuchWorse) {
  const std::vector<Outcome> outcomes = OutcomesOf("values");
  ASSERT_GT(outcomes.size(), 300u);
  for (const Summary& source : SummariesBySource(outcomes, 10)) {
    EXPECT_LT(source.change(), 0.03) << source.source;
    EXPECT_LT(source.mean_after, 1.01 * source.mean_before) << source.source;
  }
  // In absolute figures: a model that leaves less to learn is no worse.
  const Summary all = SummaryOf("all", outcomes);
  EXPECT_LT(all.median_after, 0.041);
  EXPECT_LT(all.change(), -0.08);
  EXPECT_LT(all.mean_after, 0.068);
  EXPECT_LT(all.mean_after, 0.94 * all.mean_before);
  EXPECT_GT(all.coverage_after, 0.88);
  EXPECT_LT(all.narrowed, 0.96);
}

TEST(ReplayTest, ByThePriorsTheErrorIsHalvedAndNoSourceGetsWorse) {
  const std::vector<Outcome> outcomes = OutcomesOf("priors");
  ASSERT_GT(outcomes.size(), 300u);
  for (const Summary& source : SummariesBySource(outcomes, 10)) EXPECT_LE(source.change(), 0) << source.source;
  const Summary all = SummaryOf("all", outcomes);
  EXPECT_LT(all.change(), -0.45);
  EXPECT_GT(all.coverage_after, all.coverage_before + 0.1);
}

TEST(ReplayTest, APlannerOfOnesOwnLearnsFromFewerRowsAndIsNoWorse) {
  const std::vector<Outcome> fitted = OutcomesOf("values", Sites::kEachOwn);
  for (const Summary& source : SummariesBySource(fitted, 10)) EXPECT_LT(source.change(), 0.03) << source.source;
  const std::vector<Outcome> outcomes = OutcomesOf("priors", Sites::kEachOwn);
  for (const Summary& source : SummariesBySource(outcomes, 10)) EXPECT_LE(source.change(), 0) << source.source;
  const Summary all = SummaryOf("all", outcomes);
  EXPECT_LT(all.change(), -0.45);
  EXPECT_LT(all.median_again, 0.35 * all.median_before);
}

TEST(ReplayTest, TheFirstRowIsTheModelAlone) {
  const Outcome first = OutcomesOf("priors").front();
  EXPECT_EQ(first.after, first.before);
  EXPECT_FALSE(first.is_measured);
}

TEST(ReplayTest, SummariesAreOfTheirSources) {
  const std::vector<Summary> sources = SummariesBySource(
      {{"a", 0.1, 0.2, 0}, {"b", 0.4, 0.1, 0.05}, {"b", 0.2, 0.1, 0.1}, {"a", 0.1, 0.1, 0}, {"c", 1, 1, 1}}, 2);
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0].source, "a");
  EXPECT_NEAR(sources[0].change(), 0.5, 1e-12);
  EXPECT_NEAR(sources[1].median_before, 0.3, 1e-12);
  EXPECT_NEAR(sources[1].mean_after, 0.1, 1e-12);
  EXPECT_NEAR(sources[1].median_again, 0.075, 1e-12);
}

TEST(ComponentsTest, ScatterIsThatOfPairsThatAgreeSoFar) {
  const calibration::Path one = calibration::PathOf({.framework = "a"}), two = calibration::PathOf({.framework = "b"});
  const auto scatter = ScatterByLevel({{one, "s", 0}, {one, "s", 0.1}, {one, "s", 0.2}, {two, "s", 1}}, Pairs::kAll);
  EXPECT_NEAR(scatter[7], 0.1 / 0.6745 / 1.41421, 1e-5);  // 0.1, 0.1, 0.2.
  EXPECT_NEAR(scatter[0], 0.9 / 0.6745 / 1.41421, 1e-5);  // 1, 0.9, 0.8.
  EXPECT_EQ(scatter[3], 0);
  const std::vector<Residual> apart = {{one, "s", 0}, {one, "s", 0.1}, {one, "t", 0.2}, {one, "u", 0.3}};
  EXPECT_EQ(ScatterByLevel(apart, Pairs::kOfOnePublication)[7], 0);
}

}  // namespace
}  // namespace planner::replay
