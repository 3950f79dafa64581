#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/store/store.h"
#include "planner/v1/plan_service.pb.h"
#include "services/bookings/bookings.h"
#include "services/server/estimator.h"
#include "services/server/id_source.h"

namespace planner::server {

/// PlanService's logic: estimates that are kept. Thread-safe.
class Plans {
 public:
  /// All must outlive it.
  Plans(Estimator& estimator, store::Store& store, bookings::Bookings& bookings, const base::Clock& clock,
        IdSource& ids)
      : estimator_(estimator), store_(store), bookings_(bookings), clock_(clock), ids_(ids) {}

  /// The plan is named by time and chance, "plans/20260101-000000-4f3a9c01". With a hold its GPUs are booked in the same write; where
  /// others were faster, it starts later than was estimated, or is estimated anew if that is too late for its deadline.
  absl::StatusOr<v1::Plan> Create(const v1::CreatePlanRequest& request, absl::Time deadline,
                                  const base::Cancellation& cancelled = {});
  absl::StatusOr<v1::Plan> Get(const v1::GetPlanRequest& request);
  absl::StatusOr<v1::ListPlansResponse> List(const v1::ListPlansRequest& request);
  /// Makes firm what it holds; a plan of a cluster that has held nothing books its GPUs in the same write.
  absl::StatusOr<v1::Plan> Confirm(const v1::ConfirmPlanRequest& request);
  absl::StatusOr<v1::Plan> Cancel(const v1::CancelPlanRequest& request);
  absl::Status Delete(const v1::DeletePlanRequest& request);
  /// A stored plan as it is shown now: a hold whose time is over is EXPIRED. DATA_LOSS where it cannot be read.
  absl::StatusOr<v1::Plan> FromRecord(const store::Record& record) const;

 private:
  /// Moves a plan to `to` if `may_leave` says so of its state; `with` does what goes along with it.
  absl::StatusOr<v1::Plan> Move(const std::string& name, const std::string& etag, v1::Plan::State to,
                                bool (*may_leave)(v1::Plan::State),
                                absl::Status (*with)(const std::string& id, v1::Plan& plan,
                                                     bookings::Ledgers& ledgers));
  absl::StatusOr<v1::Plan> Store(const v1::CreatePlanRequest& request, v1::Plan plan);

  Estimator& estimator_;
  store::Store& store_;
  bookings::Bookings& bookings_;
  const base::Clock& clock_;
  IdSource& ids_;
};

}  // namespace planner::server
