#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace planner::utilization {

/// What a stored summary is of. Its record is named "main/pool/h/2026112607" (an hour, UTC) or "main/pool/d/20261126" (a day), so that
/// those of a pool stand together, by time.
struct Period {
  std::string cluster;
  std::string pool;
  bool is_day = false;
  absl::Time start;  ///< A full hour or day.

  absl::Duration length() const { return absl::Hours(is_day ? 24 : 1); }
  absl::Time end() const { return start + length(); }
};

std::string NameOf(const Period& period);
/// Absent: it is no such name.
std::optional<Period> PeriodOf(const std::string& name);

}  // namespace planner::utilization
