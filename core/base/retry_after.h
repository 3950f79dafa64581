#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace planner::base {

/// The same error, of which it is known that it may be over after so long: what WithReason and its like make of it does not know it any more.
/// `services/errors` turns it into google.rpc.RetryInfo. OK stays OK.
absl::Status WithRetryAfter(absl::Status status, absl::Duration after);

/// What WithRetryAfter has attached; zero: nothing.
absl::Duration RetryAfterOf(const absl::Status& status);

}  // namespace planner::base
