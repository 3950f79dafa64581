"""Reports a training to the planner, without ever being in its way."""

import atexit
import logging
import os
import random
import threading
import time as clocks
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Callable, List, Mapping, Optional, Sequence, Type, Union

import grpc

from planner_client.api.v1 import run_pb2
from planner_client.client import Client
from planner_client.connecting import TlsFiles
from planner_client.errors import PlannerError
from planner_client.outcome import Outcome, outcome_of, shortened
from planner_client.retrying import Retry
from planner_client.sampling import Sample, SampleQueue, number, to_proto

_LOG = logging.getLogger("planner_client")
# Set by torchrun, Slurm, Open MPI and MPICH.
_RANKS = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
# What may be otherwise the next time. Everything else is a refusal of the planner's.
_PASSING = frozenset((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED,
                      grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED))
# Runs that one request_id names, one after the other, at most.
_MOST_TAKEN_UP = 1000
# Between two tries while the training waits at its end.
_WAIT_AT_THE_END = 0.2


@dataclass(frozen=True)
class ReporterOptions:
    """Seconds, and counts."""

    # At least between two samples that are sent: of what is reported in between, the newest.
    sample_seconds: float = 1.0
    # Between two batches.
    flush_seconds: float = 10.0
    # Samples that wait for the planner at most. When there are more, every other one is dropped, evenly over the whole time.
    queue_limit: int = 2000
    # Of one call to the planner.
    call_seconds: float = 10.0
    # That the end of the training waits for the planner at most.
    close_seconds: float = 5.0
    # While the planner does not answer: doubled from the first to the longest, each at random between half of it and all.
    first_wait: float = 0.5
    longest_wait: float = 30.0


@dataclass(frozen=True)
class Stats:
    """What has become of the reports so far: reported = merged + dropped + accepted + refused + waiting."""

    reported: int = 0
    # A newer one within sample_seconds took their place.
    merged: int = 0
    # There was no more room, or the planner will not have them.
    dropped: int = 0
    accepted: int = 0
    # By the planner, one by one.
    refused: int = 0
    waiting: int = 0
    # Reports without a step that can be one; they are not among the reported.
    invalid: int = 0
    # Calls that failed, and the last one's error.
    failed_calls: int = 0
    last_error: str = ""


