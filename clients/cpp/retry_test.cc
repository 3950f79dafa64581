#include "clients/cpp/retry.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/retry_after.h"

namespace planner::cpp {
namespace {

const absl::Status kGone = absl::UnavailableError("gone");
const absl::Time kNow = absl::UnixEpoch();

/// The waits until it gives up, in milliseconds.
std::vector<double> Waits(Retry retry, const absl::Status& status) {
  std::vector<double> waits;
  absl::Time now = kNow;
  while (const auto wait = retry.After(status, now)) {
    waits.push_back(absl::ToDoubleMilliseconds(*wait));
    now += *wait;
  }
  return waits;
}

Retry Make(const RetryOptions& options, size_t addresses, double random, absl::Duration within = absl::Hours(1)) {
  return Retry(options, addresses, kNow + within, [random] { return random; });
}

TEST(RetryTest, WaitsGrowToTheLongest) {
  EXPECT_EQ(Waits(Make({.most_rounds = 9}, 1, 1), kGone), (std::vector<double>{100, 200, 400, 800, 1600, 3200, 5000, 5000}));
}

TEST(RetryTest, ChanceTakesUpToHalfAway) {
  EXPECT_EQ(Waits(Make({.most_rounds = 3}, 1, 0), kGone), (std::vector<double>{50, 100}));
  EXPECT_EQ(Waits(Make({.most_rounds = 3}, 1, 0.5), kGone), (std::vector<double>{75, 150}));
}

TEST(RetryTest, EveryAddressIsTriedBeforeTheFirstWait) {
  EXPECT_EQ(Waits(Make({.most_rounds = 2}, 3, 1), kGone), (std::vector<double>{0, 0, 100, 0, 0}));
}

TEST(RetryTest, NoShorterThanTheServerAsks) {
  const absl::Status full = base::WithRetryAfter(absl::ResourceExhaustedError("full"), absl::Milliseconds(300));
  EXPECT_EQ(Waits(Make({.most_rounds = 5}, 1, 0), full), (std::vector<double>{300, 300, 300, 400}));
  EXPECT_EQ(Waits(Make({.most_rounds = 2}, 1, 1), full), (std::vector<double>{450}));
}

TEST(RetryTest, NotBeyondTheDeadline) {
  EXPECT_EQ(Waits(Make({.most_rounds = 9}, 1, 1, absl::Milliseconds(301)), kGone), (std::vector<double>{100, 200}));
  EXPECT_TRUE(Waits(Make({}, 1, 1, absl::Milliseconds(100)), kGone).empty());
}

TEST(RetryTest, OnlyWhatMayPass) {
  EXPECT_TRUE(Waits(Make({}, 2, 1), absl::OkStatus()).empty());
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "no");
    EXPECT_EQ(Waits(Make({}, 1, 1), status).empty(), !absl::IsUnavailable(status) && !absl::IsResourceExhausted(status)) << status;
  }
  EXPECT_TRUE(Waits(Make({.most_rounds = 1}, 1, 1), kGone).empty());
}

}  // namespace
}  // namespace planner::cpp
