#include "services/telemetry/log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "core/base/fake_clock.h"

namespace planner::telemetry {
namespace {

TEST(LogfmtTest, QuotesOnlyWhereItMust) {
  EXPECT_EQ(Logfmt({{"event", "listening"}, {"address", "127.0.0.1:7070"}}), "event=listening address=127.0.0.1:7070");
  EXPECT_EQ(Logfmt({{"a", ""}, {"b", "x y"}, {"c", "k=v"}}), R"(a="" b="x y" c="k=v")");
}

TEST(LogfmtTest, NoValueCanStartALineOrEndItsQuotes) {
  EXPECT_EQ(Logfmt({{"id", "x\nlevel=error"}}), R"(id="x\nlevel=error")");
  EXPECT_EQ(Logfmt({{"id", "a\" b=\"c\\"}}), R"(id="a\" b=\"c\\")");
  EXPECT_EQ(Logfmt({{"id", std::string("\x1b\0\x7f", 3)}}), R"(id="\x1b\x00\x7f")");
}

TEST(LogTest, LinesBeginWithTimeAndLevel) {
  std::ostringstream out;
  const base::FakeClock clock;
  Log log(clock, std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  log.Write(Level::kInfo, {{"event", "draining"}});
  log.Write(Level::kWarning, {{"event", "slow"}});
  log.Write(Level::kError, {{"event", "failed"}});
  EXPECT_EQ(out.str(),
            "ts=2026-01-01T00:00:00.000Z level=info event=draining\n"
            "ts=2026-01-01T00:00:00.000Z level=warning event=slow\n"
            "ts=2026-01-01T00:00:00.000Z level=error event=failed\n");
}

TEST(LogTest, AFormatInAValueIsText) {
  std::ostringstream out;
  const base::FakeClock clock;
  Log log(clock, std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  log.Write(Level::kInfo, {{"id", "{}%s"}});
  EXPECT_EQ(out.str(), "ts=2026-01-01T00:00:00.000Z level=info id={}%s\n");
}

}  // namespace
}  // namespace planner::telemetry
