"""Reporter against a real plannerd that comes, goes, stops and comes back."""

import logging
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import unittest
from typing import Any, Dict, List
from unittest import mock

import grpc
from daemon import Daemon
from fake_planner import FakePlanner, refuse

from planner_client import PlannerError, Reporter, ReporterOptions, Stats, methods
from planner_client.api.v1 import run_pb2

# Everything is sent, and soon. Tests wait for what happens, at most this long.
PATIENCE = 60.0
SOON: Dict[str, Any] = dict(sample_seconds=0.0, flush_seconds=0.01, first_wait=0.01, longest_wait=0.1, close_seconds=PATIENCE)


def options(**changes: Any) -> ReporterOptions:
    return ReporterOptions(**{**SOON, **changes})


class ReporterTest(unittest.TestCase):
    def setUp(self) -> None:
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def assert_counted(self, stats: Stats) -> None:
        """No report is lost without being counted, and none is counted twice."""
        self.assertEqual(stats.reported, stats.merged + stats.dropped + stats.accepted + stats.refused + stats.waiting, stats)

    def run_of(self, daemon: Daemon, reporter: Reporter) -> run_pb2.Run:
        with daemon.client() as client:
            return client.get_run(reporter.run)

    def runs_of(self, daemon: Daemon, plan: str) -> List[run_pb2.Run]:
        with daemon.client() as client:
            return list(client.list_runs(plan=plan))


