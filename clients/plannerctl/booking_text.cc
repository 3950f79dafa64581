#include "clients/plannerctl/booking_text.h"

#include <cctype>

#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_view.h"

namespace planner::plannerctl {

bool IsInForce(const v1::Reservation& reservation) {
  return reservation.state() == v1::Reservation::HELD || reservation.state() == v1::Reservation::FIRM;
}

std::string BookingText(const v1::Reservation& reservation) {
  std::string text = v1::Reservation::State_Name(reservation.state());
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (reservation.state() == v1::Reservation::HELD) text += " until " + TimeText(ToTime(reservation.expire_time()));
  if (IsInForce(reservation) && !reservation.conflict().empty()) text += ", no longer holds";
  return text;
}

}  // namespace planner::plannerctl
