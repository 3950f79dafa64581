// Whatever a plugin does costs the call that it did it in: a typed error in time, and the next count works.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "core/base/fake_clock.h"
#include "tests/plugins/faulty_host.h"

namespace planner::plugins_test {
namespace {

using ::testing::HasSubstr;

struct Fault {
  std::string mode;
  std::string reason;
};
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.mode; }

class FaultInCount : public ::testing::TestWithParam<Fault> {};

TEST_P(FaultInCount, IsATypedErrorAndTheNextCountWorks) {
  const auto counter = Faulty(base::Clock::Real());
  const absl::Time start = base::Clock::Real().Now();
  const absl::Status status = CountOf(*counter, GetParam().mode, 0, start + absl::Seconds(30)).status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_EQ(ReasonOf(status), GetParam().reason) << status;
  EXPECT_TRUE(CountOf(*counter, "", 0, start + absl::Seconds(40)).ok());
  EXPECT_LT(base::Clock::Real().Now() - start, absl::Seconds(30));
}

INSTANTIATE_TEST_SUITE_P(All, FaultInCount,
                         ::testing::Values(Fault{"abort", "PLUGIN_CRASHED"}, Fault{"exit", "PLUGIN_CRASHED"},
                                           Fault{"throw", "PLUGIN_THREW"}, Fault{"huge", "PLUGIN_ANSWER_TOO_LARGE"},
                                           Fault{"negative", "PLUGIN_LIES"}, Fault{"macs", "PLUGIN_LIES"},
                                           Fault{"modules", "PLUGIN_LIES"}, Fault{"operators", "PLUGIN_LIES"},
                                           Fault{"empty", "PLUGIN_LIES"}, Fault{"code", "ODD"}),
                         [](const auto& row) { return row.param.mode; });

class FloodInCount : public ::testing::TestWithParam<std::string> {};

TEST_P(FloodInCount, IsDrainedAndTheCountGoesOn) {
  const auto counter = Faulty(base::Clock::Real());
  EXPECT_TRUE(CountOf(*counter, GetParam(), 0, base::Clock::Real().Now() + absl::Seconds(60)).ok());
}
INSTANTIATE_TEST_SUITE_P(All, FloodInCount, ::testing::Values("flood_stdout", "flood_stderr"), [](const auto& row) { return row.param; });

class FaultAtStart : public ::testing::TestWithParam<Fault> {};

TEST_P(FaultAtStart, IsUnavailableAndSaysWhy) {
  const base::FakeClock clock;  // Backoff does not pass: one try, and then it waits.
  const auto counter = Faulty(clock, GetParam().mode, {.start_timeout = absl::Milliseconds(500)});
  const absl::Status status = CountOf(*counter, "").status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().reason));
}
INSTANTIATE_TEST_SUITE_P(All, FaultAtStart,
                         ::testing::Values(Fault{"dies", "exit code 3"}, Fault{"segfaults", "signal 11"}, Fault{"hangs", "within 500ms"},
                                           Fault{"wrong_handshake", "no handshake"}, Fault{"wrong_version", "version 99"},
                                           Fault{"elsewhere", "listens elsewhere"}, Fault{"floods_first", "no handshake"},
                                           Fault{"no_newline", "no handshake"}),
                         [](const auto& row) { return row.param.mode; });

TEST(FaultyPluginTest, AProgramThatIsNotThereIsUnavailable) {
  const base::FakeClock clock;
  const plugin_host::RemoteCounter counter({.name = "none", .program = "/no/such/program"}, {}, clock, nullptr);
  EXPECT_EQ(ReasonOf(CountOf(counter, "").status()), "COUNTER_CANNOT_START");
}

TEST(FaultyPluginTest, AHangEndsAtTheDeadlineAndThePluginSoonAfter) {
  const auto counter = Faulty(base::Clock::Real(), "", {.grace = absl::Milliseconds(200)});
  ASSERT_TRUE(CountOf(*counter, "").ok());
  const pid_t hung = counter->pid();
  const absl::Time start = base::Clock::Real().Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(CountOf(*counter, "hang", 0, start + absl::Milliseconds(300)).status()));
  EXPECT_LT(base::Clock::Real().Now() - start, absl::Seconds(2));
  EXPECT_TRUE(CountOf(*counter, "", 0, start + absl::Seconds(30)).ok());  // Waits for the new one.
  EXPECT_NE(counter->pid(), hung);
  EXPECT_EQ(kill(hung, 0), -1);
}

/// Says so when it has been asked a few times: the count is at work by then.
base::Cancellation AfterAWhile() {
  return [asked = 0]() mutable { return ++asked > 10; };
}

