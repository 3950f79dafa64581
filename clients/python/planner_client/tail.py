"""Reports a training by its log: for jobs that nobody is going to change.

    python -m planner_client.tail --format megatron --run runs/… train.log          until Ctrl-C or SIGTERM
    torchrun … 2>&1 | python -m planner_client.tail --format torchtitan --plan plans/… --echo -

The run is left running, unless the log says that the training is done: it is SUCCEEDED then. --finish says otherwise. Exit codes: 0: the
planner has everything; 1: it refuses; 2: usage; 4: it does not answer.
"""

import argparse
import errno
import logging
import os
import signal
import sys
import threading
import time
from typing import Optional, Sequence

from planner_client.api.v1 import run_pb2
from planner_client.connecting import TlsFiles
from planner_client.log_file import LineBuffer, LogFile
from planner_client.log_lines import FORMATS
from planner_client.reporter import Reporter, ReporterOptions
from planner_client.tailing import Tailer

_STATES = {"succeeded": run_pb2.Run.SUCCEEDED, "failed": run_pb2.Run.FAILED, "cancelled": run_pb2.Run.CANCELLED}


def _count(text: str) -> int:
    """0 would be waited for for ever (--pid), and less means nothing."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be above 0: {text}")
    return count


def _arguments(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m planner_client.tail", description="Reports a training to the planner by its log.")
    parser.add_argument("file", metavar="FILE", help="the log, which may be rotated and cut; -: standard input, to its end")
    parser.add_argument("--format", required=True, choices=sorted(FORMATS))
    parser.add_argument("--run", default="", help="the run: runs/… (default: $PLANNER_RUN)")
    parser.add_argument("--plan", default="", help="or the plan that a run is begun of: plans/… (default: $PLANNER_PLAN)")
    parser.add_argument("--request-id", default="", help="goes on with the run that was begun with it, if that has not ended")
    parser.add_argument("--description", default="", help="of a run that is begun")
    parser.add_argument("--server", help="host:port or unix:/path, several with commas (default: $PLANNER_SERVER, 127.0.0.1:7070)")
    parser.add_argument("--tls-ca", default="", metavar="FILE")
    parser.add_argument("--tls-cert", default="", metavar="FILE")
    parser.add_argument("--tls-key", default="", metavar="FILE")
    parser.add_argument("--seq-len", type=_count, default=0, metavar="N", help="tokens of a sample, for Megatron's consumed samples")
    parser.add_argument("--gpus", type=_count, default=0, metavar="N", help="GPUs of the training, for torchtitan's tokens per second")
    parser.add_argument("--once", action="store_true", help="ends at the end of the file, and does not wait for more")
    parser.add_argument("--pid", type=_count, metavar="PID", help="ends when this process has ended")
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="between two looks at the file (default: 1)")
    parser.add_argument("--report-interval", type=float, default=5.0, metavar="SECONDS", help="between two batches of reports (default: 5)")
    parser.add_argument("--finish", choices=["auto", "none", *_STATES], default="auto", help="how the run ends at the end of the log")
    parser.add_argument("--echo", action="store_true", help="prints standard input again")
    parsed = parser.parse_args(arguments)
    if parsed.run and parsed.plan:
        parser.error("--run and --plan: one of them")
    if not (parsed.run or parsed.plan or os.environ.get("PLANNER_RUN") or os.environ.get("PLANNER_PLAN")):
        parser.error("--run or --plan is missing")
    if not (parsed.interval > 0 and parsed.report_interval > 0):
        parser.error("intervals must be above 0")
    return parsed


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class _Command:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        # Asked to end, by a signal.
        self._stop = threading.Event()
        self._tailer = Tailer(FORMATS[arguments.format], self._reporter, seq_len=arguments.seq_len, gpu_count=arguments.gpus)

    def run(self) -> int:
        if self._arguments.file == "-":
            # Ctrl-C is meant for the training before us, whose last lines are still to come.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._read_input()
        else:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *unused: self._stop.set())
            self._read_file()
        return self._end()

    def _reporter(self, start_time: float) -> Reporter:
        its = self._arguments
        tls = TlsFiles(its.tls_ca, its.tls_cert, its.tls_key)
        # The log is of one rank, wherever it is read.
        return Reporter(its.plan, run=its.run, request_id=its.request_id, description=its.description, server=its.server, tls=tls,
                        start_time=start_time, only_rank_zero=False, options=ReporterOptions(flush_seconds=its.report_interval))

    def _read_input(self) -> None:
        lines = LineBuffer()
        while True:
            data = os.read(sys.stdin.fileno(), 1 << 16)
            if self._arguments.echo and data:
                self._echo(data)
            self._tailer.feed(lines.add(data) if data else lines.end(), time.time())
            if not data:
                return

    def _echo(self, data: bytes) -> None:
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except OSError:
            # Whoever read it has left. The reports go on.
            self._arguments.echo = False

    def _read_file(self) -> None:
        if self._arguments.once:
            # Nobody is going to make it.
            os.stat(self._arguments.file)
        if os.path.isdir(self._arguments.file):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self._arguments.file)
        file = LogFile(self._arguments.file)
        while not self._stop.is_set():
            # Asked before the file is: what it wrote before it ended is then there to be read.
            is_over = self._arguments.once or (self._arguments.pid is not None and not _is_alive(self._arguments.pid))
            lines = file.poll()
            if lines:
                self._tailer.feed(lines, file.written_at)
                # Of a long log that is there already, no more than is sent.
                if self._tailer.reporter is not None and len(lines) > 1000:
                    self._tailer.reporter.flush()
            elif is_over:
                self._tailer.feed(file.end(), file.written_at)
                break
            else:
                self._stop.wait(self._arguments.interval)
        file.close()

    def _end(self) -> int:
        reporter = self._tailer.reporter
        if reporter is None:
            print(f"warning: no line of {self._arguments.file} is about progress in the format {self._arguments.format}", file=sys.stderr)
            return 0
        finish = self._arguments.finish
        if finish == "auto":
            finish = "succeeded" if self._tailer.is_done else "none"
        if finish == "none" or self._stop.is_set():
            reporter.detach()
        else:
            reporter.close(_STATES[finish], "by its log")
        stats = reporter.stats
        print(f"{reporter.run or 'no run'}: {self._tailer.line_count} lines, {stats.accepted} reports accepted, {stats.refused} refused, "
              f"{stats.dropped} dropped, {stats.waiting} not sent", file=sys.stderr)
        if not reporter.is_closed_well:
            print(f"error: {stats.last_error or 'the planner does not answer'}", file=sys.stderr)
            return 1 if reporter.is_refused else 4
        return 0


def main(arguments: Optional[Sequence[str]] = None) -> int:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        return _Command(_arguments(arguments)).run()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
