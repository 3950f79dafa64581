#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "clients/plannerctl/table.h"
#include "planner/v1/cluster.pb.h"
#include "planner/v1/reservation.pb.h"

namespace planner::plannerctl {

/// Who holds what of a cluster, and when: its reservations, the jobs that the planner has not placed, the nodes that cannot be used and
/// the maintenance windows.
struct CalendarEntry {
  enum class Kind { kFirm, kHeld, kInUse, kNotReady, kMaintenance };
  Kind kind = Kind::kFirm;
  std::string pool;   ///< "all" for a window of every pool.
  std::string gpus;   ///< "64"; empty for maintenance of all nodes.
  std::string nodes;  ///< "gpu[001-008]", "3 nodes" where nobody says which, "all".
  std::string who;    ///< The plan, and the description; the reason.
  std::string
      state;  ///< "held until 2026-12-01 08:00 UTC", "firm, no longer holds", "in use", "down", "drained", "maintenance".
  absl::Time start;
  absl::Time end;        ///< Infinite: nobody knows.
  std::string conflict;  ///< Why it cannot be kept.
};

/// By pool, then start. What has ended by `now` is left out, and an occupation by a plan whose reservation stands for it.
std::vector<CalendarEntry> EntriesOf(const v1::Cluster& cluster, const std::vector<v1::Reservation>& reservations,
                                     absl::Time now);

/// A table with a line of time for each entry, from now to the last end that is known: █ firm, ▒ held, ▓ in use, x down or drained,
/// ~ maintenance. What cannot be kept comes below it, with why.
void PrintCalendar(const std::string& cluster, const std::vector<CalendarEntry>& entries, absl::Time now,
                   const TableStyle& style, std::ostream& out);

/// The same as an HTML page.
std::string CalendarPage(const std::string& cluster, const std::vector<CalendarEntry>& entries, absl::Time now);

}  // namespace planner::plannerctl
