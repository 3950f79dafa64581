#include "clients/plannerctl/scatter_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <regex>

namespace planner::plannerctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Where the mark with a tooltip begins.
std::pair<double, double> PlaceOf(const std::string& svg, const std::string& tooltip) {
  const std::regex mark("d=\"M([0-9.-]+) ([0-9.-]+)[^\"]*\"><title>" + tooltip + "</title>");
  std::smatch match;
  if (!std::regex_search(svg, match, mark)) return {-1, -1};
  return {std::stod(match[1]), std::stod(match[2])};
}

TEST(ScatterPlotTest, IsLogarithmicInBothDirections) {
  const std::string svg = ScatterPlot("step time", "s",
                                      {{.measured = 1, .predicted = 1, .tooltip = "one"},
                                       {.measured = 10, .predicted = 10, .tooltip = "ten"},
                                       {.measured = 100, .predicted = 1, .tooltip = "low"}});
  const auto one = PlaceOf(svg, "one");
  const auto ten = PlaceOf(svg, "ten");
  const auto low = PlaceOf(svg, "low");
  EXPECT_GT(one.first, 0);
  // A decade is as long wherever it stands, along both axes; up is more.
  EXPECT_NEAR(low.first - ten.first, ten.first - one.first, 0.2);
  EXPECT_NEAR(one.second - ten.second, ten.first - one.first, 0.2);
  EXPECT_EQ(low.second, one.second);
  EXPECT_THAT(svg, HasSubstr("class=\"band\""));
  EXPECT_THAT(svg, HasSubstr("class=\"diagonal\""));
  EXPECT_THAT(svg, HasSubstr("measured step time, s"));
}

TEST(ScatterPlotTest, SeriesDifferInColourThenShape) {
  const std::string svg = ScatterPlot("x", "s",
                                      {{.measured = 1, .predicted = 2, .series = 3, .tooltip = "a"},
                                       {.measured = 1, .predicted = 2, .series = 13, .filled = false, .tooltip = "b"}});
  EXPECT_THAT(svg, HasSubstr("class=\"c3\""));
  EXPECT_THAT(svg, HasSubstr("class=\"c3 hollow\""));
  EXPECT_NE(SeriesMark(3), SeriesMark(13));
  EXPECT_NE(SeriesMark(3), SeriesMark(4));
}

TEST(ScatterPlotTest, TooltipsAreEscaped) {
  const std::string svg =
      ScatterPlot("x", "s", {{.measured = 1, .predicted = 2, .tooltip = "</title><script>alert(1)</script>"}});
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
}

TEST(ScatterPlotTest, WhatHasNoPlaceIsLeftOut) {
  EXPECT_EQ(ScatterPlot("x", "s", {}), "");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const ScatterPoint far = {.measured = 1, .predicted = kInfinity, .tooltip = "far"};
  EXPECT_EQ(ScatterPlot("x", "s", {far}), "");
  const std::string svg = ScatterPlot("x", "s", {far, {.measured = 1, .predicted = 1, .tooltip = "here"}});
  EXPECT_THAT(svg, Not(HasSubstr("far")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_GT(PlaceOf(svg, "here").first, 0);
}

}  // namespace
}  // namespace planner::plannerctl
