#pragma once

#include "planner/v1/estimate.pb.h"
#include "services/convert/time.h"

namespace planner::convert {

/// What every plan says beside its options: reasons, warnings, and where its numbers come from. `Plan` is planning::Plan or
/// planning::InferencePlan.
template <typename Plan>
void SetReasonsAndProvenance(const Plan& plan, v1::EstimateResponse& response) {
  response.mutable_infeasible_reasons()->Assign(plan.infeasible_reasons.begin(), plan.infeasible_reasons.end());
  response.mutable_warnings()->Assign(plan.warnings.begin(), plan.warnings.end());
  v1::EstimateProvenance& provenance = *response.mutable_provenance();
  provenance.set_counter(plan.counter);
  provenance.set_counter_version(plan.counter_version);
  *provenance.mutable_snapshot_time() = TimeToProto(plan.snapshot_time);
  provenance.mutable_clusters()->Assign(plan.snapshot_sources.begin(), plan.snapshot_sources.end());
}

}  // namespace planner::convert
