"""Requests that both clients make alike."""

import uuid
from typing import Iterable, List, Optional

from planner_client.api.v1 import plan_service_pb2, run_pb2, run_service_pb2
from planner_client.errors import PlannerError

# Of one message of ReportProgress.
MOST_SAMPLES = 1000


def with_request_id(request_id: str) -> str:
    """What makes something is tried again with the same id, so that it is made once."""
    return request_id or uuid.uuid4().hex


def progress(run: str, samples: Iterable[run_pb2.ProgressSample]) -> List[run_service_pb2.ReportProgressRequest]:
    """The messages of a stream, at least one."""
    kept = list(samples)
    return [run_service_pb2.ReportProgressRequest(run=run, samples=kept[i:i + MOST_SAMPLES])
            for i in range(0, max(1, len(kept)), MOST_SAMPLES)]


def has_become(plan: Optional[plan_service_pb2.Plan], state: "plan_service_pb2.Plan.State", error: PlannerError) -> plan_service_pb2.Plan:
    """A change of state that was refused after its answer was lost: it may have been done by then."""
    if plan is None or plan.state != state:
        raise error
    return plan
