"""A real plannerd, whose path ctest gives in PLANNERD, on a Unix socket of its own: no port, and the same address after a restart."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from types import TracebackType
from typing import Any, List, Optional, Type

from planner_client import Client
from planner_client.api.v1 import estimate_pb2


class Daemon:
    """`with Daemon() as daemon:` it runs, and nothing of it is left afterwards."""

    def __init__(self, config: str = "", starts: bool = True) -> None:
        # Short: a socket's path has 107 characters at most.
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="planner-", dir="/tmp"))
        self.address = f"unix:{self._folder}/s"
        self._config = config
        self._starts = starts
        self._process: Optional["subprocess.Popen[str]"] = None
        self._drain: Optional[threading.Thread] = None

    def __enter__(self) -> "Daemon":
        if self._starts:
            self.start()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        command = [os.environ["PLANNERD"], "--listen", self.address, "--metrics_listen", "off", "--state_dir", str(self._folder / "state")]
        if self._config:
            (self._folder / "plannerd.textproto").write_text(self._config)
            command += ["--config", str(self._folder / "plannerd.textproto")]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said: List[str] = []
        pipe: Any = self._process.stderr
        for line in pipe:
            said.append(line)
            if "event=ready" in line:
                break
        else:
            raise AssertionError(f"plannerd did not start: {''.join(said)}")
        self._drain = threading.Thread(target=pipe.read, daemon=True)
        self._drain.start()

    def kill(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        assert self._drain is not None and self._process.stderr is not None
        self._drain.join()
        self._process.stderr.close()
        self._process = None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)
        # A signal is sent before it is there: until all threads stand still, one of them may answer.
        assert self._process is not None
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def client(self) -> Client:
        return Client(self.address)

    def plan(self) -> str:
        """The name of a plan: gpt2 on one A100, 1,000 steps of 2^19 tokens."""
        with self.client() as client:
            return client.create_plan(request()).name


class Mute:
    """What a process is that stands still: its kernel takes connections, and nobody says anything on them."""

    def __init__(self) -> None:
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="planner-", dir="/tmp"))
        self.address = f"unix:{self._folder}/s"
        self._socket = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> "Mute":
        self._socket.bind(str(self._folder / "s"))
        self._socket.listen(64)
        self._socket.setblocking(False)
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self._socket.close()
        shutil.rmtree(self._folder)

    def connections(self) -> int:
        """Made since it was asked the last time."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


def request() -> estimate_pb2.EstimateRequest:
    made = estimate_pb2.EstimateRequest()
    made.model.preset = "gpt2"
    made.data_set.token_count = 1000 * 2**19
    made.training.global_batch = 512
    made.resources.gpu_types.append("a100")
    made.resources.min_gpus = made.resources.max_gpus = 1
    return made
