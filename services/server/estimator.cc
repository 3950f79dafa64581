#include "services/server/estimator.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/base/status_macros.h"
#include "services/convert/inference.h"
#include "services/convert/job.h"
#include "services/convert/plan.h"
#include "services/server/models.h"
#include "services/validate/requests.h"

namespace planner::server {

absl::StatusOr<v1::EstimateResponse> Estimator::Estimate(const v1::EstimateRequest& request, absl::Time deadline,
                                                         const base::Cancellation& cancelled) {
  static const ShapeFields kFields = {"training.global_batch", "data_set.seq_len", "data_set.inputs"};
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(model::ModelDescription model, ResolveModel(request.model(), kFields, models_, files_));
  ASSIGN_OR_RETURN(const cluster::Snapshot snapshot, inventory_.SnapshotFor(request.resources()));
  if (request.has_inference()) return Serve(request, std::move(model), snapshot, deadline, cancelled);
  const planning::JobSpec job = convert::JobFromProto(request, std::move(model));
  ASSIGN_OR_RETURN(const std::shared_ptr<const calibration::Calibration> learned, learning_.Current(snapshot.time));
  const absl::StatusOr<planning::Plan> plan = planner_.MakePlan(job, snapshot, deadline, cancelled, learned.get());
  RETURN_IF_ERROR(CountError(plan.status(), kFields, job.model, {.seq_len = job.seq_len, .inputs = job.inputs}));
  v1::EstimateResponse response = convert::PlanToProto(*plan);
  Complete(job.model.name, snapshot, response);
  return response;
}

void Estimator::Complete(const std::string& model, const cluster::Snapshot& snapshot, v1::EstimateResponse& response) {
  response.set_model(model);
  v1::EstimateProvenance& provenance = *response.mutable_provenance();
  provenance.set_planner_version(version_);
  std::vector<std::pair<std::string, std::string>> pools;
  for (const cluster::Pool& pool : snapshot.pools) {
    if (!pool.cluster.empty()) pools.emplace_back(pool.cluster, pool.name);
  }
  for (v1::MeasuredUtilization& latest : utilization_.Latest(pools, snapshot.time)) *provenance.add_utilization() = std::move(latest);
}

absl::StatusOr<v1::EstimateResponse> Estimator::Serve(const v1::EstimateRequest& request, model::ModelDescription model,
                                                      const cluster::Snapshot& snapshot, absl::Time deadline,
                                                      const base::Cancellation& cancelled) {
  const planning::InferenceJob job = convert::InferenceJobFromProto(request, std::move(model));
  ASSIGN_OR_RETURN(const planning::InferencePlan plan,
                   planning::PlanInference(job, counter_, snapshot, deadline, cancelled));
  v1::EstimateResponse response = convert::InferencePlanToProto(plan);
  for (std::string& warning : convert::InferenceWarnings(request)) response.add_warnings(std::move(warning));
  Complete(job.model.name, snapshot, response);
  return response;
}

}  // namespace planner::server
