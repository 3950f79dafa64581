#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "core/base/fake_clock.h"
#include "tests/plugins/faulty_host.h"

namespace planner::plugins_test {
namespace {

int64_t Entries(const std::filesystem::path& folder, const std::string& prefix = "") {
  return std::count_if(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator(),
                       [&](const auto& entry) { return entry.path().filename().string().starts_with(prefix); });
}

TEST(ManyCrashesTest, AThousandLeaveNothingBehind) {
  constexpr int kCrashes = 1000;
  base::FakeClock clock;
  const std::filesystem::path scratch = std::filesystem::temp_directory_path() / ("planner-crashes-" + std::to_string(getpid()));
  std::filesystem::create_directory(scratch);
  setenv("TMPDIR", scratch.c_str(), 1);
  auto counter = Faulty(clock);
  ASSERT_TRUE(CountOf(*counter, "").ok());
  int64_t descriptors = 0;
  for (int i = 0; i < kCrashes; ++i) {
    ASSERT_EQ(ReasonOf(CountOf(*counter, "abort", i).status()), "PLUGIN_CRASHED") << i;
    clock.Advance(absl::Hours(2));  // Each one is the first of its hour.
    if (i == 10) {
      ASSERT_TRUE(CountOf(*counter, "").ok());
      descriptors = Entries("/proc/self/fd");
    }
  }
  ASSERT_TRUE(CountOf(*counter, "").ok());
  EXPECT_EQ(counter->start_count(), kCrashes + 1);
  EXPECT_LE(Entries("/proc/self/fd"), descriptors + 2);  // gRPC's own come and go; a leak would be hundreds.
  EXPECT_EQ(Entries(scratch), 1);                        // The socket folder of the one that runs.
  const pid_t last = counter->pid();
  counter.reset();
  EXPECT_EQ(Entries(scratch), 0);
  EXPECT_EQ(kill(last, 0), -1);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // No child at all, so no zombie.
  EXPECT_EQ(errno, ECHILD);
  std::filesystem::remove(scratch);
  unsetenv("TMPDIR");
}

TEST(ManyCrashesTest, IsUpAgainWithinTwoSecondsOfACrash) {
  const auto counter = Faulty(base::Clock::Real());
  ASSERT_TRUE(CountOf(*counter, "").ok());
  ASSERT_EQ(kill(counter->pid(), SIGKILL), 0);
  const absl::Time killed = base::Clock::Real().Now();
  absl::StatusOr<counting::CostReport> report = CountOf(*counter, "");
  if (!report.ok()) report = CountOf(*counter, "");  // The first may have met its end.
  EXPECT_TRUE(report.ok()) << report.status();
  EXPECT_LT(base::Clock::Real().Now() - killed, absl::Seconds(2));
  EXPECT_EQ(counter->start_count(), 2);
}

}  // namespace
}  // namespace planner::plugins_test
