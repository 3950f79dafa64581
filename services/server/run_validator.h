#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/run_validation.h"
#include "planner/v1/validation.pb.h"
#include "services/catalog/catalog.h"

namespace planner::server {

/// Holds tables of measured runs against the planner. Thread-safe.
class RunValidator {
 public:
  /// `version` is the planner's. The rest must outlive it.
  RunValidator(const catalog::ModelCatalog& models, const hardware::GpuCatalog& gpus, const base::Clock& clock,
               std::string version)
      : models_(models), gpus_(gpus), clock_(clock), version_(std::move(version)) {}

  /// INVALID_ARGUMENT at "runs_csv" with the line; DEADLINE_EXCEEDED.
  absl::StatusOr<v1::ValidateRunsResponse> Validate(const v1::ValidateRunsRequest& request, absl::Time deadline);

 private:
  using KnownModels = std::vector<planning::KnownModel>;

  /// The catalogue's language models, read with the first table: that takes longer than most tables do.
  absl::StatusOr<std::shared_ptr<const KnownModels>> Known();

  const catalog::ModelCatalog& models_;
  const hardware::GpuCatalog& gpus_;
  const base::Clock& clock_;
  const std::string version_;
  base::Mutex mutex_;
  std::shared_ptr<const KnownModels> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::server
