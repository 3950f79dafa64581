#include "services/server/cluster_mirror.h"

#include <algorithm>
#include <utility>

#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/pool_nodes.h"
#include "services/convert/time.h"
#include "services/server/cluster_watch.h"
#include "services/server/clusters.h"
#include "services/server/reservations.h"

namespace planner::server {
namespace {

/// When it is not in force any more, if nothing else happens.
absl::Time EndOf(const v1::Reservation& reservation) {
  const absl::Time end = convert::TimeFromProto(reservation.end_time());
  return reservation.state() == v1::Reservation::HELD ? std::min(end, convert::TimeFromProto(reservation.expire_time()))
                                                      : end;
}

/// When the status of the cluster's nodes changes next without anyone's doing.
absl::Time NextStatus(const v1::Cluster& cluster, absl::Time now) {
  absl::Time next = absl::InfiniteFuture();
  const auto consider = [&](bool is_known, const google::protobuf::Timestamp& time) {
    if (is_known && convert::TimeFromProto(time) > now) next = std::min(next, convert::TimeFromProto(time));
  };
  for (const v1::NodePool& pool : cluster.node_pools()) {
    for (const v1::NodeCondition& one : pool.node_conditions()) consider(one.has_until_time(), one.until_time());
    for (const v1::Occupation& one : pool.occupations()) consider(one.has_release_time(), one.release_time());
  }
  return next;
}

/// The id in "main/ID" if it is of that cluster; else empty.
std::string IdIn(const std::string& cluster, const std::string& record_name) {
  const size_t slash = record_name.find('/');
  return slash != std::string::npos && record_name.compare(0, slash, cluster) == 0 ? record_name.substr(slash + 1) : "";
}

}  // namespace

std::string ClusterMirror::NameOf(const std::string& id) const {
  return fmt::format("clusters/{}/reservations/{}", cluster_id_, id);
}

std::string ClusterMirror::IdOf(const v1::Reservation& reservation) {
  return reservation.name().substr(reservation.name().rfind('/') + 1);
}

absl::Status ClusterMirror::Load(absl::Time now, store::Store& store, bookings::Bookings& bookings) {
  v1::GetClusterRequest request;
  request.set_name(cluster_id_);
  ASSIGN_OR_RETURN(v1::Cluster cluster, GetCluster(request, now, store));
  News news;
  const absl::Status looked = bookings.Look(now, [&](bookings::Calendars& calendars) {
    base::MutexLock lock(mutex_);
    std::set<std::string> there;
    if (const bookings::ClusterCalendar* calendar = calendars.Find(cluster_id_)) {
      for (const auto& [key, booking] : calendar->bookings()) {
        there.insert(key.second);
        const auto known = reservations_.find(key.second);
        if (known != reservations_.end() && known->second->etag() == booking.etag) continue;
        Put(ReservationOf(cluster_id_, key.second, booking), news);
      }
    }
    KeepOnly(there, news);
    SetCluster(std::move(cluster), now, news);
    SetNextTime();
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(looked);
  is_loaded_ = true;
  Tell(news);
  return absl::OkStatus();
}

void ClusterMirror::KeepOnly(const std::set<std::string>& there, News& news) {
  std::vector<std::string> gone;
  for (const auto& [id, reservation] : reservations_) {
    if (!there.contains(id)) gone.push_back(id);
  }
  for (const std::string& id : gone) Remove(id, news);
}

void ClusterMirror::Put(v1::Reservation reservation, News& news) {
  const std::string id = IdOf(reservation);
  const auto known = reservations_.find(id);
  if (known != reservations_.end()) {
    if (known->second->etag() == reservation.etag()) return;
    ends_.erase({EndOf(*known->second), id});
  }
  ends_.emplace(EndOf(reservation), id);
  reservations_[id] = std::make_shared<const v1::Reservation>(std::move(reservation));
  news.reservations.insert(id);
}

void ClusterMirror::Remove(const std::string& id, News& news) {
  const auto known = reservations_.find(id);
  if (known == reservations_.end()) return;
  ends_.erase({EndOf(*known->second), id});
  reservations_.erase(known);
  news.reservations.insert(id);
}

void ClusterMirror::SetCluster(v1::Cluster cluster, absl::Time now, News& news) {
  next_status_ = NextStatus(cluster, now);
  if (cluster_ != nullptr && cluster_->SerializeAsString() == cluster.SerializeAsString()) return;
  cluster_ = std::make_shared<const v1::Cluster>(std::move(cluster));
  news.cluster = true;
}

void ClusterMirror::SetNextTime() {
  next_time_ = std::min(next_status_, ends_.empty() ? absl::InfiniteFuture() : ends_.begin()->first);
}

void ClusterMirror::Apply(const store::Changes& changes, absl::Time now) {
  if (!is_loaded_ || changes.version == applied_version_) return;
  applied_version_ = changes.version;
  News news;
  {
    base::MutexLock lock(mutex_);
    std::set<std::string> there;  // Where everything is told: what is not among it is gone.
    bool has_cluster = false;
    for (const store::KindRecord& one : changes.written) {
      if (one.kind == store::Kind::kCluster && one.record.name == cluster_id_) {
        has_cluster = true;
        if (auto cluster = ClusterFromRecord(one.record, now); cluster.ok()) SetCluster(*std::move(cluster), now, news);
      }
      if (one.kind != store::Kind::kReservation) continue;
      const std::string id = IdIn(cluster_id_, one.record.name);
      if (id.empty()) continue;
      there.insert(id);
      if (auto reservation = ReservationFromRecord(one.record); reservation.ok()) {
        EndOf(*reservation) <= now ? Remove(id, news) : Put(*std::move(reservation), news);
      }
    }
    if (changes.is_all) KeepOnly(there, news);
    const auto is_deleted = [&](const auto& one) {
      return one.first == store::Kind::kCluster && one.second == cluster_id_;
    };
    if (std::any_of(changes.deleted.begin(), changes.deleted.end(), is_deleted) || (changes.is_all && !has_cluster)) {
      cluster_ = nullptr;
      next_status_ = absl::InfiniteFuture();
      news.cluster = true;
    }
    for (const auto& [kind, name] : changes.deleted) {
      if (kind == store::Kind::kReservation) Remove(IdIn(cluster_id_, name), news);
    }
    SetNextTime();
  }
  Tell(news);
}

void ClusterMirror::Advance(absl::Time now) {
  News news;
  {
    base::MutexLock lock(mutex_);
    while (!ends_.empty() && ends_.begin()->first <= now) Remove(std::string(ends_.begin()->second), news);
    if (cluster_ != nullptr && next_status_ <= now) {
      v1::Cluster cluster = *cluster_;
      for (v1::NodePool& pool : *cluster.mutable_node_pools()) pool.clear_status();
      convert::SetStatus(now, cluster);
      SetCluster(std::move(cluster), now, news);
    }
    SetNextTime();
  }
  Tell(news);
}

void ClusterMirror::Tell(const News& news) {
  if (!news.cluster && news.reservations.empty()) return;
  std::vector<std::shared_ptr<ClusterWatch>> watches;
  {
    base::MutexLock lock(mutex_);
    for (const auto& [key, weak] : watches_) {
      if (auto watch = weak.lock()) watches.push_back(std::move(watch));
    }
  }
  for (const auto& watch : watches) watch->Changed(news.cluster, news.reservations);
}

void ClusterMirror::Attach(const std::shared_ptr<ClusterWatch>& watch) {
  base::MutexLock lock(mutex_);
  watches_[watch.get()] = watch;
}

void ClusterMirror::Detach(const ClusterWatch* watch) {
  base::MutexLock lock(mutex_);
  watches_.erase(watch);
}

std::shared_ptr<const v1::Cluster> ClusterMirror::cluster() {
  base::MutexLock lock(mutex_);
  return cluster_;
}

ClusterMirror::Reservation ClusterMirror::After(const std::string& id) {
  base::MutexLock lock(mutex_);
  const auto next = reservations_.upper_bound(id);
  return next == reservations_.end() ? nullptr : next->second;
}

ClusterMirror::Reservation ClusterMirror::Find(const std::string& id) {
  base::MutexLock lock(mutex_);
  const auto found = reservations_.find(id);
  return found == reservations_.end() ? nullptr : found->second;
}

}  // namespace planner::server
