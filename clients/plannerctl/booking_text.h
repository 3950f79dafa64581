#pragma once

#include <string>

#include "planner/v1/reservation.pb.h"

namespace planner::plannerctl {

/// Whether it is held or firm.
bool IsInForce(const v1::Reservation& reservation);

/// How plans, lists and calendars all call what is booked: "held until 2026-12-01 08:00 UTC", "firm", "expired", "released"; what is in
/// force and cannot be kept is "firm, no longer holds".
std::string BookingText(const v1::Reservation& reservation);

}  // namespace planner::plannerctl
