#include "clients/plannerctl/calendar_view.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <sstream>

namespace planner::plannerctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01T00:00:00Z.

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

std::vector<CalendarEntry> Entries() {
  const auto cluster = Parse<v1::Cluster>(
      "maintenance_windows { description: '<b>firmware' start_time { seconds: 1767254400 } end_time { seconds: "
      "1767258000 } }"
      "maintenance_windows { description: 'past' start_time { seconds: 1 } end_time { seconds: 1767225600 } }");
  return EntriesOf(
      cluster,
      {Parse<v1::Reservation>(
           "name: 'clusters/main/reservations/r1' node_pool: 'h100' gpu_count: 1024 nodes: 'n[1-128]' "
           "state: FIRM start_time { seconds: 1767225600 } end_time { seconds: 1767240000 } "
           "conflict: '1 of its 128 nodes are DOWN'"),
       Parse<v1::Reservation>("name: 'clusters/main/reservations/p' plan: 'plans/p' tenant: 't' node_pool: 'h100' "
                              "gpu_count: 8 nodes: 'n[1]' state: HELD expire_time { seconds: 1767226200 } "
                              "start_time { seconds: 1767240000 } end_time { seconds: 1767283200 }")},
      kNow);
}

TEST(CalendarViewTest, ShowsWhoHoldsWhatAndWhen) {
  ASSERT_THAT(Entries(), SizeIs(3));
  std::ostringstream out;
  PrintCalendar("main", Entries(), kNow, {}, out);
  EXPECT_THAT(out.str(), HasSubstr("Calendar  main: 2026-01-01 00:00 UTC to 2026-01-01 16:00 UTC\n"));
  EXPECT_THAT(out.str(),
              HasSubstr("h100  1,024  n[1-128]  2026-01-01 00:00 UTC  2026-01-01 04:00 UTC  firm, no longer holds  "));
  EXPECT_THAT(out.str(), HasSubstr("████████························  r1\n")) << "a quarter of the time";
  EXPECT_THAT(out.str(), HasSubstr("held until 2026-01-01 00:10 UTC  ········▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒  plans/p (t)\n"));
  EXPECT_THAT(out.str(), HasSubstr("················~~··············  <b>firmware\n"));
  EXPECT_THAT(out.str(), HasSubstr("No longer holds\n  - r1: 1 of its 128 nodes are DOWN\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("past")));
}

TEST(CalendarViewTest, ShowsJobsOfOthersAndNodesThatCannotBeUsed) {
  const auto cluster = Parse<v1::Cluster>(
      "node_pools { name: 'h100' gpus_per_node: 8 "
      "  occupations { nodes: 'n[1-2]' tenant: 't' description: 'job 7' release_time { seconds: 1767232800 } }"
      "  occupations { node_count: 3 gpus_per_node: 2 }"
      "  occupations { nodes: 'n5' plan: 'p' }"
      "  occupations { nodes: 'n6' plan: 'other' }"
      "  occupations { nodes: 'n7' release_time { seconds: 1767225600 } }"
      "  node_conditions { nodes: 'n8' state: DOWN reason: 'fan' }"
      "  node_conditions { node_count: 2 state: DRAINED until_time { seconds: 1767240000 } }"
      "  node_conditions { nodes: 'n9' state: READY } }");
  const std::vector<CalendarEntry> entries =
      EntriesOf(cluster,
                {Parse<v1::Reservation>(
                    "name: 'clusters/main/reservations/p' plan: 'plans/p' node_pool: 'h100' gpu_count: 8 nodes: 'n5' "
                    "state: FIRM start_time { seconds: 1767225600 } end_time { seconds: 1767240000 }")},
                kNow);
  ASSERT_THAT(entries, SizeIs(6)) << "n5's reservation stands for it, n7 is free by now, n9 is READY";
  std::ostringstream out;
  PrintCalendar("main", entries, kNow, {}, out);
  EXPECT_THAT(out.str(), HasSubstr("Calendar  main: 2026-01-01 00:00 UTC to 2026-01-01 04:00 UTC\n"))
      << "what ends nobody knows when is not the end";
  EXPECT_THAT(out.str(), HasSubstr("8 each  n[1-2]   2026-01-01 00:00 UTC  2026-01-01 02:00 UTC  in use   "
                                   "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓················  (t): job 7\n"));
  EXPECT_THAT(
      out.str(),
      HasSubstr(
          "     6  3 nodes  2026-01-01 00:00 UTC  unknown               in use   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓"));
  EXPECT_THAT(out.str(), HasSubstr("8 each  n6       2026-01-01 00:00 UTC  unknown               in use "));
  EXPECT_THAT(out.str(), HasSubstr("plans/other\n"));
  EXPECT_THAT(out.str(), HasSubstr("     -  n8       2026-01-01 00:00 UTC  unknown               down     "
                                   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx  fan\n"));
  EXPECT_THAT(
      out.str(),
      HasSubstr(
          "     -  2 nodes  2026-01-01 00:00 UTC  2026-01-01 04:00 UTC  drained  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
  const std::string page = CalendarPage("main", entries, kNow);
  EXPECT_THAT(page, HasSubstr("margin-left:0.00%;width:50.00%;background:#4f8f5b"));
  EXPECT_THAT(page, HasSubstr("margin-left:0.00%;width:100.00%;background:#6b5b73"));
  EXPECT_THAT(page, HasSubstr("unknown"));
}

TEST(CalendarViewTest, AnEmptyOneSaysSo) {
  std::ostringstream out;
  PrintCalendar("main", {}, kNow, {}, out);
  EXPECT_THAT(out.str(), HasSubstr("nothing is booked"));
  EXPECT_THAT(CalendarPage("main", {}, kNow), HasSubstr("Nothing is booked"));
}

TEST(CalendarViewTest, ThePageEscapesWhatUsersWrote) {
  const std::string page = CalendarPage("main", Entries(), kNow);
  EXPECT_THAT(page, HasSubstr("margin-left:0.00%;width:25.00%;background:#c0504d"));
  EXPECT_THAT(page, HasSubstr("margin-left:25.00%;width:75.00%;background:#d98c3f"));
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;firmware"));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace planner::plannerctl