class Reporter:
    """A run of a plan, from the training's side.

        with Reporter("plans/20260101-000000-4f3a9c01") as reporter:
            for step, batch in enumerate(batches, 1):
                loss = train(batch)
                reporter.report(step, loss=loss)

    The run begins with the block, and ends SUCCEEDED, FAILED (an exception, an exit code) or CANCELLED (Ctrl-C; exit codes 130 and 143) as the
    block does. Nothing that happens to the planner disturbs the training: `report` takes microseconds, waits for nobody and raises nothing;
    a thread sends batches. While the planner is away a bounded number of samples waits, `stats` counts what is dropped, and the thread tries
    again, ever less often. Leaving the block takes at most close_seconds.

    It does nothing (and says so once in the log) where neither argument nor environment name a plan or a run, in ranks above 0, and in
    processes that are forked from the one that started it.
    """

    def __init__(self, plan: str = "", *, run: str = "", request_id: str = "", description: str = "",
                 server: Union[str, Sequence[str], None] = None, tls: Optional[TlsFiles] = None,
                 gpu_utilization: Optional[Callable[[], Optional[float]]] = None, options: ReporterOptions = ReporterOptions(),
                 start_time: Optional[float] = None, only_rank_zero: bool = True, environment: Optional[Mapping[str, str]] = None) -> None:
        """
        plan: the plan that is carried out; default: $PLANNER_PLAN, or $PLANNER_PLAN_ID, which jobs have that were planned by Slurm's plugin.
        run: instead of a plan, a run that somebody has started (`plannerctl run start`); default: $PLANNER_RUN.
        request_id: a training that is started again with the same one goes on with the same run, if that has not ended. Default: of the
            Slurm job and step, else a new run every time. At most 120 characters. A job that was planned by Slurm's plugin has a run already, which
            its prolog has begun: that one.
        server: as Client's.
        start_time: seconds since 1970 when the training began; default: when the block is entered.
        gpu_utilization: asked for the mean over all GPUs, 0 to 1, by the thread, once a batch.
        """
        self._environment = os.environ if environment is None else environment
        self._plan = plan or ("" if run else self._environment.get("PLANNER_PLAN", ""))
        self._run = run or ("" if self._plan else self._environment.get("PLANNER_RUN", ""))
        if not self._plan and not self._run:
            self._plan = self._environment.get("PLANNER_PLAN_ID", "")
        self._request_id = request_id or self._default_request_id()
        self._description = shortened(description)
        self._gpu_utilization = gpu_utilization
        self._start_time = start_time
        self._options = options
        self._is_on = bool(self._plan or self._run) and not (only_rank_zero and self._rank() > 0)
        if not self._plan and not self._run:
            _LOG.warning("nothing is reported: there is no plan and no run (arguments, PLANNER_PLAN, PLANNER_RUN)")
        # Malformed addresses are the caller's mistake, not the planner's: they are said at once.
        self._client = Client(self._environment.get("PLANNER_SERVER") if server is None else server, timeout=options.call_seconds, tls=tls,
                              retry=Retry(rounds=1))
        # Reentrant: a signal's handler may report or close while the training is within `report`.
        self._changed = threading.Condition(threading.RLock())
        self._queue = SampleQueue(options.queue_limit, options.sample_seconds)
        self._thread: Optional[threading.Thread] = None
        self._pid = 0
        self._began = self._began_monotonic = 0.0
        self._closing: Optional[Outcome] = None
        self._is_closed_well = False
        self._close_by = 0.0
        self._flushes_asked = self._flushes_done = 0
        self._refusal = ""
        self._in_flight = 0
        self._accepted = self._refused = self._invalid = self._failed_calls = 0
        self._last_error = ""
        # The thread's own.
        self._is_ready = False
        self._is_failing = False
        self._has_said_refused = False
        self._clock_offset = 0.0
        self._wait = options.first_wait
        self._not_before = 0.0
        self._next_flush = 0.0

    # The training's side.

    def __enter__(self) -> "Reporter":
        self.start()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close(*outcome_of(error))

    def start(self) -> None:
        """What entering the block does, for those who have no block."""
        if not self._is_on or self._thread is not None:
            return
        self._began = clocks.time()
        self._began_monotonic = clocks.monotonic()
        thread = threading.Thread(target=self._work, name="planner-reporter", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # As many threads as this process may have; the training does without us.
            _LOG.warning("nothing is reported: %s", error)
            return
        self._pid = os.getpid()
        self._thread = thread
        atexit.register(self._at_exit)

    def report(self, step: int, *, tokens: Optional[float] = None, loss: Any = None, gpu_utilization: Optional[float] = None,
               tokens_per_second: Optional[float] = None, time: Optional[float] = None) -> None:
        """Where the training is: optimizer steps that are done, and what is known beside.

        tokens: done so far (samples where the model has no sequences); default: steps times those of a step.
        loss: a number, or a tensor of one. gpu_utilization: mean over the GPUs, 0 to 1. tokens_per_second: of all GPUs.
        time: seconds since 1970; default: now. A figure that is none (NaN, out of range) is left out.
        """
        if not self._is_mine():
            return
        try:
            done = int(step)
            if done < 0:
                raise ValueError(f"step is negative: {done}")
            if hasattr(loss, "detach"):
                # Its value of now, without its graph, and without waiting for the GPU that computes it.
                loss = loss.detach().clone()
            now = self._now() if time is None else float(time)
            sample = Sample(now, done, number(tokens, 0.0), number(tokens_per_second, 0.0), loss, number(gpu_utilization, 0.0, 1.0))
            with self._changed:
                if self._closing is not None:
                    return
                self._queue.add(sample)
                if self._refusal:
                    self._queue.settle(dropped=len(self._queue.take()))
                elif len(self._queue) * 2 == self._options.queue_limit:
                    self._changed.notify_all()
        except Exception as error:  # Whatever a caller hands in: a report is never worth a training.
            with self._changed:
                self._invalid += 1
                is_first = self._invalid == 1
            if is_first:
                _LOG.warning("a report cannot be read, and is left out: %s", error)

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Sends what waits now. Whether the planner has all of it; at the latest after `timeout` seconds (default: close_seconds)."""
        if not self._is_mine():
            return False
        with self._changed:
            if self._closing is not None:
                return False
            self._flushes_asked += 1
            asked = self._flushes_asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._flushes_done >= asked or bool(self._refusal),
                                   self._options.close_seconds if timeout is None else timeout)
            return self._flushes_done >= asked and not self._refusal and len(self._queue) + self._in_flight == 0

    def close(self, state: "run_pb2.Run.State" = run_pb2.Run.SUCCEEDED, message: str = "") -> None:
        """What leaving the block does. Nothing is reported any more; the first call counts."""
        if not self._is_mine():
            return
        try:
            with self._changed:
                if self._closing is not None:
                    return
                self._close_by = clocks.monotonic() + self._options.close_seconds
                self._closing = Outcome(state, shortened(message))
                # One more try, however long it was to be until the next.
                self._not_before = 0.0
                self._changed.notify_all()
            thread = self._thread
            if thread is not None and thread is not threading.current_thread():
                thread.join(self._options.close_seconds)
                if thread.is_alive():
                    _LOG.warning("the planner does not answer: the end of run %s is not reported", self._run or f"of {self._plan}")
        finally:
            # Also where Ctrl-C ends the wait. What the thread still does fails now, and ends it.
            self._close_by = 0.0
            atexit.unregister(self._at_exit)
            self._client.close()

    def detach(self) -> None:
        """Ends the reporting, and not the run: somebody else will (`plannerctl run finish`), or takes it up."""
        self.close(run_pb2.Run.STATE_UNSPECIFIED)

    @property
    def run(self) -> str:
        """"runs/…"; empty: the planner has not answered yet."""
        with self._changed:
            return self._run

    @property
    def is_refused(self) -> bool:
        """The planner will have no reports of this run: it has ended, or there is no such plan. `stats` has its reason."""
        with self._changed:
            return bool(self._refusal)

    @property
    def is_closed_well(self) -> bool:
        """It has been closed, and the planner knows of it."""
        with self._changed:
            return self._is_closed_well

    @property
    def stats(self) -> Stats:
        with self._changed:
            return Stats(self._queue.reported, self._queue.merged, self._queue.dropped, self._accepted, self._refused,
                         len(self._queue) + self._in_flight, self._invalid, self._failed_calls, self._last_error)

    def wait_until(self, condition: Callable[[Stats], bool], timeout: float) -> bool:
        """Waits until `condition` holds, which is asked whenever something was sent or failed."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self.stats), timeout)

    def _now(self) -> float:
        """Seconds since 1970. The wall clock may be set; this one does not jump."""
        return self._began + clocks.monotonic() - self._began_monotonic

    def _is_mine(self) -> bool:
        """Asked before any lock: in a forked process it may be held by a thread that is not there."""
        return self._pid == os.getpid()

    def _at_exit(self) -> None:
        self.close(run_pb2.Run.FAILED, "the process ended before the training did")

    def _rank(self) -> int:
        for name in _RANKS:
            value = self._environment.get(name, "")
            if value.isdigit():
                return int(value)
        return 0

    def _default_request_id(self) -> str:
        job, step = self._environment.get("SLURM_JOB_ID", ""), self._environment.get("SLURM_STEP_ID", "")
        if not job:
            return uuid.uuid4().hex
        if self._plan == self._environment.get("PLANNER_PLAN_ID") and step in ("", "0"):
            # As clients/slurm/job_report.cc has it.
            cluster, restarts = self._environment.get("SLURM_CLUSTER_NAME", ""), self._environment.get("SLURM_RESTART_COUNT", "0")
            return f"slurm-{cluster[:32]}-{job[:20]}-{restarts[:10]}-{self._plan.partition('/')[2][:40]}"
        return f"slurm-{job}.{step}-{self._plan}"

    # The thread's side.

    def _work(self) -> None:
        while True:
            with self._changed:
                while True:
                    wait = self._until_due(clocks.monotonic())
                    if wait <= 0:
                        break
                    self._changed.wait(wait)
                closing, asked = self._closing, self._flushes_asked
                if closing is not None and clocks.monotonic() >= self._close_by:
                    return
            try:
                self._send(closing)
            except PlannerError as error:
                self._failed(error)
            except Exception as error:  # For one, a channel that was closed by an end that would not wait.
                self._failed(PlannerError(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}"))
            else:
                if self._is_failing:
                    self._is_failing = False
                    _LOG.info("the planner answers again")
                self._wait = self._options.first_wait
                self._not_before = 0.0
                if closing is not None:
                    with self._changed:
                        self._is_closed_well = True
                        self._changed.notify_all()
                    return
            with self._changed:
                self._flushes_done = asked
                self._changed.notify_all()
                if self._refusal:
                    # Nothing more will come of it.
                    self._queue.settle(dropped=len(self._queue.take()))
                    return

    def _until_due(self, now: float) -> float:
        """Seconds until there is something to do; 0: now."""
        if self._closing is not None:
            return min(self._not_before, self._close_by) - now
        if self._flushes_asked > self._flushes_done:
            return 0.0
        if not self._is_ready:
            return self._not_before - now
        if len(self._queue) * 2 >= self._options.queue_limit:
            return self._not_before - now
        return max(self._not_before, self._next_flush) - now

    def _left(self) -> float:
        """Seconds that the next call may take."""
        left = self._options.call_seconds
        if self._closing is not None:
            left = self._close_by - clocks.monotonic()
            # A planner that stands still must leave another one the time to take the training's end.
            left = left / 2 if self._client.has_others else left
        return max(0.001, min(left, self._options.call_seconds))

    def _send(self, closing: Optional[Outcome]) -> None:
        if not self._is_ready:
            self._begin()
        self._next_flush = clocks.monotonic() + self._options.flush_seconds
        with self._changed:
            samples = self._queue.take()
            self._in_flight = len(samples)
        last: Optional[run_pb2.ProgressSample] = None
        if samples:
            try:
                self._report(samples)
            except RuntimeError:
                if closing is None:
                    raise
                # A stream needs a thread, and from Python 3.12 on there are no new ones at the end of the process.
                last = to_proto(samples[-1], self._clock_offset)
        if closing is not None and closing.state != run_pb2.Run.STATE_UNSPECIFIED:
            self._client.finish_run(self._run, closing.state, message=closing.message, last=last, timeout=self._left())

    def _begin(self) -> None:
        if not self._plan:
            run = self._client.get_run(self._run, timeout=self._left())
            self._clock_offset = self._offset_by(run.plan)
        else:
            self._clock_offset = self._offset_by(self._plan)
            run = self._begin_run()
        with self._changed:
            self._run = run.name
            self._is_ready = True
        _LOG.info("reports %s of %s", run.name, run.plan)

    def _offset_by(self, plan: str) -> float:
        """How far the planner's clock is ahead of ours, up to the time of its answer. The API takes no report from the future."""
        try:
            run = self._client.start_run(plan, validate_only=True, timeout=self._left())
        except PlannerError as error:
            if error.code in _PASSING:
                raise
            return 0.0
        nanoseconds: int = run.start_time.ToNanoseconds()
        return nanoseconds / 1e9 - self._now()

    def _begin_run(self) -> run_pb2.Run:
        run = run_pb2.Run()
        start = self._began if self._start_time is None else min(self._start_time, self._began)
        for number_of in range(1, _MOST_TAKEN_UP + 1):
            # One that has ended is not begun again: the training that goes on is the next run.
            request_id = self._request_id if number_of == 1 else f"{self._request_id}#{number_of}"
            run = self._client.start_run(self._plan, description=self._description, start_time=start + self._clock_offset,
                                         request_id=request_id, timeout=self._left())
            if run.state == run_pb2.Run.RUNNING:
                break
        return run

    def _report(self, samples: List[Sample]) -> None:
        sent = False
        try:
            if self._gpu_utilization is not None and samples[-1].gpu_utilization is None:
                try:
                    samples[-1].gpu_utilization = number(self._gpu_utilization(), 0.0, 1.0)
                except Exception:  # It is the caller's; without it the report is still one.
                    pass
            answer = self._client.report_progress(self._run, [to_proto(sample, self._clock_offset) for sample in samples],
                                                  timeout=self._left())
            sent = True
        finally:
            with self._changed:
                self._in_flight = 0
                if sent:
                    self._queue.settle()
                else:
                    self._queue.give_back(samples)
        with self._changed:
            self._accepted += answer.accepted_count
            self._refused += answer.refused_count
        if answer.refusals and not self._has_said_refused:
            self._has_said_refused = True
            _LOG.warning("the planner refuses %d of %d reports: %s", answer.refused_count, len(samples), answer.refusals[0])

    def _failed(self, error: PlannerError) -> None:
        now = clocks.monotonic()
        # At random, so that a thousand trainings do not come back together; as late as the planner asks for.
        wait = max(self._wait * (0.5 + 0.5 * random.random()), error.retry_delay * (1 + 0.5 * random.random()))
        self._wait = min(self._wait * 2, self._options.longest_wait)
        with self._changed:
            self._failed_calls += 1
            self._last_error = str(error)
            if self._closing is not None:
                # No longer than the training waits, and more often: its end is worth some calls.
                wait = min(wait, _WAIT_AT_THE_END)
            self._not_before = now + wait
            if error.code not in _PASSING:
                self._refusal = str(error)
        if self._refusal:
            _LOG.warning("the planner takes no reports of %s: %s", self._run or self._plan, error)
        elif not self._is_failing:
            self._is_failing = True
            _LOG.warning("the planner does not answer, reports wait: %s", error)
