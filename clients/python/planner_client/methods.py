"""The API's methods, with the types of what they take and answer."""

from dataclasses import dataclass
from typing import Callable, Generic, Type, TypeVar

from google.protobuf import empty_pb2
from google.protobuf.message import Message

from planner_client.api.v1 import (
    cluster_pb2,
    cluster_service_pb2,
    count_pb2,
    estimate_pb2,
    estimation_service_pb2,
    hardware_pb2,
    model_pb2,
    plan_service_pb2,
    run_pb2,
    run_service_pb2,
    validation_pb2,
)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True)
class Method(Generic[Request, Response]):
    path: str
    request: Type[Request]
    response: Type[Response]

    @property
    def serializer(self) -> Callable[[Request], bytes]:
        serializer: Callable[[Request], bytes] = self.request.SerializeToString
        return serializer

    @property
    def deserializer(self) -> Callable[[bytes], Response]:
        deserializer: Callable[[bytes], Response] = self.response.FromString
        return deserializer


def _of(name: str, request: Type[Request], response: Type[Response]) -> Method[Request, Response]:
    return Method(f"/planner.v1.{name}", request, response)


ESTIMATE = _of("EstimationService/Estimate", estimate_pb2.EstimateRequest, estimate_pb2.EstimateResponse)
COUNT = _of("EstimationService/Count", count_pb2.CountRequest, count_pb2.CountResponse)
VALIDATE_RUNS = _of("EstimationService/ValidateRuns", validation_pb2.ValidateRunsRequest, validation_pb2.ValidateRunsResponse)
LIST_MODELS = _of("EstimationService/ListModels", estimation_service_pb2.ListModelsRequest, estimation_service_pb2.ListModelsResponse)
GET_MODEL = _of("EstimationService/GetModel", estimation_service_pb2.GetModelRequest, model_pb2.ModelInfo)
GET_VERSION = _of("EstimationService/GetVersion", estimation_service_pb2.GetVersionRequest, estimation_service_pb2.VersionInfo)

CREATE_PLAN = _of("PlanService/CreatePlan", plan_service_pb2.CreatePlanRequest, plan_service_pb2.Plan)
GET_PLAN = _of("PlanService/GetPlan", plan_service_pb2.GetPlanRequest, plan_service_pb2.Plan)
LIST_PLANS = _of("PlanService/ListPlans", plan_service_pb2.ListPlansRequest, plan_service_pb2.ListPlansResponse)
CONFIRM_PLAN = _of("PlanService/ConfirmPlan", plan_service_pb2.ConfirmPlanRequest, plan_service_pb2.Plan)
CANCEL_PLAN = _of("PlanService/CancelPlan", plan_service_pb2.CancelPlanRequest, plan_service_pb2.Plan)
DELETE_PLAN = _of("PlanService/DeletePlan", plan_service_pb2.DeletePlanRequest, empty_pb2.Empty)
WATCH_PLAN = _of("PlanService/WatchPlan", plan_service_pb2.WatchPlanRequest, plan_service_pb2.Plan)

GET_CLUSTER = _of("ClusterService/GetCluster", cluster_service_pb2.GetClusterRequest, cluster_pb2.Cluster)
LIST_CLUSTERS = _of("ClusterService/ListClusters", cluster_service_pb2.ListClustersRequest, cluster_service_pb2.ListClustersResponse)
LIST_GPU_TYPES = _of("ClusterService/ListGpuTypes", cluster_service_pb2.ListGpuTypesRequest, cluster_service_pb2.ListGpuTypesResponse)
GET_GPU_TYPE = _of("ClusterService/GetGpuType", cluster_service_pb2.GetGpuTypeRequest, hardware_pb2.GpuType)

START_RUN = _of("RunService/StartRun", run_service_pb2.StartRunRequest, run_pb2.Run)
REPORT_PROGRESS = _of("RunService/ReportProgress", run_service_pb2.ReportProgressRequest, run_service_pb2.ReportProgressResponse)
FINISH_RUN = _of("RunService/FinishRun", run_service_pb2.FinishRunRequest, run_pb2.Run)
GET_RUN = _of("RunService/GetRun", run_service_pb2.GetRunRequest, run_pb2.Run)
LIST_RUNS = _of("RunService/ListRuns", run_service_pb2.ListRunsRequest, run_service_pb2.ListRunsResponse)
DELETE_RUN = _of("RunService/DeleteRun", run_service_pb2.DeleteRunRequest, empty_pb2.Empty)
