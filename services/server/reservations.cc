#include "services/server/reservations.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/store/page_token.h"
#include "fmt/format.h"
#include "services/convert/time.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

using bookings::Booking;
using bookings::ClusterCalendar;
using bookings::Ledgers;
using bookings::Micros;
using store::Kind;

constexpr int kReservationsOfAPage = 100;
constexpr std::string_view kClusters = "clusters/";
constexpr std::string_view kReservations = "/reservations/";

std::string NameOf(std::string_view record) {
  const size_t slash = record.find('/');
  return fmt::format("{}{}{}{}", kClusters, record.substr(0, slash), kReservations, record.substr(slash + 1));
}

v1::Reservation Complete(v1::Reservation reservation, const std::string& record_name, const std::string& etag,
                         absl::Time create_time, absl::Time update_time) {
  reservation.set_name(NameOf(record_name));
  reservation.set_etag(etag);
  *reservation.mutable_create_time() = convert::TimeToProto(create_time);
  *reservation.mutable_update_time() = convert::TimeToProto(update_time);
  return reservation;
}

/// What the request asks for. INVALID_ARGUMENT for what lies in the past.
absl::StatusOr<bookings::Wish> WishOf(const v1::Reservation& reservation, absl::Time now) {
  const auto past = [&](std::string_view field, absl::Time time) {
    return base::InvalidField(fmt::format("reservation.{}", field),
                              fmt::format("lies in the past: {} is before now, {}",
                                          absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone()),
                                          absl::FormatTime(absl::RFC3339_sec, now, absl::UTCTimeZone())),
                              "IN_THE_PAST");
  };
  const absl::Time start = reservation.has_start_time() ? convert::TimeFromProto(reservation.start_time()) : now;
  const absl::Time end = convert::TimeFromProto(reservation.end_time());
  if (start < now) return past("start_time", start);
  if (end <= now) return past("end_time", end);
  if (reservation.has_expire_time() && convert::TimeFromProto(reservation.expire_time()) <= now) {
    return past("expire_time", convert::TimeFromProto(reservation.expire_time()));
  }
  bookings::Wish wish;
  wish.pool = reservation.node_pool();
  wish.gpu_count = reservation.gpu_count();
  wish.nodes = reservation.nodes();
  wish.start = cluster::ToMicros(start);
  wish.duration = std::max<Micros>(1, cluster::ToMicros(end) - wish.start);
  wish.tenant = reservation.tenant();
  return wish;
}

/// The reservation that a request makes, without a name.
absl::StatusOr<v1::Reservation> Found(const v1::CreateReservationRequest& request, const ClusterCalendar& calendar,
                                      absl::Time now) {
  ASSIGN_OR_RETURN(const bookings::Wish wish, WishOf(request.reservation(), now));
  absl::StatusOr<v1::Reservation> found = calendar.Find(wish);
  if (!found.ok()) {
    return base::DetailOf(found.status()).field.empty() ? found.status() : base::AtField("reservation", found.status());
  }
  found->set_description(request.reservation().description());
  found->set_state(v1::Reservation::FIRM);
  if (request.reservation().has_expire_time()) {
    found->set_state(v1::Reservation::HELD);
    *found->mutable_expire_time() = request.reservation().expire_time();
  }
  return found;
}

}  // namespace

absl::StatusOr<v1::Reservation> ReservationFromRecord(const store::Record& record) {
  v1::Reservation reservation;
  if (!reservation.ParseFromString(record.value)) {
    return absl::DataLossError(fmt::format("reservation {}: the stored value cannot be read", record.name));
  }
  return Complete(std::move(reservation), record.name, record.etag, record.create_time, record.update_time);
}

v1::Reservation ReservationOf(const std::string& cluster, const std::string& id, const Booking& booking) {
  return Complete(booking.reservation, cluster + "/" + id, booking.etag, booking.create_time, booking.update_time);
}

std::string RecordName(const v1::Reservation& reservation) {
  const std::string_view name = reservation.name();
  const size_t at = name.find(kReservations);
  if (!name.starts_with(kClusters) || at == std::string_view::npos) return "";
  return fmt::format("{}/{}", name.substr(kClusters.size(), at - kClusters.size()),
                     name.substr(at + kReservations.size()));
}

absl::StatusOr<v1::Reservation> StoreReservation(const std::string& cluster, const std::string& id,
                                                 v1::Reservation reservation, std::string_view request_id,
                                                 Ledgers& ledgers) {
  ASSIGN_OR_RETURN(const store::Record record,
                   ledgers.Create(Kind::kReservation, cluster + "/" + id, reservation.SerializeAsString(), request_id));
  return ReservationFromRecord(record);
}

absl::Status ReleaseHeld(v1::Plan& plan, Ledgers& ledgers) {
  if (!plan.has_reservation()) return absl::OkStatus();
  const absl::Status status = ledgers.Delete(Kind::kReservation, RecordName(plan.reservation()), "");
  if (!status.ok()) return absl::IsNotFound(status) ? absl::OkStatus() : status;
  plan.mutable_reservation()->set_state(v1::Reservation::RELEASED);
  plan.mutable_reservation()->clear_expire_time();
  return absl::OkStatus();
}

