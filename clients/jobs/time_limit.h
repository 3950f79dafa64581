#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::jobs {

/// A time limit in the notation of Slurm, which policies have for every scheduler: "90" minutes, "90:30", "36:00:00", "7-0", "7-12:30", "7-00:00:00". Rounded up to minutes, as
/// Slurm does. Nothing: "UNLIMITED", "INFINITE", "". INVALID_ARGUMENT for anything else, and for more than 1,000 years, which is what
/// cli_filter shows where no limit was given.
absl::StatusOr<std::optional<int64_t>> ParseTimeLimit(std::string_view text);

/// As Slurm prints it: 95 is "01:35:00", 10,080 "7-00:00:00".
std::string TimeLimitText(int64_t minutes);

/// For people: "45 min", "3.2 hours", "9 days".
std::string SpanText(absl::Duration span);

}  // namespace planner::jobs
