#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "planner/v1/cluster_service.pb.h"
#include "planner/v1/plan_service.pb.h"
#include "services/bookings/bookings.h"
#include "services/server/id_source.h"

namespace planner::server {

// What is written of reservations. The record of one is named "main/ID", and that of a plan's has the plan's id. Only what is in
// force has a record; a plan keeps a copy of its own.

/// "main/20260101-000000-4f3a9c01" of a reservation that is stored.
std::string RecordName(const v1::Reservation& reservation);

/// Writes a reservation with its name; `id` is new. OK, or the store's error.
absl::StatusOr<v1::Reservation> StoreReservation(const std::string& cluster, const std::string& id,
                                                 v1::Reservation reservation, std::string_view request_id,
                                                 bookings::Ledgers& ledgers);

/// Gives back what a plan still holds, and marks its copy as released; what has expired or ended is released already. The plan is the caller's
/// to write.
absl::Status ReleaseHeld(v1::Plan& plan, bookings::Ledgers& ledgers);

/// The reservations, by id, whose mark is not what it should be as the cluster is at `now`, with the right one. `gone`: there is no
/// cluster any more.
std::vector<std::pair<std::string, v1::Reservation>> ChangedConflicts(const bookings::ClusterCalendar& calendar,
                                                                      bool gone, absl::Time now);

/// Marks the cluster's reservations that cannot be kept as it is now, and takes the marks off that do not hold any more; with
/// their plans. What was changed, by id.
absl::StatusOr<std::vector<std::pair<std::string, v1::Reservation>>> MarkConflicts(const std::string& cluster,
                                                                                   bool gone,
                                                                                   bookings::Ledgers& ledgers);

/// ClusterService's reservations. Thread-safe.
class Reservations {
 public:
  /// All must outlive it.
  Reservations(bookings::Bookings& bookings, const base::Clock& clock, IdSource& ids)
      : bookings_(bookings), clock_(clock), ids_(ids) {}

  absl::StatusOr<v1::Reservation> Create(const v1::CreateReservationRequest& request);
  absl::StatusOr<v1::Reservation> Get(const v1::GetReservationRequest& request);
  absl::StatusOr<v1::ListReservationsResponse> List(const v1::ListReservationsRequest& request);
  absl::Status Delete(const v1::DeleteReservationRequest& request);

 private:
  bookings::Bookings& bookings_;
  const base::Clock& clock_;
  IdSource& ids_;
};

}  // namespace planner::server
