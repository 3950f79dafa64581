#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "planner/v1/plan_service.pb.h"
#include "services/server/plans.h"
#include "services/server/watch.h"

namespace planner::server {

/// A plan as it is, then as it is after each change; a hold that expires is one. It keeps a plan only until the client takes it.
class PlanWatch final : public Watch<v1::Plan> {
 public:
  /// `name` is the client's; what is wrong with it ends the watch. `plans` must outlive it.
  PlanWatch(std::string name, Plans& plans) : name_(std::move(name)), plans_(plans) {}

  void Begin(absl::Time now) override;
  void Fail(const absl::Status& status) override;
  void OnChanges(const store::Changes& changes, absl::Time now) override;
  absl::Time NextTime() const override { return expire_time_; }
  void OnTime(absl::Time now) override;

  bool Take(v1::Plan& message) override;
  std::optional<absl::Status> end() override;

 private:
  /// What there is to tell from now on.
  void Set(absl::StatusOr<v1::Plan> plan, absl::Time now);

  const std::string name_;
  Plans& plans_;

  // Of the feed's thread.
  std::string id_;  ///< Empty: not begun, or ended.
  std::string etag_;
  absl::Time expire_time_ = absl::InfiniteFuture();  ///< When what it holds expires.

  base::Mutex mutex_;
  std::optional<v1::Plan> latest_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::server
