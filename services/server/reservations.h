#pragma once

#include <string>
#include <string_view>

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

/// A stored reservation as it is shown. DATA_LOSS where it cannot be read.
absl::StatusOr<v1::Reservation> ReservationFromRecord(const store::Record& record);
/// The same of a calendar's.
v1::Reservation ReservationOf(const std::string& cluster, const std::string& id, const bookings::Booking& booking);

/// Writes a reservation with its name; `id` is new. OK, or the store's error.
absl::StatusOr<v1::Reservation> StoreReservation(const std::string& cluster, const std::string& id,
                                                 v1::Reservation reservation, std::string_view request_id,
                                                 bookings::Ledgers& ledgers);

/// Gives back what a plan still holds, and marks its copy as released; what has expired or ended is released already. The plan is the caller's
/// to write.
absl::Status ReleaseHeld(v1::Plan& plan, bookings::Ledgers& ledgers);

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
