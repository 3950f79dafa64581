"""plannerd's gRPC API. Its Python modules are made by protoc when the demo starts; PYTHONPATH has their folder."""
import grpc
from google.protobuf import json_format
from planner.v1 import cluster_service_pb2, cluster_service_pb2_grpc
from planner.v1 import estimate_pb2, estimation_service_pb2, estimation_service_pb2_grpc
from planner.v1 import plan_service_pb2, plan_service_pb2_grpc
from planner.v1 import run_pb2, run_service_pb2, run_service_pb2_grpc
from planner.v1 import count_pb2

CALL_SECONDS = 20


class Planner:
    """The calls that the demo makes, each with plain values. Times are seconds since 1970."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.estimation = estimation_service_pb2_grpc.EstimationServiceStub(self.channel)
        self.clusters = cluster_service_pb2_grpc.ClusterServiceStub(self.channel)
        self.plans = plan_service_pb2_grpc.PlanServiceStub(self.channel)
        self.runs = run_service_pb2_grpc.RunServiceStub(self.channel)

    def apply_cluster(self, cluster):
        """Creates or replaces an inventory: the JSON form of planner.v1.Cluster."""
        request = json_format.ParseDict({"cluster": cluster, "allowMissing": True}, cluster_service_pb2.UpdateClusterRequest())
        return self.clusters.UpdateCluster(request, timeout=CALL_SECONDS)

    def get_cluster(self, name):
        return self.clusters.GetCluster(cluster_service_pb2.GetClusterRequest(name=name), timeout=CALL_SECONDS)

    def estimate(self, request):
        """`request`: the JSON form of planner.v1.EstimateRequest."""
        return self.estimation.Estimate(json_format.ParseDict(request, estimate_pb2.EstimateRequest()), timeout=CALL_SECONDS)

    def count(self, preset):
        return self.estimation.Count(json_format.ParseDict({"model": {"preset": preset}}, count_pb2.CountRequest()), timeout=CALL_SECONDS)

    def create_plan(self, request, description, hold):
        """A plan of `request` (JSON), whose GPUs are held for some minutes if `hold`."""
        message = {"plan": {"request": request, "description": description}}
        if hold:
            message["hold"] = {"expiresIn": "600s"}
        return self.plans.CreatePlan(json_format.ParseDict(message, plan_service_pb2.CreatePlanRequest()), timeout=CALL_SECONDS)

    def confirm_plan(self, name):
        return self.plans.ConfirmPlan(plan_service_pb2.ConfirmPlanRequest(name=name), timeout=CALL_SECONDS)

    def list_plans(self):
        return self.plans.ListPlans(plan_service_pb2.ListPlansRequest(page_size=20), timeout=CALL_SECONDS)

    def start_run(self, plan, description, start=None):
        run = run_pb2.Run(plan=plan, description=description)
        if start is not None:
            set_time(run.start_time, start)
        return self.runs.StartRun(run_service_pb2.StartRunRequest(run=run), timeout=CALL_SECONDS)

    def report(self, run, samples):
        """`samples`: (time, step, tokens per second, GPU utilization). Raises where one of them is refused."""
        request = run_service_pb2.ReportProgressRequest(run=run)
        for time, step, tokens_per_second, utilization in samples:
            # What is None is not known.
            sample = request.samples.add(step=step, tokens_per_second=tokens_per_second, gpu_utilization_ratio=utilization)
            set_time(sample.time, time)
        answer = self.runs.ReportProgress(iter([request]), timeout=CALL_SECONDS)
        if answer.refused_count:
            raise RuntimeError(f"{run}: refused: {'; '.join(answer.refusals)}")
        return answer.run

    def finish_run(self, name, state, message, time, step, tokens_per_second):
        """`time` and so on: where it ended, and how fast it was before."""
        request = run_service_pb2.FinishRunRequest(name=name, state=run_pb2.Run.State.Value(state), message=message)
        request.last.MergeFrom(run_pb2.ProgressSample(step=step, tokens_per_second=tokens_per_second))
        set_time(request.last.time, time)
        return self.runs.FinishRun(request, timeout=CALL_SECONDS)

    def list_runs(self):
        return self.runs.ListRuns(run_service_pb2.ListRunsRequest(page_size=1000), timeout=CALL_SECONDS)


def set_time(timestamp, seconds):
    timestamp.FromNanoseconds(int(seconds * 1e9))


def seconds_of(time_or_duration):
    return time_or_duration.seconds + time_or_duration.nanos * 1e-9
