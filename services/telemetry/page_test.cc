#include "services/telemetry/page.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>

#include <limits>

namespace planner::telemetry {
namespace {

TEST(PageTest, HelpAndTypeStandBeforeTheFirstSample) {
  Page page;
  page.Family("a_ratio", "Back\\slash and\nline.", Page::Type::kGauge);
  page.Family("b_total", "Of b.", Page::Type::kCounter);
  page.Sample(LabelText({{"x", "1"}}), int64_t{7});
  page.Sample("", int64_t{-8});
  EXPECT_EQ(page.text(), "# HELP b_total Of b.\n# TYPE b_total counter\nb_total{x=\"1\"} 7\nb_total -8\n");
  page.Family("a_ratio", "Back\\slash and\nline.", Page::Type::kGauge);
  page.Sample("", 0.25);
  EXPECT_TRUE(page.text().ends_with("# HELP a_ratio Back\\\\slash and\\nline.\n# TYPE a_ratio gauge\na_ratio 0.25\n"));
}

TEST(PageTest, NumbersAreAsPrometheusReadsThem) {
  Page page;
  page.Family("a", "A.", Page::Type::kGauge);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double value : {0.0, 1767225600.0, 0.1, -2.5, 1e300, 1e-9, kInfinity, -kInfinity}) page.Sample("", value);
  page.Sample("", std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(page.text(),
            "# HELP a A.\n# TYPE a gauge\na 0\na 1767225600\na 0.1\na -2.5\na 1e+300\na 1e-09\na +Inf\na -Inf\na NaN\n");
}

TEST(PageTest, NoLabelCanEndItsLine) {
  EXPECT_EQ(LabelText({{"a", "x\"} 1\nb"}, {"c", "\\"}}), R"(a="x\"} 1\nb",c="\\")");
}

TEST(PageTest, WhatTheLibraryCollects) {
  prometheus::Registry registry;
  prometheus::BuildCounter().Name("c_total").Help("C.").Register(registry).Add({{"k", "v"}}).Increment(2);
  prometheus::BuildHistogram().Name("h_seconds").Help("H.").Register(registry).Add({}, prometheus::Histogram::BucketBoundaries{0.001, 1}).Observe(0.5);
  Page page;
  for (const prometheus::MetricFamily& family : registry.Collect()) page.Add(family);
  const std::string counter = "# HELP c_total C.\n# TYPE c_total counter\nc_total{k=\"v\"} 2\n";
  const std::string histogram =
      "# HELP h_seconds H.\n# TYPE h_seconds histogram\nh_seconds_bucket{le=\"0.001\"} 0\nh_seconds_bucket{le=\"1\"} 1\n"
      "h_seconds_bucket{le=\"+Inf\"} 1\nh_seconds_sum 0.5\nh_seconds_count 1\n";
  EXPECT_NE(page.text().find(counter), std::string::npos) << page.text();
  EXPECT_NE(page.text().find(histogram), std::string::npos) << page.text();
}

}  // namespace
}  // namespace planner::telemetry
