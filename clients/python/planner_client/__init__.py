"""Speaks to Planner: plans trainings, and reports them while they run.

    with planner_client.Reporter("plans/…") as reporter:    # a run of a plan; never blocks or breaks the training
        reporter.report(step, loss=loss)
    with planner_client.Client("planner1:7070") as planner:
        planner.estimate(request)                           # also planner_client.AsyncClient

Callbacks are in planner_client.huggingface and planner_client.lightning; `python -m planner_client.tail` follows the logs of others; the
API's messages are in planner_client.api.v1.
"""

from planner_client.async_client import AsyncClient
from planner_client.client import Client
from planner_client.connecting import TlsFiles
from planner_client.errors import (
    AbortedError,
    AlreadyExistsError,
    DeadlineExceededError,
    FailedPreconditionError,
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    PlannerError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
)
from planner_client.reporter import Reporter, ReporterOptions, Stats
from planner_client.retrying import Retry

__all__ = [
    "AbortedError",
    "AlreadyExistsError",
    "AsyncClient",
    "Client",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "FieldViolation",
    "InvalidArgumentError",
    "NotFoundError",
    "PermissionDeniedError",
    "PlannerError",
    "Reporter",
    "ReporterOptions",
    "ResourceExhaustedError",
    "Retry",
    "Stats",
    "TlsFiles",
    "UnauthenticatedError",
    "UnavailableError",
]
