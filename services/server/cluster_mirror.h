#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/store/store.h"
#include "planner/v1/cluster_service.pb.h"
#include "services/bookings/bookings.h"

namespace planner::server {

class ClusterWatch;

/// A cluster with its reservations in force as watches show them, once for all watches of the cluster. It is changed by the feed's
/// thread; watches read it from any thread, without blocking.
class ClusterMirror {
 public:
  explicit ClusterMirror(std::string cluster) : cluster_id_(std::move(cluster)) {}

  /// Reads what there is; what is known already is left as it is. NOT_FOUND, or the store's error. On the feed's thread, as Apply and
  /// Advance.
  absl::Status Load(absl::Time now, store::Store& store, bookings::Bookings& bookings);
  /// Each set of changes counts once, however many watches hand it in.
  void Apply(const store::Changes& changes, absl::Time now);
  /// Takes out what has ended or expired by `now`, and sees to what the passing of time does to the cluster's status.
  void Advance(absl::Time now);
  /// When Advance will have something to do.
  absl::Time NextTime() const { return next_time_; }

  /// Of a watch that has begun and wants to be told of what changes from now on.
  void Attach(const std::shared_ptr<ClusterWatch>& watch);
  void Detach(const ClusterWatch* watch);

  using Reservation = std::shared_ptr<const v1::Reservation>;
  /// Null once the cluster is gone.
  std::shared_ptr<const v1::Cluster> cluster();
  /// The first reservation after the id, by id; null: there is none.
  Reservation After(const std::string& id);
  /// Null: it is not in force.
  Reservation Find(const std::string& id);

  /// "clusters/main/reservations/ID".
  std::string NameOf(const std::string& id) const;
  /// "ID" of that.
  static std::string IdOf(const v1::Reservation& reservation);

 private:
  /// What watches have to be told.
  struct News {
    bool cluster = false;
    std::set<std::string> reservations;  ///< By id.
  };

  void Put(v1::Reservation reservation, News& news) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(const std::string& id, News& news) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Takes out all others.
  void KeepOnly(const std::set<std::string>& there, News& news) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetCluster(v1::Cluster cluster, absl::Time now, News& news) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetNextTime() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(const News& news);

  const std::string cluster_id_;

  // Of the feed's thread.
  bool is_loaded_ = false;
  int64_t applied_version_ = -1;
  absl::Time next_time_ = absl::InfiniteFuture();

  base::Mutex mutex_;
  std::shared_ptr<const v1::Cluster> cluster_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_status_ ABSL_GUARDED_BY(mutex_) =
      absl::InfiniteFuture();  ///< When the cluster's status changes by itself.
  std::map<std::string, Reservation> reservations_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<absl::Time, std::string>> ends_ ABSL_GUARDED_BY(mutex_);
  std::map<const ClusterWatch*, std::weak_ptr<ClusterWatch>> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::server
