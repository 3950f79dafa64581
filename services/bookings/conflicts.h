#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "planner/v1/reservation.pb.h"
#include "services/bookings/bookings.h"

namespace planner::bookings {

// Reservations that cannot be kept are marked with why (`conflict`), and so are their plans.

/// Reservations by id.
using Marked = std::vector<std::pair<std::string, v1::Reservation>>;

/// Those whose mark is not what it should be as the cluster is at `now`, with the right one. `gone`: there is no cluster any more.
Marked ChangedConflicts(const ClusterCalendar& calendar, bool gone, absl::Time now);

/// Marks the cluster's reservations that cannot be kept as it is now, and takes the marks off that do not hold any more. For every change
/// of a cluster. What was changed.
absl::StatusOr<Marked> MarkConflicts(const std::string& cluster, bool gone, Ledgers& ledgers);

/// Takes marks off, or changes their text, where reservations have gone since the last time: one of two that shared a node, say. Costs
/// nothing where nothing that is left is marked. Bookings does it with every transaction.
absl::Status RefreshConflicts(Ledgers& ledgers);

}  // namespace planner::bookings
