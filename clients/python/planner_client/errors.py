"""What a call fails with."""

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple, Type

import grpc

from planner_client.api import error_details_pb2

_DETAILS = "grpc-status-details-bin"
_LONGEST_RETRY_DELAY = 3600.0


@dataclass(frozen=True)
class FieldViolation:
    """A field of the request that cannot be as it is."""

    # Its path, "resources.max_gpus".
    field: str
    description: str


class PlannerError(Exception):
    """A call that failed. Its subclasses are by code; `except PlannerError` catches them all."""

    def __init__(self, code: grpc.StatusCode, message: str, reason: str = "", violations: Tuple[FieldViolation, ...] = (),
                 metadata: Mapping[str, str] = {}, retry_delay: float = 0.0) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        # For programs: "UNKNOWN_MODEL"; empty: none was given.
        self.reason = reason
        self.violations = violations
        # The values that the message names.
        self.metadata = dict(metadata)
        # Seconds after which the server would be asked again; 0: it does not say.
        self.retry_delay = retry_delay

    @property
    def field(self) -> str:
        """Path of the first field that cannot be as it is, "resources.max_gpus"; empty: it is none."""
        return self.violations[0].field if self.violations else ""

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.code, self.message, self.reason, self.violations, self.metadata, self.retry_delay)


class InvalidArgumentError(PlannerError):
    """Something in the request cannot be; `field` says what."""


class NotFoundError(PlannerError):
    pass


class AlreadyExistsError(PlannerError):
    pass


class FailedPreconditionError(PlannerError):
    """Not in this state of things; `reason` says why: RUN_FINISHED, NOT_FREE, …"""


class AbortedError(PlannerError):
    """Somebody else has changed it: read it again."""


class ResourceExhaustedError(PlannerError):
    pass


class UnavailableError(PlannerError):
    """No planner answers."""


class DeadlineExceededError(PlannerError):
    pass


class PermissionDeniedError(PlannerError):
    pass


class UnauthenticatedError(PlannerError):
    pass


_BY_CODE: Dict[grpc.StatusCode, Type[PlannerError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
    grpc.StatusCode.ABORTED: AbortedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
}


def from_rpc_error(error: Any) -> PlannerError:
    """Of a grpc.RpcError, synchronous or of grpc.aio."""
    code: grpc.StatusCode = error.code()
    reason, retry_delay = "", 0.0
    violations: Tuple[FieldViolation, ...] = ()
    metadata: Dict[str, str] = {}
    for key, value in error.trailing_metadata() or ():
        if key != _DETAILS:
            continue
        status = error_details_pb2.Status()
        try:
            status.ParseFromString(value)
            for detail in status.details:
                # By the name alone: whoever sent it calls the package google.rpc.
                name = detail.type_url.rpartition(".")[2]
                if name == "ErrorInfo":
                    info = error_details_pb2.ErrorInfo.FromString(detail.value)
                    reason, metadata = info.reason, dict(info.metadata)
                elif name == "BadRequest":
                    request = error_details_pb2.BadRequest.FromString(detail.value)
                    violations = tuple(FieldViolation(one.field, one.description) for one in request.field_violations)
                elif name == "RetryInfo":
                    delay = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay
                    retry_delay = min(max(0.0, delay.seconds + delay.nanos / 1e9), _LONGEST_RETRY_DELAY)
        except Exception:  # protobuf's DecodeError has no stable home. A garbled detail must not hide the error itself.
            continue
    return _BY_CODE.get(code, PlannerError)(code, error.details() or "", reason, violations, metadata, retry_delay)
