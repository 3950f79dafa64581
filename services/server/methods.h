#pragma once

#include <string_view>

namespace planner::server {

/// Every method that is served, as metrics and logs name it.
namespace method {

inline constexpr std::string_view kEstimate = "EstimationService/Estimate";
inline constexpr std::string_view kCount = "EstimationService/Count";
inline constexpr std::string_view kValidateRuns = "EstimationService/ValidateRuns";
inline constexpr std::string_view kUploadModel = "EstimationService/UploadModel";
inline constexpr std::string_view kListCounters = "EstimationService/ListCounters";
inline constexpr std::string_view kListModels = "EstimationService/ListModels";
inline constexpr std::string_view kGetModel = "EstimationService/GetModel";
inline constexpr std::string_view kListPrecisions = "EstimationService/ListPrecisions";
inline constexpr std::string_view kGetVersion = "EstimationService/GetVersion";
inline constexpr std::string_view kCreateCluster = "ClusterService/CreateCluster";
inline constexpr std::string_view kGetCluster = "ClusterService/GetCluster";
inline constexpr std::string_view kListClusters = "ClusterService/ListClusters";
inline constexpr std::string_view kUpdateCluster = "ClusterService/UpdateCluster";
inline constexpr std::string_view kDeleteCluster = "ClusterService/DeleteCluster";
inline constexpr std::string_view kListGpuTypes = "ClusterService/ListGpuTypes";
inline constexpr std::string_view kGetGpuType = "ClusterService/GetGpuType";
inline constexpr std::string_view kCreateReservation = "ClusterService/CreateReservation";
inline constexpr std::string_view kGetReservation = "ClusterService/GetReservation";
inline constexpr std::string_view kListReservations = "ClusterService/ListReservations";
inline constexpr std::string_view kDeleteReservation = "ClusterService/DeleteReservation";
inline constexpr std::string_view kWatchCluster = "ClusterService/WatchCluster";
inline constexpr std::string_view kReportUtilization = "ClusterService/ReportUtilization";
inline constexpr std::string_view kGetUtilization = "ClusterService/GetUtilization";
inline constexpr std::string_view kCreatePlan = "PlanService/CreatePlan";
inline constexpr std::string_view kGetPlan = "PlanService/GetPlan";
inline constexpr std::string_view kListPlans = "PlanService/ListPlans";
inline constexpr std::string_view kConfirmPlan = "PlanService/ConfirmPlan";
inline constexpr std::string_view kCancelPlan = "PlanService/CancelPlan";
inline constexpr std::string_view kDeletePlan = "PlanService/DeletePlan";
inline constexpr std::string_view kStartRun = "RunService/StartRun";
inline constexpr std::string_view kReportProgress = "RunService/ReportProgress";
inline constexpr std::string_view kFinishRun = "RunService/FinishRun";
inline constexpr std::string_view kGetRun = "RunService/GetRun";
inline constexpr std::string_view kListRuns = "RunService/ListRuns";
inline constexpr std::string_view kDeleteRun = "RunService/DeleteRun";
inline constexpr std::string_view kWatchPlan = "PlanService/WatchPlan";

}  // namespace method

/// The closed set of the metrics' label `method`.
inline constexpr std::string_view kMethods[] = {
    method::kEstimate,       method::kCount,         method::kListCounters,  method::kListModels, method::kGetModel,
    method::kListPrecisions, method::kGetVersion,    method::kCreateCluster, method::kGetCluster, method::kListClusters,
    method::kUpdateCluster,  method::kDeleteCluster, method::kListGpuTypes,  method::kGetGpuType, method::kCreatePlan,
    method::kGetPlan,        method::kListPlans,     method::kConfirmPlan,   method::kCancelPlan, method::kDeletePlan,
    method::kUploadModel,    method::kValidateRuns,  method::kCreateReservation, method::kGetReservation,
    method::kListReservations, method::kDeleteReservation,
    method::kStartRun,       method::kReportProgress, method::kFinishRun,    method::kGetRun,     method::kListRuns,
    method::kDeleteRun,
    method::kWatchCluster, method::kReportUtilization,
    method::kGetUtilization, method::kWatchPlan,
};

}  // namespace planner::server
