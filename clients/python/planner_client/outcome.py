"""How a training ended, by how its `with` block did."""

import asyncio
import signal
from typing import NamedTuple, Optional

from planner_client.api.v1 import run_pb2

_LONGEST_MESSAGE = 1000
# What shells and schedulers make of a signal that asks a program to end.
_ASKED_TO_END = (128 + signal.SIGINT, 128 + signal.SIGTERM)


class Outcome(NamedTuple):
    state: "run_pb2.Run.State"
    message: str


def outcome_of(error: Optional[BaseException]) -> Outcome:
    """SUCCEEDED for none and for exit code 0; CANCELLED where somebody asked it to end (Ctrl-C, exit codes of SIGINT and SIGTERM, a
    cancelled task); else FAILED.
    """
    if error is None:
        return Outcome(run_pb2.Run.SUCCEEDED, "")
    if isinstance(error, SystemExit):
        if error.code is None or error.code == 0:
            return Outcome(run_pb2.Run.SUCCEEDED, "")
        message = f"exit code {error.code}" if isinstance(error.code, int) else f"exit: {error.code}"
        return Outcome(run_pb2.Run.CANCELLED if error.code in _ASKED_TO_END else run_pb2.Run.FAILED, shortened(message))
    if isinstance(error, (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)):
        return Outcome(run_pb2.Run.CANCELLED, type(error).__name__)
    try:
        text = str(error)
    except Exception:  # An exception's own __str__ may fail; that must not hide it.
        text = "(its text cannot be made)"
    return Outcome(run_pb2.Run.FAILED, shortened(f"{type(error).__name__}: {text}" if text else type(error).__name__))


def shortened(text: str) -> str:
    """What the API takes as a message: valid UTF-8, not too long."""
    # At most one byte a character is lost at the cut.
    return text.encode("utf-8", "replace")[:_LONGEST_MESSAGE].decode("utf-8", "ignore")
