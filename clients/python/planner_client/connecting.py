"""Addresses, TLS and channels."""

import asyncio
import os
import re
import threading
import time
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple, Union

import grpc
import grpc.aio

DEFAULT_ADDRESS = "127.0.0.1:7070"
_SETTLED = (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN)
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


@dataclass(frozen=True)
class TlsFiles:
    """Paths of PEM files. Empty: no TLS, for the same machine or a network that is trusted."""

    # Who signs the servers' certificates.
    ca: str = ""
    # The client's own, where servers want one (mutual TLS), with its key.
    certificate: str = ""
    key: str = ""


def addresses_of(server: Union[str, Sequence[str], None]) -> List[str]:
    """`server`, else $PLANNER_SERVER, else 127.0.0.1:7070: addresses of replicas of one planner, in a text with commas in between."""
    if server is None:
        server = os.environ.get("PLANNER_SERVER") or DEFAULT_ADDRESS
    addresses = [part.strip() for part in server.split(",")] if isinstance(server, str) else list(server)
    if not addresses:
        raise ValueError("server: there is no address")
    for address in addresses:
        target_of(address)
    return addresses


def target_of(address: str) -> str:
    """gRPC's name of an address. gRPC itself would take "localhost" and only fail much later, by trying port 443."""
    if address.startswith("unix:"):
        if not os.path.isabs(address[len("unix:"):]):
            raise ValueError(f"server: the path must be absolute: {address!r}")
        return address
    match = _HOST_PORT.fullmatch(address)
    if match is None or not 1 <= int(match[2]) <= 65535:
        raise ValueError(f"server: must be host:port or unix:/path: {address!r}")
    return f"dns:///{address}"


def options() -> List[Tuple[str, int]]:
    return [
        ("grpc.enable_http_proxy", 0),  # The planner is in the same site.
        ("grpc.max_receive_message_length", -1),  # Module trees are as large as the caller's models.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # A new channel is to connect at once, and not to wait as long as a broken one of the same address does.
        ("grpc.use_local_subchannel_pool", 1),
    ]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def credentials_of(tls: Optional[TlsFiles]) -> Optional[grpc.ChannelCredentials]:
    if tls is None or tls == TlsFiles():
        return None
    if not tls.ca:
        raise ValueError("tls.ca: is missing: who signs the servers' certificates?")
    if bool(tls.certificate) != bool(tls.key):
        raise ValueError("tls: a certificate and its key belong together")
    return grpc.ssl_channel_credentials(
        _read(tls.ca), _read(tls.key) if tls.key else None, _read(tls.certificate) if tls.certificate else None)


def connects(channel: grpc.Channel, seconds: float) -> bool:
    """Whether it is connected in time, or has failed to be: then a call on it says why. False: nobody has said anything."""
    settled = threading.Event()

    def changed(state: grpc.ChannelConnectivity) -> None:
        if state in _SETTLED:
            settled.set()

    channel.subscribe(changed, try_to_connect=True)
    try:
        return settled.wait(seconds)
    finally:
        channel.unsubscribe(changed)


async def connects_async(channel: grpc.aio.Channel, seconds: float) -> bool:
    """The same for asyncio."""
    end = time.monotonic() + seconds
    state = channel.get_state(try_to_connect=True)
    while state not in _SETTLED:
        try:
            await asyncio.wait_for(channel.wait_for_state_change(state), max(0.0, end - time.monotonic()))
        except asyncio.TimeoutError:
            return False
        state = channel.get_state(try_to_connect=True)
    return True


def is_local(address: str) -> bool:
    """Whoever can open the socket's file is on this machine."""
    return address.startswith("unix:")
