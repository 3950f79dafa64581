#include "services/server/cluster_watch.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/validate/requests.h"

namespace planner::server {

absl::StatusOr<std::shared_ptr<ClusterMirror>> ClusterMirrors::Loaded(const std::string& cluster, absl::Time now) {
  std::shared_ptr<ClusterMirror> mirror;
  {
    base::MutexLock lock(mutex_);
    for (auto at = mirrors_.begin(); at != mirrors_.end();)
      at = at->second.expired() ? mirrors_.erase(at) : std::next(at);
    std::weak_ptr<ClusterMirror>& known = mirrors_[cluster];
    mirror = known.lock();
    if (mirror == nullptr || mirror->cluster() == nullptr) known = mirror = std::make_shared<ClusterMirror>(cluster);
  }
  RETURN_IF_ERROR(mirror->Load(now, store_, bookings_));
  return mirror;
}

ClusterWatch::~ClusterWatch() {
  if (mirror_ != nullptr) mirror_->Detach(this);
}

void ClusterWatch::End(const absl::Status& status) {
  {
    base::MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = status;
  }
  Ready();
}

void ClusterWatch::Begin(absl::Time now) {
  const absl::StatusOr<std::string> id = validate::ClusterId("name", name_);
  if (!id.ok()) return End(id.status());
  absl::StatusOr<std::shared_ptr<ClusterMirror>> mirror = mirrors_.Loaded(*id, now);
  if (!mirror.ok()) return End(mirror.status());
  {
    base::MutexLock lock(mutex_);
    mirror_ = *mirror;
    is_begun_ = true;
  }
  (*mirror)->Attach(shared_from_this());
  Ready();
}

void ClusterWatch::Fail(const absl::Status& status) { End(status); }

void ClusterWatch::OnChanges(const store::Changes& changes, absl::Time now) {
  if (mirror_ != nullptr) mirror_->Apply(changes, now);
}

absl::Time ClusterWatch::NextTime() const { return mirror_ == nullptr ? absl::InfiniteFuture() : mirror_->NextTime(); }

void ClusterWatch::OnTime(absl::Time now) { mirror_->Advance(now); }

void ClusterWatch::Changed(bool cluster, const std::set<std::string>& reservations) {
  const bool is_gone = cluster && mirror_->cluster() == nullptr;
  {
    base::MutexLock lock(mutex_);
    cluster_is_new_ = cluster_is_new_ || cluster;
    for (const std::string& id : reservations) {
      // What comes later in the first view is seen there as it is then.
      if (is_synchronized_ || id <= sent_up_to_) changed_.insert(id);
    }
    if (is_gone && !end_.has_value()) {
      end_ = store::NoSuchRecord(store::Kind::kCluster, name_.substr(name_.rfind('/') + 1));
      changed_.clear();
    }
    if (changed_.size() > most_behind_ && !end_.has_value()) {
      end_ = base::WithReason(absl::ResourceExhaustedError(fmt::format(
                                  "the changes are read too slowly: more than {} wait; watch again", most_behind_)),
                              "SLOW_READER");
      changed_.clear();
    }
  }
  Ready();
}

bool ClusterWatch::Take(v1::WatchClusterResponse& message) {
  base::MutexLock lock(mutex_);
  if (!is_begun_ || end_.has_value()) return false;
  if (cluster_is_new_) {
    cluster_is_new_ = false;
    const std::shared_ptr<const v1::Cluster> cluster = mirror_->cluster();
    if (cluster == nullptr) return false;  // The end comes.
    *message.mutable_cluster() = *cluster;
    return true;
  }
  if (!is_synchronized_) {
    if (const ClusterMirror::Reservation next = mirror_->After(sent_up_to_)) {
      sent_up_to_ = ClusterMirror::IdOf(*next);
      *message.mutable_reservation() = *next;
    } else {
      is_synchronized_ = true;
      message.set_synchronized(true);
    }
    return true;
  }
  if (changed_.empty()) return false;
  const std::string id = *changed_.begin();
  changed_.erase(changed_.begin());
  if (const ClusterMirror::Reservation reservation = mirror_->Find(id)) {
    *message.mutable_reservation() = *reservation;
  } else {
    message.set_deleted_reservation(mirror_->NameOf(id));
  }
  return true;
}

std::optional<absl::Status> ClusterWatch::end() {
  base::MutexLock lock(mutex_);
  return end_;
}

}  // namespace planner::server
