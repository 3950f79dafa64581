#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/calibration/calibration.h"
#include "core/cluster/snapshot.h"
#include "core/counting/counter.h"
#include "core/planning/job.h"
#include "core/planning/plan.h"

namespace planner::planning {

/// Answers a job: counts it, finds the layouts that fit the memory of every pool of the snapshot,
/// their time and cost, and sorts them by the goal. Deterministic: same job, same snapshot, same
/// calibration, same plan. Safe for concurrent use.
class Planner {
 public:
  /// `counter` is borrowed and must outlive the planner.
  explicit Planner(const counting::Counter& counter) : counter_(counter) {}

  /// INVALID_ARGUMENT with the request's field for what cannot be planned at all (a degree that no
  /// layout of the model has is not: that is an infeasible plan). OUT_OF_RANGE for counts over 64
  /// bits. DEADLINE_EXCEEDED; CANCELLED, by a counter that takes long, once `cancelled` says so.
  /// `learned`: what measured runs say of predicted times, at the snapshot's moment; null: nothing. A given
  /// utilization is not corrected.
  absl::StatusOr<Plan> MakePlan(const JobSpec& job, const cluster::Snapshot& snapshot,
                                absl::Time deadline = absl::InfiniteFuture(), const base::Cancellation& cancelled = {},
                                const calibration::Calibration* learned = nullptr) const;

 private:
  const counting::Counter& counter_;
};

}  // namespace planner::planning
