#include <algorithm>

#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/bookings/bookings.h"
#include "services/convert/time.h"

namespace planner::bookings {
namespace {

using store::Kind;

/// "main" and "ID" of "main/ID".
std::pair<std::string, std::string> Split(const std::string& name) {
  const size_t slash = name.find('/');
  return {name.substr(0, slash), name.substr(slash == std::string::npos ? name.size() : slash + 1)};
}

}  // namespace

const std::vector<Kind>& Calendars::Kinds() {
  static const std::vector<Kind> kinds = {Kind::kCluster, Kind::kReservation};
  return kinds;
}

void Calendars::Reset() {
  version_ = 0;
  clusters_.clear();
  orphans_.clear();
  times_.clear();
  events_.clear();
  passed_.clear();
  freed_.clear();
}

absl::Status Calendars::Apply(const store::Changes& changes) {
  if (changes.is_all) Reset();
  for (const auto& [kind, name] : changes.deleted) Remove(kind, name);
  // A cluster is made with the reservations that are there: what is new of both costs less together.
  for (const bool is_cluster : {false, true}) {
    for (const store::KindRecord& one : changes.written) {
      if ((one.kind == Kind::kCluster) == is_cluster) RETURN_IF_ERROR(Put(one.kind, one.record));
    }
  }
  version_ = changes.version;
  return absl::OkStatus();
}

absl::Status Calendars::Put(Kind kind, const store::Record& record) {
  const auto unreadable = [&] {
    return absl::DataLossError(
        fmt::format("{} {}: the stored value cannot be read", store::KindName(kind), record.name));
  };
  if (kind == Kind::kCluster) {
    v1::Cluster cluster;
    if (!cluster.ParseFromString(record.value)) return unreadable();
    if (ClusterCalendar* known = Find(record.name)) {
      if (known->etag() != record.etag) known->Change(std::move(cluster), record.etag);
      known->set_update_time(record.update_time);
      return absl::OkStatus();
    }
    std::map<std::string, Booking> bookings;
    if (auto orphans = orphans_.extract(record.name)) bookings = std::move(orphans.mapped());
    const auto made =
        clusters_.emplace(record.name, ClusterCalendar(record.name, std::move(cluster), record.etag, std::move(bookings), gpus_));
    made.first->second.set_update_time(record.update_time);
    return absl::OkStatus();
  }
  if (kind != Kind::kReservation) return absl::OkStatus();
  Booking booking{{}, record.etag, record.create_time, record.update_time};
  if (!booking.reservation.ParseFromString(record.value)) return unreadable();
  const v1::Reservation& reservation = booking.reservation;
  const Times times{cluster::ToMicros(convert::TimeFromProto(reservation.end_time())),
                    reservation.state() == v1::Reservation::HELD
                        ? cluster::ToMicros(convert::TimeFromProto(reservation.expire_time()))
                        : cluster::kForever};
  Forget(record.name);
  times_[record.name] = times;
  events_.emplace(times.event(), record.name);
  const auto [cluster, id] = Split(record.name);
  if (ClusterCalendar* calendar = Find(cluster)) {
    calendar->Put(id, std::move(booking));
  } else {
    orphans_[cluster][id] = std::move(booking);
  }
  return absl::OkStatus();
}

void Calendars::Remove(Kind kind, const std::string& name) {
  if (kind == Kind::kCluster) {
    const auto found = clusters_.find(name);
    if (found == clusters_.end()) return;
    // Its reservations are kept, in case it comes back.
    for (const auto& [key, booking] : found->second.bookings()) orphans_[name][key.second] = booking;
    clusters_.erase(found);
    return;
  }
  if (kind != Kind::kReservation) return;
  Forget(name);
  const auto [cluster, id] = Split(name);
  if (ClusterCalendar* calendar = Find(cluster)) {
    calendar->Remove(id);
    if (!calendar->conflicting().empty()) freed_.insert(cluster);
  }
  if (const auto orphans = orphans_.find(cluster); orphans != orphans_.end()) orphans->second.erase(id);
}

void Calendars::Forget(const std::string& name) {
  passed_.erase(name);
  const auto found = times_.find(name);
  if (found == times_.end()) return;
  events_.erase({found->second.event(), name});
  times_.erase(found);
}

void Calendars::Advance(Micros now) {
  while (NextEvent() <= now) {
    const std::string name = events_.begin()->second;
    Remove(Kind::kReservation, name);
    passed_.insert(name);
  }
}

Micros Calendars::NextEvent() const { return events_.empty() ? cluster::kForever : events_.begin()->first; }

ClusterCalendar* Calendars::Find(const std::string& cluster) {
  const auto found = clusters_.find(cluster);
  return found == clusters_.end() ? nullptr : &found->second;
}

}  // namespace planner::bookings
