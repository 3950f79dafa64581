"""When a call is tried again."""

import random as chance
from dataclasses import dataclass
from typing import Callable, Optional

import grpc

from planner_client.errors import PlannerError


@dataclass(frozen=True)
class Retry:
    """How often a call is tried, and how many seconds it waits in between. The same rules as those of the C++ client."""

    # All addresses are tried in a round. 1: no waiting.
    rounds: int = 4
    first_wait: float = 0.1
    longest_wait: float = 5.0
    # Of the wait, from round to round.
    growth: float = 2.0
    # For an address to let itself be connected to, where there are others: one whose machine is gone, or whose process stands still, must not
    # use up the call's whole time.
    longest_connect: float = 2.0


class Tries:
    """Of one call. After UNAVAILABLE and RESOURCE_EXHAUSTED the next address is tried at once; when all of them have been tried it waits, at
    random, between half of the wait of that round and all of it, so that many clients do not come back together; but no shorter than the
    server asks for (RetryInfo), and up to half as much longer.
    """

    def __init__(self, retry: Retry, addresses: int, deadline: float, random: Callable[[], float] = chance.random) -> None:
        self._retry = retry
        self._addresses = addresses
        self.deadline = deadline
        # The planner may have done what was asked, although no try has been answered.
        self.may_be_done = False
        self._random = random
        self._tries = 0
        self._wait = retry.first_wait

    def connect_seconds(self, now: float) -> float:
        """How long the next try may wait for its connection, so that the other addresses have their share of the time."""
        return min(self._retry.longest_connect, max(0.0, self.deadline - now) / self._addresses)

    def after(self, error: PlannerError, now: float) -> Optional[float]:
        """Seconds to wait for the next try; None: `error` is the answer."""
        if error.code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
            return None
        self.may_be_done = self.may_be_done or error.code == grpc.StatusCode.UNAVAILABLE
        self._tries += 1
        wait = 0.0
        if self._tries % self._addresses == 0:
            if self._tries >= self._addresses * max(1, self._retry.rounds):
                return None
            wait = max(self._wait * (0.5 + 0.5 * self._random()), error.retry_delay * (1 + 0.5 * self._random()))
            self._wait = min(self._wait * self._retry.growth, self._retry.longest_wait)
        return None if now + wait >= self.deadline else wait
