#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::plannerctl {

/// A length of time: units ("30d", "36h", "90m", "1d12h", "1.5 days", "45s", "500ms", "2w") or Slurm's clock
/// ("1-12", "1-12:00:00", "36:00:00", "90:00" for minutes and seconds). A number without a unit is
/// refused: Slurm would read minutes, most people mean something else. Range: up to 1,000 years.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);

/// An instant: RFC 3339 ("2026-12-01T08:00:00Z"), the same without a zone (UTC), or a date alone,
/// which is its first moment, in UTC.
absl::StatusOr<absl::Time> ParseTime(std::string_view text);

/// What `--deadline` takes: a length of time from the start of training, or an instant.
using Deadline = std::variant<absl::Duration, absl::Time>;
absl::StatusOr<Deadline> ParseDeadline(std::string_view text);

/// Three significant digits in the unit that suits: "8.32 ms", "45 s", "12.5 min", "20.8 days",
/// "3.4 years" (365.25 days) from two years on.
std::string DurationText(absl::Duration duration);

/// "2026-12-01 08:00 UTC".
std::string TimeText(absl::Time time);

/// As the API writes them.
void SetDuration(absl::Duration duration, google::protobuf::Duration& proto);
void SetTime(absl::Time time, google::protobuf::Timestamp& proto);

}  // namespace planner::plannerctl
