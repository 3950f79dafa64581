#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "planner/v1/cluster.pb.h"
#include "planner/v1/cluster_service.pb.h"
#include "planner/v1/count.pb.h"
#include "planner/v1/estimate.pb.h"
#include "planner/v1/estimation_service.pb.h"
#include "planner/v1/plan_service.pb.h"
#include "planner/v1/run_service.pb.h"
#include "planner/v1/utilization.pb.h"
#include "planner/v1/validation.pb.h"

namespace planner::validate {

// Everything about a request that can be told from the request alone. Each function is OK or
// INVALID_ARGUMENT with the path of the first field that is wrong; whether names exist is not looked at
// here. A request that passes is safe to convert (services/convert).

inline constexpr size_t kMaxNameBytes = 256;                ///< Of a preset, GPU type, framework.
inline constexpr size_t kMaxConfigBytes = size_t{4} << 20;  ///< Of an inline config.json.
inline constexpr size_t kMaxChunkBytes = size_t{1} << 20;   ///< Of one message of an upload.
inline constexpr size_t kMaxTableBytes = size_t{8} << 20;   ///< Of a table of measured runs.
inline constexpr size_t kMaxTableLines = 20'001;            ///< With its header.
inline constexpr size_t kMaxColumns = 256;
inline constexpr size_t kMaxCells = 1'000'000;
inline constexpr int64_t kMaxSize = (int64_t{1} << 31) - 1;  ///< Of a batch, a sequence, a dimension.
inline constexpr int64_t kMaxGpus = 1'000'000;
inline constexpr int64_t kMaxDegree = 65'536;
inline constexpr double kMaxCount = 1e18;
inline constexpr int kMaxNodeEntries = 10'000;  ///< Conditions, and occupations, of a pool.
inline constexpr int kMaxPageSize = 1000;
inline constexpr int kMaxProgressSamples = 1000;      ///< Of a message of ReportProgress.
inline constexpr int64_t kMaxSteps = 1'000'000'000'000'000;  ///< Of a run: exact as a double.
inline constexpr int kMaxUtilizationSamples = 10'000;  ///< Of one message of ReportUtilization.

absl::Status Validate(const v1::EstimateRequest& request);
absl::Status Validate(const v1::CountRequest& request);
/// One message of the stream; their order is not looked at here.
absl::Status Validate(const v1::UploadModelRequest& request);
/// The size of the table alone: what it says is looked at when it is read.
absl::Status Validate(const v1::ValidateRunsRequest& request);
absl::Status Validate(const v1::CreatePlanRequest& request);
absl::Status Validate(const v1::CreateClusterRequest& request);
/// Of the fields that the mask names. How many entries a pool may have depends on how many it has (convert::NormalizedCluster).
absl::Status Validate(const v1::UpdateClusterRequest& request);
absl::Status Validate(const v1::CreateReservationRequest& request);
absl::Status Validate(const v1::GetUtilizationRequest& request);

/// One sample that has arrived at `now`; `field` is its path. Whether its node and GPU are there is not looked at here.
absl::Status ValidateSample(const std::string& field, const v1::UtilizationSample& sample, absl::Time now);

absl::Status Validate(const v1::StartRunRequest& request);
/// One message of the stream, without its samples: each of those is refused on its own.
absl::Status Validate(const v1::ReportProgressRequest& request);
absl::Status Validate(const v1::FinishRunRequest& request);
absl::Status Validate(const v1::ListRunsRequest& request);

/// What can be told of a sample without its run; `field` is its path.
absl::Status ValidateSample(std::string_view field, const v1::ProgressSample& sample);

/// A cluster as its user writes it; `field` is its path.
absl::Status ValidateCluster(std::string_view field, const v1::Cluster& cluster);

/// The page to give: 0 is `standard`. INVALID_ARGUMENT for negative sizes and those above 1,000.
absl::StatusOr<int> PageSize(int requested, int standard);

/// "main" of "clusters/main" or "main": letters, digits, "-", "_", ".", from a letter or digit on, at
/// most 63.
absl::StatusOr<std::string> ClusterId(std::string_view field, std::string_view name);

/// "20260101-000000-4f3a" of "plans/20260101-000000-4f3a", by the same rules.
absl::StatusOr<std::string> PlanId(std::string_view field, std::string_view name);

/// "20260101-000000-4f3a9c01" of "runs/20260101-000000-4f3a9c01", by the same rules.
absl::StatusOr<std::string> RunId(std::string_view field, std::string_view name);

/// "main/20260101-000000-4f3a9c01", as stores name it, of "clusters/main/reservations/20260101-000000-4f3a9c01".
absl::StatusOr<std::string> ReservationId(std::string_view field, std::string_view name);

}  // namespace planner::validate
