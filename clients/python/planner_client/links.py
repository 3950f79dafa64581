"""Channels to the addresses of a planner, replaced when they break.

gRPC connects a broken channel again only while a call waits on it, or at its own five seconds' polling: calls that fail at once would find a
planner that is back that much later. A new channel connects with its first call, so the waiting is ours alone (Retry).
"""

import threading
from typing import Any, Callable, Generic, List, Optional, Sequence, TypeVar

Channel = TypeVar("Channel")


class Link(Generic[Channel]):
    """One channel, and how many calls use it."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.users = 0
        self.is_retired = False
        # Calls on it need not wait for its connection.
        self.is_connected = False


class Links(Generic[Channel]):
    """One link for each address, made when it is needed. Thread-safe."""

    def __init__(self, addresses: Sequence[str], make: Callable[[str], Channel]) -> None:
        self._addresses = addresses
        self._make = make
        self._lock = threading.Lock()
        self._links: List[Optional[Link[Channel]]] = [None] * len(addresses)
        self._current = 0

    @property
    def current(self) -> int:
        """Of the address that answered last."""
        return self._current

    def acquire(self, index: int) -> Link[Channel]:
        with self._lock:
            link = self._links[index]
            if link is None:
                link = self._links[index] = Link(self._make(self._addresses[index]))
            link.users += 1
            return link

    def release(self, index: int, link: Link[Channel], is_broken: bool) -> List[Channel]:
        """After a call. Channels that are to be closed: the others' calls on them have ended, too. Broken: the next call is to be of the next
        address, and the next one of this address on a new channel.
        """
        with self._lock:
            link.users -= 1
            if is_broken:
                link.is_retired = True
                if self._links[index] is link:
                    self._links[index] = None
                    if self._current == index:
                        self._current = (index + 1) % len(self._addresses)
            return [link.channel] if link.is_retired and link.users == 0 else []

    def skip(self, index: int) -> None:
        """The next call is to be of the next address."""
        with self._lock:
            if self._current == index:
                self._current = (index + 1) % len(self._addresses)

    def clear(self) -> List[Channel]:
        """Channels that are to be closed, whatever is under way on them."""
        with self._lock:
            links, self._links = self._links, [None] * len(self._addresses)
            return [link.channel for link in links if link is not None]


def is_broken(error: Any) -> bool:
    """Whether a call's grpc.RpcError is of its channel, or may be: a process that stands still keeps its connections, and answers nothing."""
    return bool(error.code().name in ("UNAVAILABLE", "DEADLINE_EXCEEDED"))
