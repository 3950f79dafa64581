#include "clients/jobs/time_limit.h"

#include <gtest/gtest.h>

namespace planner::jobs {
namespace {

TEST(TimeLimitTest, ReadsSlurmsSpellings) {
  EXPECT_EQ(**ParseTimeLimit("90"), 90);
  EXPECT_EQ(**ParseTimeLimit("90:30"), 91);
  EXPECT_EQ(**ParseTimeLimit("36:00:00"), 2160);
  EXPECT_EQ(**ParseTimeLimit("7-0"), 10'080);
  EXPECT_EQ(**ParseTimeLimit("7-12:30"), 10'830);
  EXPECT_EQ(**ParseTimeLimit("1-02:03:04"), 1564);
  EXPECT_FALSE(ParseTimeLimit("UNLIMITED")->has_value());
  EXPECT_FALSE(ParseTimeLimit("")->has_value());
}

TEST(TimeLimitTest, RefusesAllElse) {
  for (const char* text : {"x", "1:2:3:4", "-1", "1-", "1--2", "1:", ":", "1.5", "2982616-04:14:00",
                           "99999999999999999999", "1-2:3:4:5", "1h"}) {
    EXPECT_FALSE(ParseTimeLimit(text).ok()) << text;
  }
}

TEST(TimeLimitTest, WritesAsSlurmDoes) {
  EXPECT_EQ(TimeLimitText(95), "01:35:00");
  EXPECT_EQ(TimeLimitText(10'080), "7-00:00:00");
  for (const int64_t minutes : {1, 59, 60, 1439, 1440, 100'000})
    EXPECT_EQ(**ParseTimeLimit(TimeLimitText(minutes)), minutes);
}

TEST(TimeLimitTest, SaysSpansToPeople) {
  EXPECT_EQ(SpanText(absl::Minutes(45)), "45 min");
  EXPECT_EQ(SpanText(absl::Minutes(192)), "3.2 hours");
  EXPECT_EQ(SpanText(absl::Hours(9 * 24)), "9 days");
  EXPECT_EQ(SpanText(absl::Seconds(5)), "less than a minute");
}

}  // namespace
}  // namespace planner::jobs
