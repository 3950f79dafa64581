"""Logs of Megatron-LM and torchtitan: their lines, files that are rotated and cut, and the command against a real plannerd."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Any, List, Optional, Tuple

from daemon import Daemon

from planner_client.api.v1 import run_pb2
from planner_client.log_file import MOST_BYTES, LineBuffer, LogFile
from planner_client.log_lines import FORMATS, parse_megatron, parse_torchtitan
from planner_client.tailing import Tailer

RECORDED = pathlib.Path(__file__).resolve().parent / "recorded"
PATIENCE = 60.0


def local(clock: str) -> float:
    return time.mktime(time.strptime(f"2026-01-09 {clock}", "%Y-%m-%d %H:%M:%S"))


class Lines(unittest.TestCase):
    def test_megatron(self) -> None:
        progress = parse_megatron(
            "[default0]: [2026-01-09 10:02:01.250000] iteration      100/     500 | consumed samples:        51200 | elapsed time per iteration "
            "(ms): 1200.0 | throughput per GPU (TFLOP/s/GPU): 140.4 | lm loss: 9.192634E+00 | loss scale: 1.0 | number of nan iterations:   0 |")
        assert progress is not None
        self.assertEqual((progress.step, progress.step_count, progress.samples, progress.tokens), (100, 500, 51200.0, None))
        self.assertEqual((progress.seconds_per_step, progress.loss, progress.time), (1.2, 9.192634, local("10:02:01") + 0.25))

    def test_torchtitan(self) -> None:
        progress = parse_torchtitan("[rank0]:[titan] 2026-01-09 10:00:26,125 - root - INFO - \x1b[31mstep: 10  \x1b[32mloss: 10.1000  "
                                    "\x1b[34mtps: 5,593  \x1b[36mtflops: 323.92  \x1b[35mmfu: 32.75%\x1b[39m")
        assert progress is not None
        self.assertEqual((progress.step, progress.loss, progress.tokens_per_second_per_gpu, progress.time),
                         (10, 10.1, 5593.0, local("10:00:26") + 0.125))

    def test_megatron_of_other_times(self) -> None:
        bloom = parse_megatron(
            "[default7]: iteration    12345/  115311 | consumed samples:      3160320 | consumed tokens:   6472335360 | elapsed time per iteration (s): "
            "105.23 | learning rate: 6.000E-05 | global batch size:   512 | lm loss: 2.5E+00 | grad norm: 0.2 | number of nan iterations:   0 |")
        assert bloom is not None
        self.assertEqual((bloom.step, bloom.seconds_per_step, bloom.tokens, bloom.loss), (12345, 105.23, 6472335360.0, 2.5))
        oldest = parse_megatron(" iteration      100/ 1000000 | elapsed time per iteration (ms): 1500.0 | learning rate 1.5E-04 | lm loss 7.02E+00 | "
                                "loss scale 65536.0 |")
        assert oldest is not None
        self.assertEqual((oldest.step, oldest.seconds_per_step, oldest.loss), (100, 1.5, 7.02))

    def test_torchtitan_of_other_times(self) -> None:
        for rate in ("wps: 1,050", "tps: 1,050"):
            progress = parse_torchtitan(f"[rank0]:2026-01-09 10:00:26,125 - root - INFO - \x1b[36mstep: 10  \x1b[32mloss:  7.6258  "
                                        f"\x1b[33mmemory: 66.91GiB(70.43%)  \x1b[34m{rate}  \x1b[35mmfu: 22.25%\x1b[39m")
            assert progress is not None
            self.assertEqual((progress.step, progress.loss, progress.tokens_per_second_per_gpu, progress.time),
                             (10, 7.6258, 1050.0, local("10:00:26") + 0.125))

    def test_other_lines_are_none(self) -> None:
        for line in ("", "validation loss at iteration 200 | lm loss value: 7.4E+00 |", "saving checkpoint at iteration     300 to /x",
                     " iteration 1/ 2 | consumed samples: 3 |", "iteration 1/2 | elapsed time per iteration (ms): soon |", "\0\x1b[31m\ufffd"):
            self.assertIsNone(parse_megatron(line), line)
        for line in ("", "[titan] 2026-01-09 10:00:41,000 - root - INFO - validate step: 20  loss:  8.8000  tps: 9,000",
                     "\x1b[33mvalidate step: 20  \x1b[32mloss: 1.0", "Training starts at step 1", "step: x  loss: 1.0"):
            self.assertIsNone(parse_torchtitan(line), line)

    def test_long_lines_are_read_in_no_time(self) -> None:
        for line in (" iteration " * 6000, "iteration 1/2 |" + "a" * 65000, "iteration 1/2 |" + " :" * 32000, "step: 1 loss: " + "tps: " * 12000):
            for log_format in FORMATS.values():
                began = time.process_time()
                log_format.parse(line)
                self.assertLess(time.process_time() - began, 2.0)


class FakeReporter:
    def __init__(self, start_time: float) -> None:
        self.start_time = start_time
        self.reports: List[Any] = []

    def start(self) -> None:
        pass

    def report(self, step: int, **figures: Any) -> None:
        self.reports.append((step, figures))


def tailed(name: str, log_format: str, *, written_at: float = 0.0, **more: int) -> Tuple[Tailer, FakeReporter]:
    tailer = Tailer(FORMATS[log_format], FakeReporter, **more)  # type: ignore[arg-type]
    tailer.feed((RECORDED / name).read_text().splitlines(), written_at)
    reporter: Any = tailer.reporter
    return tailer, reporter


class RecordedLogs(unittest.TestCase):
    def test_megatron(self) -> None:
        tailer, reporter = tailed("megatron.log", "megatron", seq_len=1024)
        self.assertTrue(tailer.is_done)
        self.assertEqual([step for step, _ in reporter.reports], [100, 200, 300, 400, 500])
        self.assertEqual([figures["loss"] for _, figures in reporter.reports], [9.192634, 7.412, None, 6.1, 5.8])
        self.assertEqual([figures["tokens"] for _, figures in reporter.reports], [step * 512 * 1024 for step in (100, 200, 300, 400, 500)])
        self.assertEqual(reporter.reports[1][1]["time"], local("10:03:51") + 0.5)
        # 100 steps of 1.2 s before the first line.
        self.assertEqual(reporter.start_time, local("10:02:01") - 120)

    def test_megatron_without_times(self) -> None:
        """Times are counted back from when the file was written: 10 steps of 2.5 s, and 10 of 3 s before."""
        tailer, reporter = tailed("megatron_old.log", "megatron", written_at=10_000.0)
        self.assertFalse(tailer.is_done)
        self.assertEqual([(step, figures["time"], figures["tokens"], figures["loss"]) for step, figures in reporter.reports],
                         [(10, 9_945.0, 3932160.0, 12.4598), (20, 9_975.0, 7864320.0, 11.01), (30, 10_000.0, 11796480.0, 9.87)])
        self.assertEqual(reporter.start_time, 9_945.0 - 70.6)

    def test_torchtitan(self) -> None:
        tailer, reporter = tailed("torchtitan.log", "torchtitan", gpu_count=8)
        self.assertTrue(tailer.is_done)
        self.assertEqual([(step, figures["loss"], figures["tokens_per_second"]) for step, figures in reporter.reports],
                         [(1, 12.2504, 8 * 1512), (10, 10.1, 8 * 5593), (20, 8.9, 8 * 5856)])
        # 9 steps took 13.5 s: the first began 1.5 s before its line.
        self.assertEqual(reporter.start_time, local("10:00:12") + 0.5 - 1.5)

    def test_a_log_that_goes_on_with_the_next_training(self) -> None:
        tailer, reporter = tailed("torchtitan.log", "torchtitan")
        tailer.feed(["[titan] 2026-01-09 11:00:00,000 - root - INFO - step:  1  loss: 12.2  tps: 5"], 0.0)
        self.assertFalse(tailer.is_done)
        self.assertEqual([step for step, _ in reporter.reports], [1, 10, 20, 1])

    def test_lines_one_by_one_say_the_same(self) -> None:
        for name, log_format in (("megatron.log", "megatron"), ("torchtitan.log", "torchtitan")):
            _, at_once = tailed(name, log_format)
            tailer = Tailer(FORMATS[log_format], FakeReporter)  # type: ignore[arg-type]
            for line in (RECORDED / name).read_text().splitlines():
                tailer.feed([line], 0.0)
            one_by_one: Any = tailer.reporter
            self.assertEqual(one_by_one.reports, at_once.reports)


class Buffers(unittest.TestCase):
    def test_any_cuts_give_the_same_lines(self) -> None:
        text = "first\r\nsecönd\n\n10%\r20%\r30%\nlast".encode()
        expected = ["first", "secönd", "", "30%"]
        for size in range(1, len(text) + 1):
            lines = LineBuffer()
            found = [line for i in range(0, len(text), size) for line in lines.add(text[i:i + size])]
            self.assertEqual((found, lines.end(), lines.end()), (expected, ["last"], []), size)

    def test_endless_lines_are_skipped_in_bounded_memory(self) -> None:
        lines = LineBuffer()
        self.assertEqual(lines.add(b"a\n"), ["a"])
        for _ in range(1000):
            self.assertEqual(lines.add(b"x" * 10_000), [])
            self.assertLessEqual(len(lines._rest), MOST_BYTES + 10_000)
        self.assertEqual(lines.add(b"x\nb\n"), ["b"])
        self.assertEqual(lines.add(b"y" * (MOST_BYTES + 1)) + lines.end(), [])
        self.assertEqual(lines.add(b"c\n"), ["c"])

    def test_bytes_that_are_no_text(self) -> None:
        self.assertEqual(LineBuffer().add(b"a\xff\0b\n"), ["a\ufffd\0b"])


class Files(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "train.log")
        self.log = LogFile(self.path)
        self.addCleanup(self.log.close)

    def append(self, text: str) -> None:
        with open(self.path, "a") as file:
            file.write(text)

    def test_is_not_there_yet(self) -> None:
        self.assertEqual(self.log.poll(), [])
        self.append("a\n")
        self.assertEqual((self.log.poll(), self.log.poll()), (["a"], []))

    def test_lines_that_are_written_in_parts(self) -> None:
        self.append("a\nb")
        self.assertEqual(self.log.poll(), ["a"])
        self.append("b")
        self.assertEqual(self.log.poll(), [])
        self.append("b\nc")
        self.assertEqual((self.log.poll(), self.log.end()), (["bbb"], ["c"]))

    def test_is_renamed_and_begun_again(self) -> None:
        self.append("a\n")
        self.assertEqual(self.log.poll(), ["a"])
        with open(self.path, "a") as writer:
            os.rename(self.path, self.path + ".1")
            # Who has it open still writes there.
            writer.write("b\n")
            writer.flush()
            self.assertEqual((self.log.poll(), self.log.poll()), (["b"], []))
            writer.write("c")
            writer.flush()
            self.append("d\n")
            writer.write("c\nrest")
        self.assertEqual(self.log.poll(), ["cc"])
        self.assertEqual(self.log.poll(), ["rest", "d"])
        self.append("e\n")
        self.assertEqual(self.log.poll(), ["e"])

    def test_is_removed_and_comes_back(self) -> None:
        self.append("a\n")
        self.assertEqual(self.log.poll(), ["a"])
        os.remove(self.path)
        self.assertEqual(self.log.poll(), [])
        self.append("b\n")
        self.assertEqual(self.log.poll(), ["b"])

    def test_is_cut(self) -> None:
        self.append("a\nbb")
        self.assertEqual(self.log.poll(), ["a"])
        os.truncate(self.path, 0)
        self.assertEqual(self.log.poll(), [])
        self.append("c\n")
        self.assertEqual(self.log.poll(), ["c"])

    def test_is_cut_and_grows_beyond_where_it_was(self) -> None:
        self.append("a\n")
        self.assertEqual(self.log.poll(), ["a"])
        os.truncate(self.path, 0)
        self.append("b\nc\n")
        self.assertEqual(self.log.poll(), ["b", "c"])

    def test_is_read_in_pieces(self) -> None:
        self.append("".join(f"{i}\n" for i in range(1000)))
        found: List[str] = []
        polls = 0
        while True:
            lines = self.log.poll(most_bytes=100)
            if not lines:
                break
            polls += 1
            found += lines
        self.assertEqual(found, [str(i) for i in range(1000)])
        self.assertGreater(polls, 30)


class Command(unittest.TestCase):
    def setUp(self) -> None:
        self.daemon = Daemon()
        self.daemon.__enter__()
        self.addCleanup(self.daemon.__exit__, None, None, None)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = os.path.join(folder.name, "train.log")

    def start(self, *arguments: str, **named: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "planner_client.tail", "--server", self.daemon.address, "--interval", "0.01", "--report-interval", "0.05",
                   *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **named)

    def tail(self, *arguments: str, given: Optional[str] = None) -> Tuple[int, str, str]:
        process = self.start(*arguments)
        out, said = process.communicate(given, timeout=PATIENCE)
        return process.returncode, out, said

    def only_run(self) -> run_pb2.Run:
        with self.daemon.client() as client:
            run, = client.list_runs()
            return client.get_run(run.name)

    def reported(self, step: int) -> run_pb2.Run:
        """The run, once it has reached the step: asked again and again, each time an answer later."""
        deadline = time.monotonic() + PATIENCE
        with self.daemon.client() as client:
            while time.monotonic() < deadline:
                for run in client.list_runs():
                    if run.actual.last.step >= step:
                        return run
        raise AssertionError(f"step {step} was not reported")

    def line(self, step: int) -> str:
        return f" iteration {step:8d}/{1000:8d} | consumed samples: {step * 512:12d} | elapsed time per iteration (ms): 10.0 | lm loss: 5.0E+00 |\n"

    def test_a_whole_log(self) -> None:
        code, _, said = self.tail("--format", "megatron", "--plan", self.daemon.plan(), "--once", "--seq-len", "1024",
                                  str(RECORDED / "megatron.log"))
        self.assertEqual(code, 0, said)
        run = self.only_run()
        self.assertEqual((run.state, [sample.step for sample in run.samples]), (run_pb2.Run.SUCCEEDED, [100, 200, 300, 400, 500]))
        self.assertEqual(run.actual.last.token_count, 256000 * 1024)
        # As the log says: 1.105 to 1.2 s a step.
        self.assertAlmostEqual(run.actual.step_duration.ToNanoseconds() / 1e9, 1.11, delta=0.01)
        self.assertIn("5 reports accepted", said)

    def test_a_pipe(self) -> None:
        text = (RECORDED / "torchtitan.log").read_text()
        code, out, said = self.tail("--format", "torchtitan", "--plan", self.daemon.plan(), "--echo", "-", given=text)
        self.assertEqual((code, out), (0, text), said)
        run = self.only_run()
        self.assertEqual((run.state, [sample.step for sample in run.samples]), (run_pb2.Run.SUCCEEDED, [1, 10, 20]))

    def test_follows_a_log_that_is_rotated_until_it_is_told_to_stop(self) -> None:
        with self.daemon.client() as client:
            name = client.start_run(self.daemon.plan(), start_time=time.time() - 60).name
        process = self.start("--format", "megatron", "--run", name, self.log)
        with open(self.log, "w") as file:
            file.write(self.line(10) + self.line(20)[:30])
            file.flush()
            self.reported(10)
            file.write(self.line(20)[30:])
            file.flush()
            self.reported(20)
            os.rename(self.log, self.log + ".1")
            file.write(self.line(30))
        with open(self.log, "w") as file:
            file.write(self.line(40))
        self.reported(40)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, said)
        run = self.only_run()
        self.assertEqual((run.name, run.state), (name, run_pb2.Run.RUNNING))
        self.assertIn("4 lines", said)

    def test_ends_with_the_training(self) -> None:
        training = subprocess.Popen([sys.executable, "-c", "import sys\nsys.stdin.read()\nopen(sys.argv[1], 'a').write(sys.argv[2])",
                                     self.log, self.line(20)], stdin=subprocess.PIPE, text=True)
        with open(self.log, "w") as file:
            file.write(self.line(10))
        process = self.start("--format", "megatron", "--plan", self.daemon.plan(), "--pid", str(training.pid), "--finish", "failed", self.log)
        self.reported(10)
        training.communicate("", timeout=PATIENCE)
        _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, said)
        run = self.only_run()
        self.assertEqual((run.state, run.actual.last.step), (run_pb2.Run.FAILED, 20))

    def test_exit_codes(self) -> None:
        log = str(RECORDED / "megatron.log")
        self.assertEqual(self.tail("--format", "megatron", "--once", "--run", "runs/20260101-000000-4f3a9c01", log)[0], 1)
        self.assertEqual(self.tail("--format", "other", "--run", "runs/1", log)[0], 2)
        self.assertEqual(self.tail("--format", "megatron", log)[0], 2)
        self.assertEqual(self.tail("--format", "megatron", "--run", "runs/1", "--plan", "plans/1", log)[0], 2)
        self.assertEqual(self.tail("--format", "megatron", "--run", "runs/1", "--once", "/nonexistent")[0], 2)
        code, _, said = self.tail("--format", "megatron", "--run", "runs/1", str(RECORDED))
        self.assertEqual((code, str(RECORDED) in said), (2, True), said)
        for flag in ("--pid", "--gpus", "--seq-len"):  # Process 0 is everybody's: it would be waited for for ever.
            code, _, said = self.tail("--format", "megatron", "--run", "runs/1", flag, "0", log)
            self.assertEqual((code, f"{flag}: must be above 0" in said), (2, True), said)
        self.assertEqual(self.tail("--format", "megatron", "--run", "runs/1", "--once", "--server", "localhost", log)[0], 2)
        self.assertEqual(self.tail("--format", "megatron", "--run", "runs/1", "--once", "--server", "unix:/nonexistent/s", log)[0], 4)
        code, _, said = self.tail("--format", "torchtitan", "--run", "runs/1", "--once", log)
        self.assertEqual((code, "no line" in said), (0, True))


if __name__ == "__main__":
    unittest.main()
