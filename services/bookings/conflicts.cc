#include "services/bookings/conflicts.h"

#include <map>

#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/plan_service.pb.h"

namespace planner::bookings {
namespace {

using store::Kind;

/// The copy that a plan keeps, after a change.
absl::Status UpdatePlan(const v1::Reservation& reservation, Ledgers& ledgers) {
  constexpr std::string_view kPlans = "plans/";
  if (!reservation.plan().starts_with(kPlans)) return absl::OkStatus();
  const std::string id = reservation.plan().substr(kPlans.size());
  const absl::StatusOr<store::Record> record = ledgers.Get(Kind::kPlan, id);
  if (absl::IsNotFound(record.status())) return absl::OkStatus();
  RETURN_IF_ERROR(record.status());
  v1::Plan plan;
  if (!plan.ParseFromString(record->value)) {
    return absl::DataLossError(fmt::format("plans/{}: the stored value cannot be read", id));
  }
  plan.mutable_reservation()->set_conflict(reservation.conflict());
  return ledgers.Update(Kind::kPlan, id, "", plan.SerializeAsString()).status();
}

absl::Status Write(const std::string& cluster, const Marked& changed, Ledgers& ledgers) {
  for (const auto& [id, reservation] : changed) {
    RETURN_IF_ERROR(
        ledgers.Update(Kind::kReservation, cluster + "/" + id, "", reservation.SerializeAsString()).status());
    RETURN_IF_ERROR(UpdatePlan(reservation, ledgers));
  }
  return absl::OkStatus();
}

/// What the nodes say comes first, then the quotas.
std::string ConflictOf(const ClusterCalendar& calendar, const std::string& id, const v1::Reservation& reservation,
                       const std::map<std::string, std::string>& over_quota, Micros now) {
  std::string conflict = calendar.ConflictOf(reservation, now);
  if (!conflict.empty()) return conflict;
  const auto over = over_quota.find(id);
  return over == over_quota.end() ? "" : over->second;
}

}  // namespace

Marked ChangedConflicts(const ClusterCalendar& calendar, bool gone, absl::Time now) {
  const Micros moment = cluster::ToMicros(now);
  const std::map<std::string, std::string> over_quota =
      gone ? std::map<std::string, std::string>() : calendar.OverQuota(moment);
  Marked changed;
  for (const auto& [key, booking] : calendar.bookings()) {
    std::string conflict =
        gone ? "the cluster was deleted" : ConflictOf(calendar, key.second, booking.reservation, over_quota, moment);
    if (conflict == booking.reservation.conflict()) continue;
    changed.emplace_back(key.second, booking.reservation).second.set_conflict(std::move(conflict));
  }
  return changed;
}

absl::StatusOr<Marked> MarkConflicts(const std::string& cluster, bool gone, Ledgers& ledgers) {
  const ClusterCalendar* calendar = ledgers.calendars().Find(cluster);
  if (calendar == nullptr) return Marked();
  // First all, then the writes, which change what is walked over.
  Marked changed = ChangedConflicts(*calendar, gone, ledgers.now());
  RETURN_IF_ERROR(Write(cluster, changed, ledgers));
  return changed;
}

absl::Status RefreshConflicts(Ledgers& ledgers) {
  const Micros now = cluster::ToMicros(ledgers.now());
  for (const std::string& cluster : ledgers.calendars().TakeFreed()) {
    const ClusterCalendar* calendar = ledgers.calendars().Find(cluster);
    if (calendar == nullptr || calendar->conflicting().empty()) continue;
    const std::map<std::string, std::string> over_quota = calendar->OverQuota(now);
    Marked changed;
    for (const std::string& id : calendar->conflicting()) {
      const v1::Reservation& reservation = calendar->Find(id)->reservation;
      std::string conflict = ConflictOf(*calendar, id, reservation, over_quota, now);
      if (conflict != reservation.conflict())
        changed.emplace_back(id, reservation).second.set_conflict(std::move(conflict));
    }
    RETURN_IF_ERROR(Write(cluster, changed, ledgers));
  }
  return absl::OkStatus();
}

}  // namespace planner::bookings
