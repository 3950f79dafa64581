#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "planner/v1/cluster_service.pb.h"
#include "services/bookings/bookings.h"
#include "services/server/cluster_mirror.h"
#include "services/server/watch.h"

namespace planner::server {

/// The mirrors of the clusters that are watched. Thread-safe.
class ClusterMirrors {
 public:
  /// Both must outlive it.
  ClusterMirrors(store::Store& store, bookings::Bookings& bookings) : store_(store), bookings_(bookings) {}

  /// With everything that there is. On the feed's thread.
  absl::StatusOr<std::shared_ptr<ClusterMirror>> Loaded(const std::string& cluster, absl::Time now);

 private:
  store::Store& store_;
  bookings::Bookings& bookings_;
  base::Mutex mutex_;
  std::map<std::string, std::weak_ptr<ClusterMirror>> mirrors_ ABSL_GUARDED_BY(mutex_);
};

/// A cluster and all that is booked on it, then every change. What its client has not been told yet is kept by name: what changes twice
/// is told once, as it is then.
class ClusterWatch final : public Watch<v1::WatchClusterResponse>, public std::enable_shared_from_this<ClusterWatch> {
 public:
  /// Names that a slow client may be behind by; with more its watch ends (RESOURCE_EXHAUSTED, reason SLOW_READER).
  static constexpr size_t kMostBehind = 100'000;

  /// `name` is the client's; what is wrong with it ends the watch. `mirrors` must outlive it.
  ClusterWatch(std::string name, ClusterMirrors& mirrors, size_t most_behind = kMostBehind)
      : name_(std::move(name)), mirrors_(mirrors), most_behind_(most_behind) {}
  ~ClusterWatch() override;

  void Begin(absl::Time now) override;
  void Fail(const absl::Status& status) override;
  void OnChanges(const store::Changes& changes, absl::Time now) override;
  absl::Time NextTime() const override;
  void OnTime(absl::Time now) override;

  bool Take(v1::WatchClusterResponse& message) override;
  std::optional<absl::Status> end() override;

  /// By the mirror.
  void Changed(bool cluster, const std::set<std::string>& reservations);

 private:
  void End(const absl::Status& status);

  const std::string name_;
  ClusterMirrors& mirrors_;
  const size_t most_behind_;

  base::Mutex mutex_;
  std::shared_ptr<ClusterMirror> mirror_;  ///< Set by Begin, before anyone takes anything.
  bool is_begun_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_synchronized_ ABSL_GUARDED_BY(mutex_) = false;
  std::string sent_up_to_ ABSL_GUARDED_BY(mutex_);  ///< Until it is synchronized: the id that was sent last.
  bool cluster_is_new_ ABSL_GUARDED_BY(mutex_) = true;
  std::set<std::string> changed_ ABSL_GUARDED_BY(mutex_);  ///< Reservations that were sent before, or are new.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::server
