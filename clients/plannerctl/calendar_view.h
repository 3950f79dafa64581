#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "clients/plannerctl/table.h"
#include "planner/v1/cluster.pb.h"
#include "planner/v1/reservation.pb.h"

namespace planner::plannerctl {

/// Who holds what of a cluster, and when: its reservations and its maintenance windows.
struct CalendarEntry {
  std::string pool;   ///< "all" for a window of every pool.
  std::string gpus;   ///< "64"; empty for maintenance.
  std::string nodes;  ///< "gpu[001-008]"
  std::string who;    ///< The plan, and the description.
  std::string state;  ///< "held until 2026-12-01 08:00 UTC", "firm, no longer holds", "maintenance".
  absl::Time start;
  absl::Time end;
  bool is_held = false;
  std::string conflict;  ///< Why it cannot be kept.
};

/// By pool, then start. Windows that have ended by `now` are left out.
std::vector<CalendarEntry> EntriesOf(const v1::Cluster& cluster, const std::vector<v1::Reservation>& reservations,
                                     absl::Time now);

/// A table with a line of time for each entry, from now to the last end: █ firm, ▒ held, ~ maintenance. What cannot be kept comes
/// below it, with why.
void PrintCalendar(const std::string& cluster, const std::vector<CalendarEntry>& entries, absl::Time now,
                   const TableStyle& style, std::ostream& out);

/// The same as an HTML page.
std::string CalendarPage(const std::string& cluster, const std::vector<CalendarEntry>& entries, absl::Time now);

}  // namespace planner::plannerctl