TEST(FaultyPluginTest, AnAbandonedCountFreesThePlugin) {
  const auto counter = Faulty(base::Clock::Real());
  ASSERT_TRUE(CountOf(*counter, "").ok());
  const pid_t pid = counter->pid();
  const absl::Time start = base::Clock::Real().Now();
  const absl::Status status = CountOf(*counter, "wait", 0, start + absl::Seconds(60), AfterAWhile()).status();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_TRUE(CountOf(*counter, "", 0, start + absl::Seconds(60)).ok());
  EXPECT_LT(base::Clock::Real().Now() - start, absl::Seconds(2));
  EXPECT_EQ(counter->pid(), pid);
}

TEST(FaultyPluginTest, AnAbandonedCountOfAPluginThatCannotCancelEndsAtItsDeadline) {
  const auto counter = Faulty(base::Clock::Real(), "stubborn", {.grace = absl::Milliseconds(200)});
  ASSERT_TRUE(CountOf(*counter, "").ok());
  const pid_t hung = counter->pid();
  const absl::Time start = base::Clock::Real().Now();
  const absl::Status status = CountOf(*counter, "hang", 0, start + absl::Seconds(1), AfterAWhile()).status();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_TRUE(CountOf(*counter, "", 0, start + absl::Seconds(30)).ok());  // Waits for the new one.
  EXPECT_NE(counter->pid(), hung);
}

TEST(FaultyPluginTest, AClientThatLeavesAtTheDeadlineDoesNotHideAHang) {
  const auto counter = Faulty(base::Clock::Real(), "", {.grace = absl::Seconds(1)});
  ASSERT_TRUE(CountOf(*counter, "").ok());
  const pid_t hung = counter->pid();
  const absl::Time start = base::Clock::Real().Now();
  const absl::Status status = CountOf(*counter, "hang", 0, start + absl::Milliseconds(800), AfterAWhile()).status();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_TRUE(CountOf(*counter, "", 0, start + absl::Seconds(30)).ok());  // Waits for the new one.
  EXPECT_NE(counter->pid(), hung);
}

TEST(FaultyPluginTest, AModelThatCrashedTwiceIsRefused) {
  base::FakeClock clock;
  const auto counter = Faulty(clock);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ReasonOf(CountOf(*counter, "abort").status()), "PLUGIN_CRASHED");
    clock.Advance(absl::Hours(2));
  }
  const absl::Status refused = CountOf(*counter, "abort").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), "MODEL_CRASHES_COUNTER");
  EXPECT_TRUE(CountOf(*counter, "").ok());
}

TEST(FaultyPluginTest, FiveCrashesWithinAnHourAndItStaysDown) {
  base::FakeClock clock;
  const auto counter = Faulty(clock);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(counter->Info().up);
    EXPECT_EQ(ReasonOf(CountOf(*counter, "abort", i).status()), "PLUGIN_CRASHED");
    clock.Advance(absl::Minutes(1));
  }
  EXPECT_FALSE(counter->Info().up);
  EXPECT_THAT(counter->Info().detail, HasSubstr("signal 6"));
  EXPECT_EQ(ReasonOf(CountOf(*counter, "").status()), "COUNTER_DOWN");
  clock.Advance(absl::Minutes(56));  // The first of them is more than an hour ago.
  EXPECT_TRUE(counter->Info().up);
  EXPECT_TRUE(CountOf(*counter, "").ok());
}

TEST(FaultyPluginTest, MissingMeasuresAreSaidAndCanBeRefused) {
  const auto counter = Faulty(base::Clock::Real());
  EXPECT_TRUE(CountOf(*counter, "").ok());
  EXPECT_EQ(counter->Info().detail, "runs without: everything");
  const plugin_host::RemoteCounter strict({.name = "strict", .program = FAULTY_PLUGIN, .require_all_measures = true}, {},
                                          base::Clock::Real(), nullptr);
  EXPECT_EQ(ReasonOf(CountOf(strict, "").status()), "COUNTER_DOWN");
  EXPECT_FALSE(strict.Info().up);
}

TEST(FaultyPluginTest, ADeafPluginIsKilledAtTheEnd) {
  auto counter = Faulty(base::Clock::Real(), "deaf", {.stop_patience = absl::Milliseconds(100)});
  EXPECT_TRUE(CountOf(*counter, "").ok());
  const pid_t pid = counter->pid();
  counter.reset();
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(FaultyPluginTest, NobodyWaitsForItUntilItIsAsked) {
  const auto counter = Faulty(base::Clock::Real(), "hangs");
  EXPECT_FALSE(counter->Info().known);
  EXPECT_EQ(counter->pid(), -1);
}

}  // namespace
}  // namespace planner::plugins_test
