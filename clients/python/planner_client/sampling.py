"""Samples between the training and the thread that sends them."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any, Deque, List, Optional, SupportsFloat

from planner_client.api.v1 import run_pb2


@dataclass
class Sample:
    # Seconds since 1970, by this machine's clock.
    time: float
    step: int
    tokens: Optional[float] = None
    tokens_per_second: Optional[float] = None
    # A number, or a tensor that is read when it is sent: reading one of a GPU waits for the GPU.
    loss: Any = None
    gpu_utilization: Optional[float] = None


def number(value: Optional[SupportsFloat], low: float = -math.inf, high: float = math.inf) -> Optional[float]:
    """`value` if it is a number within the bounds; else none: one figure that is wrong must not cost the others."""
    if value is None:
        return None
    try:
        read = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return read if math.isfinite(read) and low <= read <= high else None


def to_proto(sample: Sample, clock_offset: float) -> run_pb2.ProgressSample:
    """`clock_offset`: seconds that the planner's clock is ahead of this machine's."""
    message = run_pb2.ProgressSample(step=sample.step, token_count=number(sample.tokens, 0.0),
                                     tokens_per_second=number(sample.tokens_per_second, 0.0), loss=number(sample.loss),
                                     gpu_utilization_ratio=number(sample.gpu_utilization, 0.0, 1.0))
    message.time.FromNanoseconds(round((sample.time + clock_offset) * 1e6) * 1000)
    return message


class SampleQueue:
    """At most `limit` samples that wait, at most one for every `sample_seconds`. Not thread-safe.

    Of what is reported within an interval the newest stays, so the last report is never lost. When the queue is full every other sample
    goes, and of those to come only every other one stays, until what waits could be sent: it covers the whole time evenly.

    Every sample is counted once: reported = merged + dropped + len(queue) + what was taken and not given back.
    """

    def __init__(self, limit: int, sample_seconds: float) -> None:
        self._limit = max(2, limit)
        self._sample_seconds = sample_seconds
        self._kept: Deque[Sample] = deque()
        self._newest: Optional[Sample] = None
        # Of the sample before the newest.
        self._last_time = -math.inf
        # One of so many is kept; those that were not, since the last one that was.
        self._stride = 1
        self._skipped = 0
        self.reported = 0
        self.merged = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._kept) + (self._newest is not None)

    def add(self, sample: Sample) -> None:
        self.reported += 1
        if self._newest is not None:
            # A clock that was set back begins a new interval.
            if 0 <= self._newest.time - self._last_time < self._sample_seconds:
                self.merged += 1
            else:
                self._last_time = self._newest.time
                self._keep(self._newest)
        self._newest = sample
        self._thin()

    def take(self) -> List[Sample]:
        """All of them, in order. Either `settle` or `give_back` follows."""
        taken = list(self._kept)
        self._kept.clear()
        if self._newest is not None:
            taken.append(self._newest)
            self._last_time = self._newest.time
            self._newest = None
        return taken

    def settle(self, dropped: int = 0) -> None:
        """What was taken is dealt with: there is room again. `dropped` of it will never be sent."""
        self.dropped += dropped
        self._stride, self._skipped = 1, 0

    def give_back(self, taken: List[Sample]) -> None:
        """What could not be sent."""
        self._kept.extendleft(reversed(taken))
        self._thin()

    def _keep(self, sample: Sample) -> None:
        self._skipped += 1
        if self._skipped < self._stride:
            self.dropped += 1
        else:
            self._kept.append(sample)
            self._skipped = 0

    def _thin(self) -> None:
        while len(self) > self._limit:
            before = len(self._kept)
            # The newest of each two: what comes after them is then as far away as they are from each other.
            self._kept = deque(sample for i, sample in enumerate(self._kept) if i % 2 == (before - 1) % 2)
            self.dropped += before - len(self._kept)
            self._stride *= 2
            self._skipped = 0
