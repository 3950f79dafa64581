"""The client for asyncio."""

import asyncio
import time
from types import TracebackType
from typing import Any, AsyncIterator, Awaitable, Callable, Iterable, Optional, Sequence, Type, Union

import grpc
import grpc.aio

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
from planner_client.client import DEFAULT_TIMEOUT
from planner_client.connecting import TlsFiles
from planner_client.errors import AbortedError, FailedPreconditionError, NotFoundError, PlannerError, UnavailableError, from_rpc_error
from planner_client.links import Link, Links
from planner_client.methods import Method, Request, Response
from planner_client.retrying import Retry, Tries


class AsyncClient:
    """What Client does, for asyncio. Of one event loop: the one that runs at its first call.

        async with AsyncClient("planner1:7070,planner2:7070") as planner:
            answer = await planner.estimate(request)
    """

    def __init__(self, server: Union[str, Sequence[str], None] = None, *, timeout: float = DEFAULT_TIMEOUT, tls: Optional[TlsFiles] = None,
                 retry: Retry = Retry(), wait: Callable[[float], Awaitable[Any]] = asyncio.sleep) -> None:
        """As Client's. `wait` lets time pass between two tries."""
        self._addresses = connecting.addresses_of(server)
        self._credentials = connecting.credentials_of(tls)
        self._timeout = timeout
        self._retry = retry
        self._wait = wait
        self._links: Links[grpc.aio.Channel] = Links(self._addresses, self._connect)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends what is under way with CANCELLED."""
        for channel in self._links.clear():
            await channel.close()

    # What a job needs.

    async def estimate(self, request: estimate_pb2.EstimateRequest, *, timeout: Optional[float] = None) -> estimate_pb2.EstimateResponse:
        return await self._unary(methods.ESTIMATE, request, timeout)

    async def count(self, request: count_pb2.CountRequest, *, timeout: Optional[float] = None) -> count_pb2.CountResponse:
        return await self._unary(methods.COUNT, request, timeout)

    async def validate_runs(self, request: validation_pb2.ValidateRunsRequest, *,
                      timeout: Optional[float] = None) -> validation_pb2.ValidateRunsResponse:
        return await self._unary(methods.VALIDATE_RUNS, request, timeout)

    # The catalogues.

    async def list_models(self, *, timeout: Optional[float] = None) -> AsyncIterator[model_pb2.ModelInfo]:
        token = ""
        while True:
            page = await self._unary(methods.LIST_MODELS, estimation_service_pb2.ListModelsRequest(page_token=token), timeout)
            for one in page.models:
                yield one
            token = page.next_page_token
            if not token:
                return

    async def get_model(self, name: str, *, timeout: Optional[float] = None) -> model_pb2.ModelInfo:
        return await self._unary(methods.GET_MODEL, estimation_service_pb2.GetModelRequest(name=name), timeout)

    async def list_gpu_types(self, *, timeout: Optional[float] = None) -> AsyncIterator[hardware_pb2.GpuType]:
        token = ""
        while True:
            page = await self._unary(methods.LIST_GPU_TYPES, cluster_service_pb2.ListGpuTypesRequest(page_token=token), timeout)
            for one in page.gpu_types:
                yield one
            token = page.next_page_token
            if not token:
                return

    async def get_gpu_type(self, name: str, *, timeout: Optional[float] = None) -> hardware_pb2.GpuType:
        return await self._unary(methods.GET_GPU_TYPE, cluster_service_pb2.GetGpuTypeRequest(name=name), timeout)

    async def list_clusters(self, *, timeout: Optional[float] = None) -> AsyncIterator[cluster_pb2.Cluster]:
        token = ""
        while True:
            page = await self._unary(methods.LIST_CLUSTERS, cluster_service_pb2.ListClustersRequest(page_token=token), timeout)
            for one in page.clusters:
                yield one
            token = page.next_page_token
            if not token:
                return

    async def get_cluster(self, name: str, *, timeout: Optional[float] = None) -> cluster_pb2.Cluster:
        return await self._unary(methods.GET_CLUSTER, cluster_service_pb2.GetClusterRequest(name=name), timeout)

    async def get_version(self, *, timeout: Optional[float] = None) -> estimation_service_pb2.VersionInfo:
        return await self._unary(methods.GET_VERSION, estimation_service_pb2.GetVersionRequest(), timeout)

    # Plans.

    async def create_plan(self, request: estimate_pb2.EstimateRequest, *, description: str = "", hold: Optional[plan_service_pb2.Hold] = None,
                    request_id: str = "", validate_only: bool = False, timeout: Optional[float] = None) -> plan_service_pb2.Plan:
        return await self._unary(methods.CREATE_PLAN, plan_service_pb2.CreatePlanRequest(
            plan=plan_service_pb2.Plan(request=request, description=description), hold=hold, validate_only=validate_only,
            request_id="" if validate_only else requests.with_request_id(request_id)), timeout)

    async def get_plan(self, name: str, *, timeout: Optional[float] = None) -> plan_service_pb2.Plan:
        return await self._unary(methods.GET_PLAN, plan_service_pb2.GetPlanRequest(name=name), timeout)

    async def list_plans(self, *, timeout: Optional[float] = None) -> AsyncIterator[plan_service_pb2.Plan]:
        """Newest first."""
        token = ""
        while True:
            page = await self._unary(methods.LIST_PLANS, plan_service_pb2.ListPlansRequest(page_token=token), timeout)
            for one in page.plans:
                yield one
            token = page.next_page_token
            if not token:
                return

    async def confirm_plan(self, name: str, *, etag: str = "", timeout: Optional[float] = None) -> plan_service_pb2.Plan:
        tries = self._tries(timeout)
        try:
            return await self._unary(methods.CONFIRM_PLAN, plan_service_pb2.ConfirmPlanRequest(name=name, etag=etag), timeout, tries)
        except (FailedPreconditionError, AbortedError) as error:
            plan = await self.get_plan(name) if tries.may_be_done else None
            return requests.has_become(plan, plan_service_pb2.Plan.CONFIRMED, error)

    async def cancel_plan(self, name: str, *, etag: str = "", timeout: Optional[float] = None) -> plan_service_pb2.Plan:
        tries = self._tries(timeout)
        try:
            return await self._unary(methods.CANCEL_PLAN, plan_service_pb2.CancelPlanRequest(name=name, etag=etag), timeout, tries)
        except (FailedPreconditionError, AbortedError) as error:
            plan = await self.get_plan(name) if tries.may_be_done else None
            return requests.has_become(plan, plan_service_pb2.Plan.CANCELLED, error)

    async def delete_plan(self, name: str, *, etag: str = "", timeout: Optional[float] = None) -> None:
        tries = self._tries(timeout)
        try:
            await self._unary(methods.DELETE_PLAN, plan_service_pb2.DeletePlanRequest(name=name, etag=etag), timeout, tries)
        except NotFoundError:
            if not tries.may_be_done:
                raise

    async def watch_plan(self, name: str, *, timeout: Optional[float] = None) -> AsyncIterator[plan_service_pb2.Plan]:
        """The plan as it is, then again after each change. `timeout` is None: until it fails; it is not begun again by itself."""
        method, index = methods.WATCH_PLAN, self._links.current
        link, is_broken = self._links.acquire(index), False
        answers = link.channel.unary_stream(method.path, request_serializer=method.serializer, response_deserializer=method.deserializer)(
            plan_service_pb2.WatchPlanRequest(name=name), timeout=timeout)
        try:
            async for plan in answers:
                yield plan
        except grpc.aio.AioRpcError as error:
            is_broken = links.is_broken(error)
            raise from_rpc_error(error) from None
        finally:
            answers.cancel()
            for channel in self._links.release(index, link, is_broken):
                await channel.close()

    # Runs.

    async def start_run(self, plan: str, *, description: str = "", start_time: Optional[float] = None, request_id: str = "",
                  validate_only: bool = False, timeout: Optional[float] = None) -> run_pb2.Run:
        """`start_time`: seconds since 1970; default: now."""
        run = run_pb2.Run(plan=plan, description=description)
        if start_time is not None:
            run.start_time.FromNanoseconds(int(start_time * 1e9))
        return await self._unary(methods.START_RUN, run_service_pb2.StartRunRequest(
            run=run, validate_only=validate_only, request_id="" if validate_only else requests.with_request_id(request_id)), timeout)

    async def report_progress(self, run: str, samples: Iterable[run_pb2.ProgressSample], *,
                        timeout: Optional[float] = None) -> run_service_pb2.ReportProgressResponse:
        """All of `samples`, in one stream, answered when they are kept. To report the same again changes nothing."""
        messages = requests.progress(run, samples)
        method = methods.REPORT_PROGRESS

        async def once(channel: grpc.aio.Channel, left: float) -> run_service_pb2.ReportProgressResponse:
            call = channel.stream_unary(method.path, request_serializer=method.serializer, response_deserializer=method.deserializer)
            answer: run_service_pb2.ReportProgressResponse = await call(iter(messages), timeout=left)
            return answer

        return await self._call(once, self._tries(timeout))

    async def finish_run(self, name: str, state: "run_pb2.Run.State" = run_pb2.Run.SUCCEEDED, *, message: str = "",
                   last: Optional[run_pb2.ProgressSample] = None, etag: str = "", timeout: Optional[float] = None) -> run_pb2.Run:
        return await self._unary(methods.FINISH_RUN,
                           run_service_pb2.FinishRunRequest(name=name, state=state, message=message, last=last, etag=etag), timeout)

    async def get_run(self, name: str, *, timeout: Optional[float] = None) -> run_pb2.Run:
        return await self._unary(methods.GET_RUN, run_service_pb2.GetRunRequest(name=name), timeout)

    async def list_runs(self, *, plan: str = "", state: "run_pb2.Run.State" = run_pb2.Run.STATE_UNSPECIFIED,
                  timeout: Optional[float] = None) -> AsyncIterator[run_pb2.Run]:
        """Newest first, without samples. Default: all."""
        token = ""
        while True:
            page = await self._unary(methods.LIST_RUNS, run_service_pb2.ListRunsRequest(page_token=token, plan=plan, state=state), timeout)
            for one in page.runs:
                yield one
            token = page.next_page_token
            if not token:
                return

    async def delete_run(self, name: str, *, etag: str = "", timeout: Optional[float] = None) -> None:
        tries = self._tries(timeout)
        try:
            await self._unary(methods.DELETE_RUN, run_service_pb2.DeleteRunRequest(name=name, etag=etag), timeout, tries)
        except NotFoundError:
            if not tries.may_be_done:
                raise

    async def call(self, method: Method[Request, Response], request: Request, *, timeout: Optional[float] = None) -> Response:
        """Any unary method of the API: one of planner_client.methods, or one of your own."""
        return await self._unary(method, request, timeout)

    def _connect(self, address: str) -> grpc.aio.Channel:
        target, options = connecting.target_of(address), connecting.options()
        if self._credentials is None or connecting.is_local(address):
            return grpc.aio.insecure_channel(target, options)
        return grpc.aio.secure_channel(target, self._credentials, options)

    def _tries(self, timeout: Optional[float]) -> Tries:
        return Tries(self._retry, len(self._addresses), time.monotonic() + (self._timeout if timeout is None else timeout))

    async def _unary(self, method: Method[Request, Response], request: Request, timeout: Optional[float],
                     tries: Optional[Tries] = None) -> Response:
        async def once(channel: grpc.aio.Channel, left: float) -> Response:
            call = channel.unary_unary(method.path, request_serializer=method.serializer, response_deserializer=method.deserializer)
            answer: Response = await call(request, timeout=left)
            return answer

        return await self._call(once, tries if tries is not None else self._tries(timeout))

    async def _is_connected(self, link: Link[grpc.aio.Channel], tries: Tries) -> bool:
        """Waits for the link's connection where there are other addresses to ask; one alone has the whole time of the call."""
        if len(self._addresses) > 1 and not link.is_connected:
            link.is_connected = await connecting.connects_async(link.channel, tries.connect_seconds(time.monotonic()))
            return link.is_connected
        return True

    async def _call(self, once: Callable[[grpc.aio.Channel, float], Awaitable[Response]], tries: Tries) -> Response:
        while True:
            index = self._links.current
            link, is_broken = self._links.acquire(index), False
            error: PlannerError
            try:
                if not await self._is_connected(link, tries):
                    raise UnavailableError(grpc.StatusCode.UNAVAILABLE, f"{self._addresses[index]} does not answer, and has others beside it")
                return await once(link.channel, max(0.0, tries.deadline - time.monotonic()))
            except UnavailableError as raised:
                is_broken, error = True, raised
            except grpc.aio.AioRpcError as raised:
                is_broken = links.is_broken(raised)
                error = from_rpc_error(raised)
            finally:
                for channel in self._links.release(index, link, is_broken):
                    await channel.close()
            wait = tries.after(error, time.monotonic())
            if wait is None:
                raise error
            if not is_broken:
                self._links.skip(index)
            if wait > 0:
                await self._wait(wait)
