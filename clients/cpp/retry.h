#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace planner::cpp {

/// How often a call is tried, and how long it waits in between.
struct RetryOptions {
  int most_rounds = 4;  ///< All addresses are tried in a round. 1: no waiting.
  absl::Duration first_wait = absl::Milliseconds(100);
  absl::Duration longest_wait = absl::Seconds(5);
  double growth = 2;  ///< Of the wait, from round to round.
  /// For an address to let itself be connected to, where there are others: one whose machine is gone, or whose process stands still, must not
  /// use up the call's whole time, nor the others' share of a shorter one.
  absl::Duration longest_connect = absl::Seconds(2);
};

/// When one call is tried again. After UNAVAILABLE and RESOURCE_EXHAUSTED the next address is tried at once; when all of them have been
/// tried it waits, at random, between half of the wait of that round and all of it, so that many clients do not come back together; but
/// no shorter than the server asks for (RetryInfo), and up to half as much longer.
class Retry {
 public:
  /// `random` gives 0 to 1. `addresses` is at least 1.
  Retry(const RetryOptions& options, size_t addresses, absl::Time deadline, std::function<double()> random)
      : options_(options), addresses_(addresses), deadline_(deadline), random_(std::move(random)), wait_(options.first_wait) {}

  /// After a try that has ended with `status` at `now`: how long to wait for the next one; nothing: that is the answer.
  std::optional<absl::Duration> After(const absl::Status& status, absl::Time now);

 private:
  const RetryOptions options_;
  const size_t addresses_;
  const absl::Time deadline_;
  const std::function<double()> random_;
  size_t tries_ = 0;
  absl::Duration wait_;
};

}  // namespace planner::cpp