absl::StatusOr<v1::Reservation> Reservations::Create(const v1::CreateReservationRequest& request) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const std::string cluster, validate::ClusterId("parent", request.parent()));
  v1::Reservation made;
  if (request.validate_only()) {
    const absl::Time now = clock_.Now();
    const absl::Status done = bookings_.Look(now, [&](bookings::Calendars& calendars) -> absl::Status {
      const ClusterCalendar* calendar = calendars.Find(cluster);
      if (calendar == nullptr)
        return base::NotFound("parent", fmt::format("there is no cluster \"{}\"", cluster), "UNKNOWN_CLUSTER");
      ASSIGN_OR_RETURN(made, Found(request, *calendar, now));
      return absl::OkStatus();
    });
    RETURN_IF_ERROR(done);
    return made;
  }
  const absl::Status done = bookings_.Run([&](Ledgers& ledgers) -> absl::Status {
    if (!request.request_id().empty()) {
      const absl::StatusOr<store::Record> earlier = ledgers.GetByRequestId(Kind::kReservation, request.request_id());
      if (earlier.ok()) {
        ASSIGN_OR_RETURN(made, ReservationFromRecord(*earlier));
        return absl::OkStatus();
      }
      if (!absl::IsNotFound(earlier.status())) return earlier.status();
    }
    ASSIGN_OR_RETURN(const ClusterCalendar* calendar, ledgers.Find("parent", cluster));
    ASSIGN_OR_RETURN(v1::Reservation found, Found(request, *calendar, ledgers.now()));
    ASSIGN_OR_RETURN(
        made, StoreReservation(cluster, TimedId(ledgers.now(), ids_), std::move(found), request.request_id(), ledgers));
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(done);
  return made;
}

absl::StatusOr<v1::Reservation> Reservations::Get(const v1::GetReservationRequest& request) {
  ASSIGN_OR_RETURN(const std::string id, validate::ReservationId("name", request.name()));
  v1::Reservation reservation;
  const absl::Status done = bookings_.Look(clock_.Now(), [&](bookings::Calendars& calendars) -> absl::Status {
    const size_t slash = id.find('/');
    const ClusterCalendar* calendar = calendars.Find(id.substr(0, slash));
    const Booking* booking = calendar == nullptr ? nullptr : calendar->Find(id.substr(slash + 1));
    if (booking == nullptr) return store::NoSuchRecord(Kind::kReservation, id);
    reservation = ReservationOf(calendar->id(), id.substr(slash + 1), *booking);
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(done);
  return reservation;
}

absl::StatusOr<v1::ListReservationsResponse> Reservations::List(const v1::ListReservationsRequest& request) {
  ASSIGN_OR_RETURN(const int page_size, validate::PageSize(request.page_size(), kReservationsOfAPage));
  ASSIGN_OR_RETURN(const std::string cluster, validate::ClusterId("parent", request.parent()));
  const std::string scope = "reservation/" + cluster;
  ASSIGN_OR_RETURN(const std::string position, store::DecodePageToken(scope, request.page_token()));
  // "1767225600000000/ID": what came last.
  std::pair<Micros, std::string> after{std::numeric_limits<Micros>::min(), ""};
  if (!position.empty()) {
    const size_t slash = position.find('/');
    if (slash == std::string::npos || !absl::SimpleAtoi(position.substr(0, slash), &after.first)) {
      return base::InvalidField("page_token", "is not a next_page_token of this list");
    }
    after.second = position.substr(slash + 1);
  }
  v1::ListReservationsResponse response;
  const absl::Status done = bookings_.Look(clock_.Now(), [&](bookings::Calendars& calendars) -> absl::Status {
    const ClusterCalendar* calendar = calendars.Find(cluster);
    if (calendar == nullptr)
      return base::NotFound("parent", fmt::format("there is no cluster \"{}\"", cluster), "UNKNOWN_CLUSTER");
    const auto& all = calendar->bookings();
    for (auto at = all.upper_bound(after); at != all.end(); ++at) {
      if (response.reservations_size() == page_size) {
        const auto& last = std::prev(at)->first;
        response.set_next_page_token(store::EncodePageToken(scope, fmt::format("{}/{}", last.first, last.second)));
        break;
      }
      *response.add_reservations() = ReservationOf(cluster, at->first.second, at->second);
    }
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(done);
  return response;
}

absl::Status Reservations::Delete(const v1::DeleteReservationRequest& request) {
  ASSIGN_OR_RETURN(const std::string id, validate::ReservationId("name", request.name()));
  return bookings_.Run([&](Ledgers& ledgers) -> absl::Status {
    ASSIGN_OR_RETURN(const store::Record record, ledgers.Get(Kind::kReservation, id));
    ASSIGN_OR_RETURN(const v1::Reservation reservation, ReservationFromRecord(record));
    if (!request.etag().empty() && request.etag() != record.etag) {
      return store::EtagChanged(Kind::kReservation, id, request.etag(), record.etag);
    }
    if (!reservation.plan().empty()) {
      return base::WithReason(absl::FailedPreconditionError(fmt::format("\"{}\" is held by {}: cancel the plan",
                                                                        reservation.name(), reservation.plan())),
                              "HELD_BY_PLAN");
    }
    return ledgers.Delete(Kind::kReservation, id, request.etag());
  });
}

}  // namespace planner::server