class OneRun(ReporterTest):
    def test_reports_and_succeeds(self) -> None:
        with Daemon() as daemon:
            plan, before = daemon.plan(), time.time()
            with Reporter(plan, server=daemon.address, description="a job", start_time=before, options=options()) as reporter:
                for step in range(1, 101):
                    reporter.report(step, tokens=step * 1000, loss=10 / step, gpu_utilization=0.5, tokens_per_second=2e5,
                                    time=before + step / 100)
            run = self.run_of(daemon, reporter)
        self.assertEqual((run.state, run.description, run.message), (run_pb2.Run.SUCCEEDED, "a job", ""))
        self.assertEqual([sample.step for sample in run.samples], list(range(1, 101)))
        last = run.actual.last
        self.assertEqual((last.step, last.token_count, last.loss, last.gpu_utilization_ratio, last.tokens_per_second), (100, 100e3, 0.1, 0.5, 2e5))
        self.assertLess(abs(run.start_time.ToNanoseconds() / 1e9 - before), 5)
        times = [sample.time.ToNanoseconds() for sample in run.samples]
        self.assertEqual(times, sorted(times))
        self.assertEqual(reporter.stats, Stats(reported=100, accepted=100))
        self.assertTrue(reporter.is_closed_well)

    def test_of_a_second_the_newest_is_sent(self) -> None:
        with Daemon() as daemon:
            with Reporter(daemon.plan(), server=daemon.address, options=options(sample_seconds=3600.0)) as reporter:
                for step in range(1, 1001):
                    reporter.report(step)
                self.assertTrue(reporter.flush(PATIENCE))
                self.assertEqual(self.run_of(daemon, reporter).actual.last.step, 1000)
            self.assert_counted(reporter.stats)
            self.assertGreater(reporter.stats.merged, 900)

    def test_a_run_that_somebody_else_has_started(self) -> None:
        with Daemon() as daemon:
            with daemon.client() as client:
                name = client.start_run(daemon.plan()).name
            with Reporter(run=name, server=daemon.address, options=options()) as reporter:
                reporter.report(7)
            self.assertEqual(reporter.run, name)
            self.assertEqual(self.run_of(daemon, reporter).actual.last.step, 7)

    def test_goes_on_with_its_run(self) -> None:
        """A job that is killed and started again is one run; one that is started after its end is the next."""
        with Daemon() as daemon:
            plan = daemon.plan()
            runs = []
            for ends in (False, True, True):
                reporter = Reporter(plan, request_id="job 17", server=daemon.address, options=options())
                reporter.start()
                reporter.report(5)
                self.assertTrue(reporter.flush(PATIENCE))
                reporter.close() if ends else reporter.detach()
                runs.append(reporter.run)
            self.assertEqual(runs[0], runs[1])
            self.assertNotEqual(runs[1], runs[2])
            self.assertEqual(len(self.runs_of(daemon, plan)), 2)

    def test_a_requeued_slurm_job_is_one_run(self) -> None:
        with Daemon() as daemon:
            environment = {"PLANNER_PLAN": daemon.plan(), "PLANNER_SERVER": daemon.address, "SLURM_JOB_ID": "12", "SLURM_STEP_ID": "0"}
            names = []
            for _ in range(2):
                reporter = Reporter(environment=environment, options=options())
                reporter.start()
                self.assertTrue(reporter.flush(PATIENCE))
                reporter.detach()
                names.append(reporter.run)
            self.assertEqual(names[0], names[1])

    def test_a_job_that_slurms_plugin_has_planned_goes_on_with_the_run_of_its_prolog(self) -> None:
        with Daemon() as daemon:
            plan = daemon.plan()
            environment = {"PLANNER_PLAN_ID": plan, "PLANNER_SERVER": daemon.address, "SLURM_JOB_ID": "12", "SLURM_CLUSTER_NAME": "main"}
            with daemon.client() as client:
                # As clients/slurm/job_report.cc has it.
                ids = [client.start_run(plan, request_id=f"slurm-main-12-{restarts}-{plan.partition('/')[2]}").name for restarts in (0, 1)]
            for more, expected in (({}, ids[0]), ({"SLURM_STEP_ID": "0", "SLURM_RESTART_COUNT": "1"}, ids[1])):
                with Reporter(environment={**environment, **more}, options=options()) as reporter:
                    reporter.report(5)
                self.assertEqual(reporter.run, expected)
                self.assertEqual(self.run_of(daemon, reporter).state, run_pb2.Run.SUCCEEDED)
            # Another step beside the first is another training, and a plan or a run that somebody names is what he means.
            with Reporter(environment={**environment, "SLURM_STEP_ID": "1"}, options=options()) as reporter:
                reporter.report(5)
            self.assertNotIn(reporter.run, ids)
            other = daemon.plan()
            with Reporter(environment={**environment, "PLANNER_PLAN": other}, options=options()) as reporter:
                reporter.report(5)
            self.assertEqual(self.run_of(daemon, reporter).plan, other)

    def test_utilization_is_asked_for_by_the_thread(self) -> None:
        asked: List[str] = []

        def utilization() -> float:
            asked.append(threading.current_thread().name)
            if len(asked) == 1:
                raise RuntimeError("no such GPU")
            return 0.25

        with Daemon() as daemon:
            with Reporter(daemon.plan(), server=daemon.address, gpu_utilization=utilization, options=options()) as reporter:
                for step in (1, 2):
                    reporter.report(step)
                    self.assertTrue(reporter.flush(PATIENCE))
            self.assertEqual(self.run_of(daemon, reporter).actual.last.gpu_utilization_ratio, 0.25)
        self.assertEqual(set(asked), {"planner-reporter"})


class EndsOfTheBlock(ReporterTest):
    def ended_by(self, error: BaseException) -> run_pb2.Run:
        with Daemon() as daemon:
            try:
                with Reporter(daemon.plan(), server=daemon.address, options=options()) as reporter:
                    reporter.report(3)
                    raise error
            except BaseException as raised:
                # The training's own error goes on its way.
                self.assertIs(raised, error)
            run = self.run_of(daemon, reporter)
            self.assertEqual(run.actual.last.step, 3)
            return run

    def test_an_exception(self) -> None:
        run = self.ended_by(ValueError("loss is NaN"))
        self.assertEqual((run.state, run.message), (run_pb2.Run.FAILED, "ValueError: loss is NaN"))

    def test_a_long_message(self) -> None:
        run = self.ended_by(ValueError("é" * 5000 + "\ud800"))
        self.assertEqual((run.state, run.message[:20]), (run_pb2.Run.FAILED, "ValueError: éééééééé"))

    def test_control_c(self) -> None:
        self.assertEqual(self.ended_by(KeyboardInterrupt()).state, run_pb2.Run.CANCELLED)

    def test_exit_codes(self) -> None:
        for code, state in ((0, run_pb2.Run.SUCCEEDED), (None, run_pb2.Run.SUCCEEDED), (1, run_pb2.Run.FAILED), ("no data", run_pb2.Run.FAILED),
                            (143, run_pb2.Run.CANCELLED)):
            with self.subTest(code):
                self.assertEqual(self.ended_by(SystemExit(code)).state, state)

    def test_a_process_that_does_not_close(self) -> None:
        with Daemon() as daemon:
            plan = daemon.plan()
            subprocess.run([sys.executable, "-c", "import sys\nfrom planner_client import Reporter\nreporter = Reporter(sys.argv[1], server=sys.argv[2])\n"
                            "reporter.start()\nreporter.report(3)\n", plan, daemon.address], check=True, timeout=PATIENCE)
            run, = self.runs_of(daemon, plan)
        self.assertEqual((run.state, run.message), (run_pb2.Run.FAILED, "the process ended before the training did"))
        self.assertEqual(run.actual.last.step, 3)


