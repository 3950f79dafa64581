#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/planning/inference.h"
#include "core/planning/planner.h"
#include "planner/v1/estimate.pb.h"
#include "services/catalog/catalog.h"
#include "services/learning/learning.h"
#include "services/model_files/model_file_store.h"
#include "services/server/inventory.h"
#include "services/utilization/utilization.h"

namespace planner::server {

/// Answers estimate requests: what EstimationService answers with and PlanService keeps. Thread-safe.
class Estimator {
 public:
  /// `version` is the planner's, for the provenance. The rest must outlive it.
  Estimator(const catalog::ModelCatalog& models, model_files::ModelFileStore& files, Inventory& inventory,
            learning::Learning& learning, utilization::Utilization& utilization, const counting::Counter& counter, const planning::Planner& planner, std::string version)
      : models_(models),
        files_(files),
        inventory_(inventory),
        learning_(learning),
        utilization_(utilization),
        counter_(counter),
        planner_(planner),
        version_(std::move(version)) {}

  /// INVALID_ARGUMENT and NOT_FOUND with the request's field; DEADLINE_EXCEEDED; CANCELLED.
  absl::StatusOr<v1::EstimateResponse> Estimate(const v1::EstimateRequest& request, absl::Time deadline,
                                                const base::Cancellation& cancelled = {});

 private:
  /// A request that has `inference`.
  absl::StatusOr<v1::EstimateResponse> Serve(const v1::EstimateRequest& request, model::ModelDescription model,
                                             const cluster::Snapshot& snapshot, absl::Time deadline,
                                             const base::Cancellation& cancelled);

  /// What no stage of planning knows: the version, and what is measured on the snapshot's pools.
  void Complete(const std::string& model, const cluster::Snapshot& snapshot, v1::EstimateResponse& response);

  const catalog::ModelCatalog& models_;
  model_files::ModelFileStore& files_;
  Inventory& inventory_;
  learning::Learning& learning_;
  utilization::Utilization& utilization_;
  const counting::Counter& counter_;
  const planning::Planner& planner_;
  const std::string version_;
};

}  // namespace planner::server
