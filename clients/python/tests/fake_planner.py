"""A planner that does as it is told: for answers that a real one gives rarely."""

import concurrent.futures
import pathlib
import shutil
import tempfile
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, List, Optional, Type

import grpc

from planner_client import methods
from planner_client.api import error_details_pb2
from planner_client.api.v1 import run_pb2, run_service_pb2

Handler = Callable[[Any, grpc.ServicerContext], Any]


class FakePlanner:
    """By default it keeps what is reported of one run that began when it says it did."""

    def __init__(self, now: float = 0.0) -> None:
        # Its clock; 0: that of the requests.
        self.now = now
        self.started: List[run_service_pb2.StartRunRequest] = []
        self.samples: List[run_pb2.ProgressSample] = []
        self.finished: List[run_service_pb2.FinishRunRequest] = []
        self.handlers: Dict[str, Handler] = {
            methods.START_RUN.path: self._start,
            methods.REPORT_PROGRESS.path: self._report,
            methods.FINISH_RUN.path: self._finish,
        }
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="planner-", dir="/tmp"))
        self.address = f"unix:{self._folder}/s"
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((_Router(self),))

    def __enter__(self) -> "FakePlanner":
        self._server.add_insecure_port(self.address)
        self._server.start()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self._server.stop(None).wait()
        shutil.rmtree(self._folder)

    def _start(self, request: run_service_pb2.StartRunRequest, context: grpc.ServicerContext) -> run_pb2.Run:
        run = run_pb2.Run(name="" if request.validate_only else "runs/1", plan=request.run.plan, state=run_pb2.Run.RUNNING)
        if request.run.HasField("start_time"):
            run.start_time.CopyFrom(request.run.start_time)
        elif self.now:
            run.start_time.FromNanoseconds(int(self.now * 1e9))
        else:
            run.start_time.GetCurrentTime()
        if not request.validate_only:
            self.started.append(request)
        return run

    def _report(self, requests: Iterator[run_service_pb2.ReportProgressRequest],
                context: grpc.ServicerContext) -> run_service_pb2.ReportProgressResponse:
        count = 0
        for request in requests:
            self.samples.extend(request.samples)
            count += len(request.samples)
        return run_service_pb2.ReportProgressResponse(accepted_count=count)

    def _finish(self, request: run_service_pb2.FinishRunRequest, context: grpc.ServicerContext) -> run_pb2.Run:
        self.finished.append(request)
        return run_pb2.Run(name=request.name, state=request.state)


class _Router(grpc.GenericRpcHandler):
    def __init__(self, planner: FakePlanner) -> None:
        self._planner = planner
        self._methods = {method.path: method for method in vars(methods).values() if isinstance(method, methods.Method)}

    def service(self, details: Any) -> Any:
        handler, method = self._planner.handlers.get(details.method), self._methods.get(details.method)
        if handler is None or method is None:
            return None
        make = grpc.stream_unary_rpc_method_handler if method is methods.REPORT_PROGRESS else grpc.unary_unary_rpc_method_handler
        # Asked for with each call: a test may change its mind.
        return make(lambda request, context: self._planner.handlers[details.method](request, context),
                    request_deserializer=method.request.FromString, response_serializer=method.response.SerializeToString)


def refuse(context: grpc.ServicerContext, code: grpc.StatusCode, message: str, *, reason: str = "", retry_seconds: float = 0.0,
           field: str = "") -> None:
    """Ends a call as plannerd does."""
    status = error_details_pb2.Status(code=code.value[0], message=message)
    details: List[Any] = []
    if reason:
        details.append(error_details_pb2.ErrorInfo(reason=reason, domain="planner", metadata={"max": "1"}))
    if field:
        details.append(error_details_pb2.BadRequest(
            field_violations=[error_details_pb2.BadRequest.FieldViolation(field=field, description=message)]))
    if retry_seconds:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(retry_seconds * 1e9))
        details.append(retry)
    for detail in details:
        status.details.add(type_url=f"type.googleapis.com/google.rpc.{detail.DESCRIPTOR.name}", value=detail.SerializeToString())
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)
