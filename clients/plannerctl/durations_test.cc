#include "clients/plannerctl/durations.h"

#include <gtest/gtest.h>

namespace planner::plannerctl {
namespace {

TEST(ParseDurationTest, TakesUnits) {
  EXPECT_EQ(*ParseDuration("30d"), absl::Hours(720));
  EXPECT_EQ(*ParseDuration("36h"), absl::Hours(36));
  EXPECT_EQ(*ParseDuration("90m"), absl::Minutes(90));
  EXPECT_EQ(*ParseDuration("45s"), absl::Seconds(45));
  EXPECT_EQ(*ParseDuration("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseDuration("2w"), absl::Hours(336));
  EXPECT_EQ(*ParseDuration("1d12h"), absl::Hours(36));
  EXPECT_EQ(*ParseDuration("1.5 days"), absl::Hours(36));
  EXPECT_EQ(*ParseDuration("1 hour 30 min"), absl::Minutes(90));
}

TEST(ParseDurationTest, TakesSlurmsClock) {
  EXPECT_EQ(*ParseDuration("1-12:00:00"), absl::Hours(36));
  EXPECT_EQ(*ParseDuration("1-12"), absl::Hours(36));
  EXPECT_EQ(*ParseDuration("1-02:30"), absl::Hours(26) + absl::Minutes(30));
  EXPECT_EQ(*ParseDuration("36:00:01"), absl::Hours(36) + absl::Seconds(1));
  EXPECT_EQ(*ParseDuration("90:00"), absl::Minutes(90));
}

TEST(ParseDurationTest, RefusesEverythingElse) {
  for (const char* text : {"", "30", "d", "30x", "-3d", "1d-2h", "3d!", "1:2:3:4", "1-2:3:4:5", "nan d", "1e3d", "1.d",
                           "12-", "2000000w", "9999999999:00"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(ParseTimeTest, TakesRfc3339AndDates) {
  const absl::Time noon = absl::FromCivil(absl::CivilSecond(2026, 12, 1, 12, 0, 0), absl::UTCTimeZone());
  EXPECT_EQ(*ParseTime("2026-12-01T12:00:00Z"), noon);
  EXPECT_EQ(*ParseTime("2026-12-01T14:00:00+02:00"), noon);
  EXPECT_EQ(*ParseTime("2026-12-01T12:00:00"), noon);
  EXPECT_EQ(*ParseTime("2026-12-01T12:00"), noon);
  EXPECT_EQ(*ParseTime("2026-12-01"), noon - absl::Hours(12));
  for (const char* text :
       {"", "2026-13-01", "2026-02-30", "yesterday", "2026-12-01Tnoon", "infinite-future", "20260-1-1"}) {
    EXPECT_FALSE(ParseTime(text).ok()) << text;
  }
}

TEST(ParseDeadlineTest, TellsThemApart) {
  EXPECT_EQ(std::get<absl::Duration>(*ParseDeadline("30d")), absl::Hours(720));
  EXPECT_EQ(std::get<absl::Duration>(*ParseDeadline("1-12:00:00")), absl::Hours(36));
  EXPECT_TRUE(std::holds_alternative<absl::Time>(*ParseDeadline("2026-12-01")));
  EXPECT_FALSE(ParseDeadline("2026-99-01").ok());
}

TEST(DurationTextTest, ChoosesTheUnit) {
  EXPECT_EQ(DurationText(absl::Milliseconds(8.32)), "8.32 ms");
  EXPECT_EQ(DurationText(absl::Seconds(45)), "45 s");
  EXPECT_EQ(DurationText(absl::Seconds(119)), "119 s");
  EXPECT_EQ(DurationText(absl::Minutes(12.5)), "12.5 min");
  EXPECT_EQ(DurationText(absl::Hours(5)), "5 h");
  EXPECT_EQ(DurationText(absl::Hours(24 * 20.8)), "20.8 days");
  EXPECT_EQ(DurationText(absl::Hours(24 * 365.25 * 1500)), "1500 years");
  EXPECT_EQ(DurationText(absl::ZeroDuration()), "0 s");
}

TEST(FormatTimeTest, IsUtc) { EXPECT_EQ(TimeText(absl::FromUnixSeconds(1767225600)), "2026-01-01 00:00 UTC"); }

}  // namespace
}  // namespace planner::plannerctl