class PlannerIsAway(ReporterTest):
    def test_from_the_start_to_the_end(self) -> None:
        with Daemon(starts=False) as daemon:
            reporter = Reporter("plans/20260101-000000-4f3a9c01", server=daemon.address, options=options(queue_limit=100, close_seconds=0.3))
            with reporter:
                for step in range(1, 1001):
                    reporter.report(step)
                self.assertTrue(reporter.wait_until(lambda stats: stats.failed_calls >= 2, PATIENCE))
                self.assertFalse(reporter.flush(PATIENCE))
                began = time.monotonic()
            self.assertLess(time.monotonic() - began, 5)
            stats = reporter.stats
        self.assert_counted(stats)
        self.assertLessEqual(stats.waiting, 100)
        self.assertGreater(stats.dropped, 0)
        self.assertEqual((reporter.run, reporter.is_closed_well, reporter.is_refused), ("", False, False))
        self.assertIn("UNAVAILABLE", stats.last_error)

    def test_comes_later(self) -> None:
        with Daemon() as daemon:
            plan = daemon.plan()
            daemon.kill()
            before = time.time()
            with Reporter(plan, server=daemon.address, options=options()) as reporter:
                reporter.report(1)
                self.assertTrue(reporter.wait_until(lambda stats: stats.failed_calls >= 2, PATIENCE))
                after = time.time()
                daemon.start()
                reporter.report(2)
            run = self.run_of(daemon, reporter)
        self.assertEqual([sample.step for sample in run.samples], [1, 2])
        # It began when the training did, not when the planner heard of it.
        self.assertLess(run.start_time.ToNanoseconds() / 1e9, after)
        self.assertGreater(run.start_time.ToNanoseconds() / 1e9, before - 30)
        self.assert_counted(reporter.stats)

    def test_killed_and_started_again(self) -> None:
        with Daemon() as daemon:
            with Reporter(daemon.plan(), server=daemon.address, options=options()) as reporter:
                for round_of in range(3):
                    for step in range(1, 11):
                        reporter.report(10 * round_of + step)
                    self.assertTrue(reporter.wait_until(lambda stats: stats.waiting == 0, PATIENCE))
                    daemon.kill()
                    reporter.report(10 * round_of + 10)
                    failed = reporter.stats.failed_calls
                    self.assertTrue(reporter.wait_until(lambda stats: stats.failed_calls > failed, PATIENCE))
                    daemon.start()
            run = self.run_of(daemon, reporter)
        self.assertEqual(run.state, run_pb2.Run.SUCCEEDED)
        # The planner keeps 500, evenly over the time: the first of each round is far from all others.
        self.assertLessEqual({1, 11, 21, 30}, {sample.step for sample in run.samples})
        stats = reporter.stats
        self.assertEqual((stats.reported, stats.accepted, stats.dropped), (33, 33, 0))

    def test_stopped_while_the_training_goes_on(self) -> None:
        count = 20_000
        with Daemon() as daemon:
            reporter = Reporter(daemon.plan(), server=daemon.address, options=options(queue_limit=500, call_seconds=0.3))
            with reporter:
                reporter.report(0)
                self.assertTrue(reporter.flush(PATIENCE))
                daemon.freeze()
                tracemalloc.start()
                took = []
                for step in range(1, count + 1):
                    began = time.perf_counter()
                    reporter.report(step, loss=1.0)
                    took.append(time.perf_counter() - began)
                self.assertTrue(reporter.wait_until(lambda stats: stats.failed_calls >= 2, PATIENCE))
                grown, _ = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                stats = reporter.stats
                daemon.thaw()
            run = self.run_of(daemon, reporter)
        # Under tracemalloc; without it some 4 us. One that waited for the planner would take its deadline, 300 ms. Others that compute on this
        # machine may take it away for as long, but not often.
        took.sort()
        self.assertLess(took[count // 2], 1e-3)
        self.assertLess(sum(seconds > 0.1 for seconds in took), count // 100)
        self.assertLess(grown, 5e6)
        # What waits, and what is on its way.
        self.assertLessEqual(stats.waiting, 1000)
        self.assertGreater(stats.dropped, count - 2000)
        self.assert_counted(stats)
        self.assert_counted(reporter.stats)
        self.assertEqual((run.state, run.actual.last.step), (run_pb2.Run.SUCCEEDED, count))

    def test_stopped_at_the_end(self) -> None:
        with Daemon() as daemon:
            reporter = Reporter(daemon.plan(), server=daemon.address, options=options(close_seconds=0.5))
            with reporter:
                reporter.report(1)
                self.assertTrue(reporter.flush(PATIENCE))
                daemon.freeze()
                reporter.report(2)
                began = time.monotonic()
            took = time.monotonic() - began
            daemon.thaw()
        self.assertGreater(took, 0.4)
        self.assertLess(took, 5)
        self.assertFalse(reporter.is_closed_well)

    def test_another_planner_takes_the_end(self) -> None:
        over = threading.Event()
        with FakePlanner() as stopped, FakePlanner() as other:
            stopped.handlers[methods.FINISH_RUN.path] = lambda request, context: over.wait()
            with Reporter("plans/1", server=[stopped.address, other.address], options=options(close_seconds=2.0)) as reporter:
                reporter.report(1)
                self.assertTrue(reporter.flush(PATIENCE))
            over.set()
            self.assertEqual([one.name for one in other.finished], ["runs/1"])
            self.assertTrue(reporter.is_closed_well)

    def test_control_c_ends_the_wait_at_the_end(self) -> None:
        with Daemon() as daemon:
            reporter = Reporter(daemon.plan(), server=daemon.address, options=options(close_seconds=600))
            reporter.start()
            self.assertTrue(reporter.flush(PATIENCE))
            daemon.freeze()
            previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
            try:
                with self.assertRaises(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_REAL, 0.2)
                    reporter.close()
            finally:
                signal.signal(signal.SIGALRM, previous)
            daemon.thaw()


class PlannerRefuses(ReporterTest):
    def test_a_plan_that_is_not_there(self) -> None:
        with Daemon() as daemon:
            with Reporter("plans/20260101-000000-4f3a9c01", server=daemon.address, options=options()) as reporter:
                reporter.report(1)
                self.assertTrue(reporter.wait_until(lambda stats: stats.failed_calls == 1, PATIENCE))
                self.assertTrue(reporter.is_refused)
                for step in range(2, 10):
                    reporter.report(step)
                self.assertFalse(reporter.flush(PATIENCE))
            self.assertIn("NOT_FOUND", reporter.stats.last_error)
            self.assertEqual((reporter.stats.dropped, reporter.stats.waiting, reporter.stats.failed_calls), (9, 0, 1))

    def test_a_run_that_has_ended(self) -> None:
        with Daemon() as daemon:
            with Reporter(daemon.plan(), server=daemon.address, options=options()) as reporter:
                reporter.report(1)
                self.assertTrue(reporter.flush(PATIENCE))
                with daemon.client() as client:
                    client.finish_run(reporter.run, run_pb2.Run.CANCELLED)
                reporter.report(2)
                self.assertFalse(reporter.flush(PATIENCE))
            self.assertTrue(reporter.is_refused)
            self.assertEqual(self.run_of(daemon, reporter).state, run_pb2.Run.CANCELLED)
            self.assert_counted(reporter.stats)

    def test_single_samples(self) -> None:
        with Daemon() as daemon:
            with Reporter(daemon.plan(), server=daemon.address, options=options()) as reporter:
                reporter.report(1, time=time.time() + 7200)
                reporter.report(2)
            self.assertEqual((reporter.stats.accepted, reporter.stats.refused), (1, 1))

    def test_figures_that_are_none_are_left_out(self) -> None:
        with Daemon() as daemon:
            with Reporter(daemon.plan(), server=daemon.address, options=options()) as reporter:
                reporter.report(1, loss=float("nan"), tokens=float("inf"), gpu_utilization=7.0)
                reporter.report(2, loss="high")
                reporter.report(-1)
                reporter.report("three")  # type: ignore[arg-type]
            run = self.run_of(daemon, reporter)
        self.assertEqual([(sample.step, sample.HasField("loss")) for sample in run.samples], [(1, False), (2, False)])
        self.assertEqual((reporter.stats.accepted, reporter.stats.invalid), (2, 2))


class NothingToDo(ReporterTest):
    def test_without_a_plan(self) -> None:
        with Reporter(environment={}) as reporter:
            reporter.report(1)
            self.assertFalse(reporter.flush())
        self.assertEqual(reporter.stats, Stats())

    def test_on_other_ranks(self) -> None:
        for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK"):
            with Reporter("plans/x", environment={name: "3"}) as reporter:
                reporter.report(1)
            self.assertEqual(reporter.stats, Stats())

    def test_where_no_thread_can_be_started(self) -> None:
        with mock.patch("threading.Thread.start", side_effect=RuntimeError("can't start new thread")):
            with Reporter("plans/x", environment={}) as reporter:
                reporter.report(1)
                self.assertFalse(reporter.flush())
        self.assertEqual(reporter.stats, Stats())

    def test_a_malformed_address_is_said_at_once(self) -> None:
        with self.assertRaisesRegex(ValueError, "host:port"):
            Reporter("plans/x", server="localhost")


class PlannerAsTold(ReporterTest):
    """What a real planner does rarely."""

    def test_clocks_that_differ(self) -> None:
        """The planner lives an hour ago, and takes nothing from the future."""
        hour = 3600.0
        with FakePlanner(now=time.time() - hour) as fake:
            with Reporter("plans/1", server=fake.address, options=options()) as reporter:
                reporter.report(1)
                reporter.report(2, time=time.time())
                self.assertTrue(reporter.flush(PATIENCE))
            times = [sample.time.ToNanoseconds() / 1e9 for sample in fake.samples]
            start = fake.started[0].run.start_time.ToNanoseconds() / 1e9
        for seconds in (*times, start):
            self.assertLess(abs(seconds - (time.time() - hour)), 60)
        self.assertLessEqual(start, times[0])

    def test_an_answer_that_was_lost(self) -> None:
        """What may have been kept is sent again, and counted once."""
        with FakePlanner() as fake:
            keep = fake.handlers[methods.REPORT_PROGRESS.path]
            calls: List[int] = []

            def lose_the_first(requests: Any, context: grpc.ServicerContext) -> Any:
                answer = keep(requests, context)
                calls.append(answer.accepted_count)
                if len(calls) == 1:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
                return answer

            fake.handlers[methods.REPORT_PROGRESS.path] = lose_the_first
            with Reporter("plans/1", server=fake.address, options=options()) as reporter:
                reporter.report(1)
            self.assertEqual(reporter.stats.accepted, 1)
            self.assertEqual([sample.step for sample in fake.samples], [1, 1])
            self.assertEqual(fake.samples[0], fake.samples[1])
            self.assertEqual([(end.name, end.state) for end in fake.finished], [("runs/1", run_pb2.Run.SUCCEEDED)])

    def test_waits_as_long_as_the_planner_asks(self) -> None:
        with FakePlanner() as fake:
            asked: List[float] = []

            def busy(request: Any, context: grpc.ServicerContext) -> Any:
                asked.append(time.monotonic())
                refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls at once", retry_seconds=3600.0)

            fake.handlers[methods.START_RUN.path] = busy
            reporter = Reporter("plans/1", server=fake.address, options=options(close_seconds=0.1))
            with reporter:
                self.assertTrue(reporter.wait_until(lambda stats: stats.failed_calls == 1, PATIENCE))
                # It is the thread's own time that says so: the next try is an hour away.
                self.assertGreater(reporter._not_before - time.monotonic(), 3500)
            self.assertIn("RESOURCE_EXHAUSTED", reporter.stats.last_error)

    def test_waits_ever_longer(self) -> None:
        reporter = Reporter("plans/1", options=options(first_wait=1.0, longest_wait=8.0))
        waits = []
        for _ in range(6):
            began = time.monotonic()
            reporter._failed(PlannerError(grpc.StatusCode.UNAVAILABLE, "x"))
            waits.append(reporter._not_before - began)
        for wait, longest in zip(waits, (1, 2, 4, 8, 8, 8)):
            self.assertTrue(longest / 2 <= wait <= longest + 1, waits)

    def test_no_new_threads_at_the_end_of_the_process(self) -> None:
        """From Python 3.12 on gRPC's streams fail then: the newest sample goes with the end of the run."""
        with FakePlanner() as fake:
            with Reporter("plans/1", server=fake.address, options=options(flush_seconds=PATIENCE)) as reporter:
                self.assertTrue(reporter.flush(PATIENCE))
                reporter.report(1)
                reporter.report(2)

                def fails(*arguments: Any, **named: Any) -> Any:
                    raise RuntimeError("can't start new thread at interpreter shutdown")

                reporter._client.report_progress = fails  # type: ignore[method-assign]
            self.assertEqual([end.last.step for end in fake.finished], [2])
            self.assertTrue(reporter.is_closed_well)

    def test_garbage(self) -> None:
        """Whatever listens there, the training does not notice."""
        with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/s")
            listener.listen()

            def answer() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    with connection:
                        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello\n")

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            reporter = Reporter("plans/1", server=f"unix:{folder}/s", options=options(close_seconds=0.3, call_seconds=0.2))
            with reporter:
                reporter.report(1)
                self.assertTrue(reporter.wait_until(lambda stats: stats.failed_calls >= 2, PATIENCE))
            self.assertFalse(reporter.is_closed_well)
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
        self.assert_counted(reporter.stats)


FORKING = """
import os, sys
from planner_client import Reporter, ReporterOptions
with Reporter(sys.argv[1], server=sys.argv[2], options=ReporterOptions(sample_seconds=0.0)) as reporter:
    reporter.report(1)
    assert reporter.flush(30)
    children = []
    for kind in range(4):
        pid = os.fork()
        if pid == 0:
            # A data loader's process: it inherits everything, and has no thread of it.
            for step in range(1000):
                reporter.report(10**6 + step)
            assert not reporter.flush() and reporter.stats.waiting <= 1
            if kind == 0:
                os._exit(0)
            if kind == 1:
                reporter.close()
            if kind == 2:
                raise SystemExit(0)     # Leaves the block, too.
            sys.exit(0)
        children.append(pid)
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    reporter.report(2)
assert codes == [0, 0, 0, 0], codes
print(reporter.run)
"""


class Forks(ReporterTest):
    def test_forked_processes_report_nothing_and_end_nothing(self) -> None:
        with Daemon() as daemon:
            plan = daemon.plan()
            done = subprocess.run([sys.executable, "-c", FORKING, plan, daemon.address], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 0, done.stderr)
            with daemon.client() as client:
                run = client.get_run(done.stdout.strip())
                self.assertEqual(len(list(client.list_runs(plan=plan))), 1)
        self.assertEqual([sample.step for sample in run.samples], [1, 2])
        self.assertEqual(run.state, run_pb2.Run.SUCCEEDED)

    def test_starts_in_a_forked_process(self) -> None:
        """A launcher that makes the reporter and forks the training."""
        with Daemon() as daemon:
            script = ("import os, sys\nfrom planner_client import Reporter\nreporter = Reporter(sys.argv[1], server=sys.argv[2])\n"
                      "pid = os.fork()\nif pid:\n    sys.exit(os.waitpid(pid, 0)[1])\n"
                      "with reporter:\n    reporter.report(4)\nassert reporter.is_closed_well\n")
            plan = daemon.plan()
            subprocess.run([sys.executable, "-c", script, plan, daemon.address], check=True, timeout=PATIENCE)
            self.assertEqual([(run.state, run.actual.last.step) for run in self.runs_of(daemon, plan)], [(run_pb2.Run.SUCCEEDED, 4)])


if __name__ == "__main__":
    unittest.main()
