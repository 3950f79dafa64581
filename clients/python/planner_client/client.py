"""The synchronous client."""

import time
from types import TracebackType
from typing import Any, Callable, Iterable, Iterator, Optional, Sequence, Type, Union

import grpc

from planner_client import connecting, links, methods, requests
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
from planner_client.connecting import TlsFiles
from planner_client.errors import AbortedError, FailedPreconditionError, NotFoundError, PlannerError, UnavailableError, from_rpc_error
from planner_client.links import Link, Links
from planner_client.methods import Method, Request, Response
from planner_client.retrying import Retry, Tries

DEFAULT_TIMEOUT = 30.0


class Client:
    """Calls a planner, whichever of its replicas is there. Thread-safe; not to be used in a process that was forked after its first call.

        with Client("planner1:7070,planner2:7070") as planner:
            answer = planner.estimate(request)

    Every call has a deadline, `timeout` seconds with all its tries, and is tried again where that may help (Retry). It fails with a
    PlannerError. A request that makes something gets a request_id where it has none, so that it is made once however often it is tried.
    """

    def __init__(self, server: Union[str, Sequence[str], None] = None, *, timeout: float = DEFAULT_TIMEOUT, tls: Optional[TlsFiles] = None,
                 retry: Retry = Retry(), wait: Callable[[float], Any] = time.sleep) -> None:
        """`server`: addresses of replicas, "host:port" or "unix:/path"; default: $PLANNER_SERVER, or 127.0.0.1:7070. ValueError where one is
        malformed. It connects with the first call. `wait` lets time pass between two tries.
        """
        self._addresses = connecting.addresses_of(server)
        self._credentials = connecting.credentials_of(tls)
        self._timeout = timeout
        self._retry = retry
        self._wait = wait
        self._links: Links[grpc.Channel] = Links(self._addresses, self._connect)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()

    def close(self) -> None:
        """Ends what is under way with CANCELLED."""
        for channel in self._links.clear():
            channel.close()

    @property
    def has_others(self) -> bool:
        """Whether there is more than one address: a call that has failed at one is of the next one the next time."""
        return len(self._addresses) > 1

    # What a job needs.

    def estimate(self, request: estimate_pb2.EstimateRequest, *, timeout: Optional[float] = None) -> estimate_pb2.EstimateResponse:
        return self._unary(methods.ESTIMATE, request, timeout)

    def count(self, request: count_pb2.CountRequest, *, timeout: Optional[float] = None) -> count_pb2.CountResponse:
        return self._unary(methods.COUNT, request, timeout)

    def validate_runs(self, request: validation_pb2.ValidateRunsRequest, *,
                      timeout: Optional[float] = None) -> validation_pb2.ValidateRunsResponse:
        return self._unary(methods.VALIDATE_RUNS, request, timeout)

    # The catalogues.

    def list_models(self, *, timeout: Optional[float] = None) -> Iterator[model_pb2.ModelInfo]:
        token = ""
        while True:
            page = self._unary(methods.LIST_MODELS, estimation_service_pb2.ListModelsRequest(page_token=token), timeout)
            yield from page.models
            token = page.next_page_token
            if not token:
                return

    def get_model(self, name: str, *, timeout: Optional[float] = None) -> model_pb2.ModelInfo:
        return self._unary(methods.GET_MODEL, estimation_service_pb2.GetModelRequest(name=name), timeout)

    def list_gpu_types(self, *, timeout: Optional[float] = None) -> Iterator[hardware_pb2.GpuType]:
        token = ""
        while True:
            page = self._unary(methods.LIST_GPU_TYPES, cluster_service_pb2.ListGpuTypesRequest(page_token=token), timeout)
            yield from page.gpu_types
            token = page.next_page_token
            if not token:
                return

    def get_gpu_type(self, name: str, *, timeout: Optional[float] = None) -> hardware_pb2.GpuType:
        return self._unary(methods.GET_GPU_TYPE, cluster_service_pb2.GetGpuTypeRequest(name=name), timeout)

    def list_clusters(self, *, timeout: Optional[float] = None) -> Iterator[cluster_pb2.Cluster]:
        token = ""
        while True:
            page = self._unary(methods.LIST_CLUSTERS, cluster_service_pb2.ListClustersRequest(page_token=token), timeout)
            yield from page.clusters
            token = page.next_page_token
            if not token:
                return

    def get_cluster(self, name: str, *, timeout: Optional[float] = None) -> cluster_pb2.Cluster:
        return self._unary(methods.GET_CLUSTER, cluster_service_pb2.GetClusterRequest(name=name), timeout)

    def get_version(self, *, timeout: Optional[float] = None) -> estimation_service_pb2.VersionInfo:
        return self._unary(methods.GET_VERSION, estimation_service_pb2.GetVersionRequest(), timeout)

    # Plans.

    def create_plan(self, request: estimate_pb2.EstimateRequest, *, description: str = "", hold: Optional[plan_service_pb2.Hold] = None,
                    request_id: str = "", validate_only: bool = False, timeout: Optional[float] = None) -> plan_service_pb2.Plan:
        return self._unary(methods.CREATE_PLAN, plan_service_pb2.CreatePlanRequest(
            plan=plan_service_pb2.Plan(request=request, description=description), hold=hold, validate_only=validate_only,
            request_id="" if validate_only else requests.with_request_id(request_id)), timeout)

    def get_plan(self, name: str, *, timeout: Optional[float] = None) -> plan_service_pb2.Plan:
        return self._unary(methods.GET_PLAN, plan_service_pb2.GetPlanRequest(name=name), timeout)

    def list_plans(self, *, timeout: Optional[float] = None) -> Iterator[plan_service_pb2.Plan]:
        """Newest first."""
        token = ""
        while True:
            page = self._unary(methods.LIST_PLANS, plan_service_pb2.ListPlansRequest(page_token=token), timeout)
            yield from page.plans
            token = page.next_page_token
            if not token:
                return

    def confirm_plan(self, name: str, *, etag: str = "", timeout: Optional[float] = None) -> plan_service_pb2.Plan:
        tries = self._tries(timeout)
        try:
            return self._unary(methods.CONFIRM_PLAN, plan_service_pb2.ConfirmPlanRequest(name=name, etag=etag), timeout, tries)
        except (FailedPreconditionError, AbortedError) as error:
            plan = self.get_plan(name) if tries.may_be_done else None
            return requests.has_become(plan, plan_service_pb2.Plan.CONFIRMED, error)

    def cancel_plan(self, name: str, *, etag: str = "", timeout: Optional[float] = None) -> plan_service_pb2.Plan:
        tries = self._tries(timeout)
        try:
            return self._unary(methods.CANCEL_PLAN, plan_service_pb2.CancelPlanRequest(name=name, etag=etag), timeout, tries)
        except (FailedPreconditionError, AbortedError) as error:
            plan = self.get_plan(name) if tries.may_be_done else None
            return requests.has_become(plan, plan_service_pb2.Plan.CANCELLED, error)

    def delete_plan(self, name: str, *, etag: str = "", timeout: Optional[float] = None) -> None:
        tries = self._tries(timeout)
        try:
            self._unary(methods.DELETE_PLAN, plan_service_pb2.DeletePlanRequest(name=name, etag=etag), timeout, tries)
        except NotFoundError:
            if not tries.may_be_done:
                raise

    def watch_plan(self, name: str, *, timeout: Optional[float] = None) -> Iterator[plan_service_pb2.Plan]:
        """The plan as it is, then again after each change. `timeout` is None: until it fails; it is not begun again by itself."""
        method, index = methods.WATCH_PLAN, self._links.current
        link, is_broken = self._links.acquire(index), False
        answers = link.channel.unary_stream(method.path, request_serializer=method.serializer, response_deserializer=method.deserializer)(
            plan_service_pb2.WatchPlanRequest(name=name), timeout=timeout)
        try:
            yield from answers
        except grpc.RpcError as error:
            is_broken = links.is_broken(error)
            raise from_rpc_error(error) from None
        finally:
            answers.cancel()
            for channel in self._links.release(index, link, is_broken):
                channel.close()

    # Runs.

    def start_run(self, plan: str, *, description: str = "", start_time: Optional[float] = None, request_id: str = "",
                  validate_only: bool = False, timeout: Optional[float] = None) -> run_pb2.Run:
        """`start_time`: seconds since 1970; default: now."""
        run = run_pb2.Run(plan=plan, description=description)
        if start_time is not None:
            run.start_time.FromNanoseconds(int(start_time * 1e9))
        return self._unary(methods.START_RUN, run_service_pb2.StartRunRequest(
            run=run, validate_only=validate_only, request_id="" if validate_only else requests.with_request_id(request_id)), timeout)

    def report_progress(self, run: str, samples: Iterable[run_pb2.ProgressSample], *,
                        timeout: Optional[float] = None) -> run_service_pb2.ReportProgressResponse:
        """All of `samples`, in one stream, answered when they are kept. To report the same again changes nothing."""
        messages = requests.progress(run, samples)
        method = methods.REPORT_PROGRESS

        def once(channel: grpc.Channel, left: float) -> run_service_pb2.ReportProgressResponse:
            call = channel.stream_unary(method.path, request_serializer=method.serializer, response_deserializer=method.deserializer)
            answer: run_service_pb2.ReportProgressResponse = call(iter(messages), timeout=left)
            return answer

        return self._call(once, self._tries(timeout))

    def finish_run(self, name: str, state: "run_pb2.Run.State" = run_pb2.Run.SUCCEEDED, *, message: str = "",
                   last: Optional[run_pb2.ProgressSample] = None, etag: str = "", timeout: Optional[float] = None) -> run_pb2.Run:
        return self._unary(methods.FINISH_RUN,
                           run_service_pb2.FinishRunRequest(name=name, state=state, message=message, last=last, etag=etag), timeout)

    def get_run(self, name: str, *, timeout: Optional[float] = None) -> run_pb2.Run:
        return self._unary(methods.GET_RUN, run_service_pb2.GetRunRequest(name=name), timeout)

    def list_runs(self, *, plan: str = "", state: "run_pb2.Run.State" = run_pb2.Run.STATE_UNSPECIFIED,
                  timeout: Optional[float] = None) -> Iterator[run_pb2.Run]:
        """Newest first, without samples. Default: all."""
        token = ""
        while True:
            page = self._unary(methods.LIST_RUNS, run_service_pb2.ListRunsRequest(page_token=token, plan=plan, state=state), timeout)
            yield from page.runs
            token = page.next_page_token
            if not token:
                return

    def delete_run(self, name: str, *, etag: str = "", timeout: Optional[float] = None) -> None:
        tries = self._tries(timeout)
        try:
            self._unary(methods.DELETE_RUN, run_service_pb2.DeleteRunRequest(name=name, etag=etag), timeout, tries)
        except NotFoundError:
            if not tries.may_be_done:
                raise

    def call(self, method: Method[Request, Response], request: Request, *, timeout: Optional[float] = None) -> Response:
        """Any unary method of the API: one of planner_client.methods, or one of your own."""
        return self._unary(method, request, timeout)

    def _connect(self, address: str) -> grpc.Channel:
        target, options = connecting.target_of(address), connecting.options()
        if self._credentials is None or connecting.is_local(address):
            return grpc.insecure_channel(target, options)
        return grpc.secure_channel(target, self._credentials, options)

    def _tries(self, timeout: Optional[float]) -> Tries:
        return Tries(self._retry, len(self._addresses), time.monotonic() + (self._timeout if timeout is None else timeout))

    def _unary(self, method: Method[Request, Response], request: Request, timeout: Optional[float], tries: Optional[Tries] = None) -> Response:
        def once(channel: grpc.Channel, left: float) -> Response:
            call = channel.unary_unary(method.path, request_serializer=method.serializer, response_deserializer=method.deserializer)
            answer: Response = call(request, timeout=left)
            return answer

        return self._call(once, tries if tries is not None else self._tries(timeout))

    def _is_connected(self, link: Link[grpc.Channel], tries: Tries) -> bool:
        """Waits for the link's connection where there are other addresses to ask; one alone has the whole time of the call."""
        if len(self._addresses) > 1 and not link.is_connected:
            link.is_connected = connecting.connects(link.channel, tries.connect_seconds(time.monotonic()))
            return link.is_connected
        return True

    def _call(self, once: Callable[[grpc.Channel, float], Response], tries: Tries) -> Response:
        while True:
            index = self._links.current
            link, is_broken = self._links.acquire(index), False
            error: PlannerError
            try:
                if not self._is_connected(link, tries):
                    raise UnavailableError(grpc.StatusCode.UNAVAILABLE, f"{self._addresses[index]} does not answer, and has others beside it")
                return once(link.channel, max(0.0, tries.deadline - time.monotonic()))
            except UnavailableError as raised:
                is_broken, error = True, raised
            except grpc.RpcError as raised:
                is_broken = links.is_broken(raised)
                error = from_rpc_error(raised)
            finally:
                for channel in self._links.release(index, link, is_broken):
                    channel.close()
            wait = tries.after(error, time.monotonic())
            if wait is None:
                raise error
            if not is_broken:
                self._links.skip(index)
            if wait > 0:
                self._wait(wait)
