#include "services/server/plan_watch.h"

#include <utility>

#include "services/convert/time.h"
#include "services/validate/requests.h"

namespace planner::server {

void PlanWatch::Set(absl::StatusOr<v1::Plan> plan, absl::Time now) {
  expire_time_ = absl::InfiniteFuture();
  if (plan.ok()) {
    etag_ = plan->etag();
    const v1::Reservation& held = plan->reservation();
    if (held.state() == v1::Reservation::HELD) expire_time_ = convert::TimeFromProto(held.expire_time());
    // A clock that has moved on meanwhile: the next look shows it.
    if (expire_time_ <= now) expire_time_ = now + absl::Milliseconds(1);
  } else {
    id_.clear();
  }
  {
    base::MutexLock lock(mutex_);
    if (plan.ok()) {
      latest_ = *std::move(plan);
    } else {
      latest_.reset();
      end_ = plan.status();
    }
  }
  Ready();
}

void PlanWatch::Begin(absl::Time now) {
  const absl::StatusOr<std::string> id = validate::PlanId("name", name_);
  if (!id.ok()) return Set(id.status(), now);
  id_ = *id;
  OnTime(now);
}

void PlanWatch::Fail(const absl::Status& status) { Set(status, absl::InfinitePast()); }

void PlanWatch::OnTime(absl::Time now) {
  if (id_.empty()) return;
  v1::GetPlanRequest request;
  request.set_name(id_);
  Set(plans_.Get(request), now);
}

void PlanWatch::OnChanges(const store::Changes& changes, absl::Time now) {
  if (id_.empty()) return;
  const auto gone = [&] { Set(store::NoSuchRecord(store::Kind::kPlan, id_), now); };
  for (const store::KindRecord& one : changes.written) {
    if (one.kind != store::Kind::kPlan || one.record.name != id_) continue;
    if (one.record.etag != etag_) Set(plans_.FromRecord(one.record), now);
    return;
  }
  if (changes.is_all) return gone();
  for (const auto& [kind, name] : changes.deleted) {
    if (kind == store::Kind::kPlan && name == id_) return gone();
  }
}

bool PlanWatch::Take(v1::Plan& message) {
  base::MutexLock lock(mutex_);
  if (!latest_.has_value()) return false;
  message = *std::move(latest_);
  latest_.reset();
  return true;
}

std::optional<absl::Status> PlanWatch::end() {
  base::MutexLock lock(mutex_);
  return end_;
}

}  // namespace planner::server
