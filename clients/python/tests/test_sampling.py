"""The queue between a training and the thread that sends, how a block ends, and when a call is tried again: without a planner."""

import asyncio
import random
import unittest
from typing import List

import grpc

from planner_client.api.v1 import run_pb2
from planner_client.errors import PlannerError
from planner_client.outcome import outcome_of, shortened
from planner_client.retrying import Retry, Tries
from planner_client.sampling import Sample, SampleQueue, number, to_proto


def steps(samples: List[Sample]) -> List[int]:
    return [sample.step for sample in samples]


class QueueTest(unittest.TestCase):
    def test_of_an_interval_the_newest_stays(self) -> None:
        queue = SampleQueue(limit=100, sample_seconds=1.0)
        for step, time in ((1, 0.0), (2, 0.4), (3, 0.8), (4, 1.1), (5, 1.3), (6, 5.0)):
            queue.add(Sample(time, step))
        # 1 opens an interval; 2 and 3 lie within it and give way; 4 opens the next, which 5 lies in.
        self.assertEqual(steps(queue.take()), [1, 4, 6])
        self.assertEqual((queue.reported, queue.merged, queue.dropped, len(queue)), (6, 3, 0, 0))

    def test_what_was_taken_begins_an_interval(self) -> None:
        queue = SampleQueue(limit=100, sample_seconds=1.0)
        queue.add(Sample(0.0, 1))
        self.assertEqual(steps(queue.take()), [1])
        for step, time in ((2, 0.5), (3, 0.9)):
            queue.add(Sample(time, step))
        self.assertEqual(steps(queue.take()), [3])

    def test_a_clock_that_is_set_back(self) -> None:
        queue = SampleQueue(limit=100, sample_seconds=1.0)
        for step, time in ((1, 1000.0), (2, 1002.0), (3, 10.0), (4, 12.0)):
            queue.add(Sample(time, step))
        self.assertEqual(steps(queue.take()), [1, 2, 3, 4])

    def test_a_full_queue_keeps_every_other(self) -> None:
        queue = SampleQueue(limit=4, sample_seconds=0.0)
        for step in range(1, 6):
            queue.add(Sample(float(step), step))
        # 1 2 3 4 and the newest, 5, are one too many: 1 and 3 go. From then on it is every other one: 6, 8, and the newest.
        self.assertEqual((len(queue), queue.dropped), (3, 2))
        for step in range(6, 9):
            queue.add(Sample(float(step), step))
        taken = queue.take()
        self.assertEqual((steps(taken), queue.dropped), ([2, 4, 6, 8], 4))
        # What could not be sent does not make room, what was sent does.
        queue.give_back(taken)
        queue.add(Sample(9.0, 9))
        queue.take()
        queue.settle()
        for step in range(10, 13):
            queue.add(Sample(float(step), step))
        self.assertEqual(steps(queue.take()), [10, 11, 12])

    def test_laws(self) -> None:
        """Whatever happens: bounded, in order, the newest is never lost, and every report is counted once."""
        for seed in range(200):
            chance = random.Random(seed)
            limit, interval = chance.choice((2, 3, 10, 64)), chance.choice((0.0, 1.0, 5.0))
            queue = SampleQueue(limit, interval)
            sent, time, newest = 0, 0.0, -1
            for step in range(chance.randrange(1, 400)):
                time += chance.random() * 2
                queue.add(Sample(time, step))
                newest = step
                if chance.random() < 0.1:
                    taken = queue.take()
                    self.assertEqual(steps(taken), sorted(steps(taken)))
                    self.assertEqual(taken[-1].step, newest)
                    if chance.random() < 0.5:
                        queue.give_back(taken)
                    else:
                        queue.settle()
                        sent += len(taken)
                self.assertLessEqual(len(queue), limit)
                self.assertEqual(queue.reported, queue.merged + queue.dropped + sent + len(queue), (seed, step))
            self.assertEqual(queue.reported, step + 1)

    def test_a_day_without_the_planner_is_covered_evenly(self) -> None:
        queue = SampleQueue(limit=100, sample_seconds=1.0)
        for step in range(86400):
            queue.add(Sample(float(step), step))
            if step % 1000 == 0:
                # As the thread does that tries to send, in vain.
                queue.give_back(queue.take())
        waiting = queue.take()
        gaps = [later.time - sooner.time for sooner, later in zip([Sample(0.0, 0), *waiting], waiting)]
        # Of 86,400 at most 100 stay, so at least one of 864, by doublings 1,024.
        self.assertGreaterEqual(len(waiting), 50)
        self.assertEqual(waiting[-1].step, 86399)
        self.assertLessEqual(max(gaps), 2 * 1024 + 2)

    def test_numbers(self) -> None:
        self.assertEqual([number(1), number("2.5"), number(None), number(float("inf")), number("x"), number(2, 0, 1), number([])],  # type: ignore
                         [1.0, 2.5, None, None, None, None, None])

    def test_message(self) -> None:
        message = to_proto(Sample(1000.25, 7, tokens=14.0, loss=float("nan")), clock_offset=2.5)
        self.assertEqual(message.time.ToNanoseconds(), 1_002_750_000_000)
        self.assertEqual((message.step, message.token_count), (7, 14.0))
        self.assertEqual([message.HasField(name) for name in ("loss", "tokens_per_second", "gpu_utilization_ratio")], [False] * 3)


class OutcomeTest(unittest.TestCase):
    def test_states(self) -> None:
        class Silent(Exception):
            def __str__(self) -> str:
                raise ValueError("no text")

        for error, state, message in (
                (None, run_pb2.Run.SUCCEEDED, ""),
                (SystemExit(0), run_pb2.Run.SUCCEEDED, ""),
                (SystemExit(3), run_pb2.Run.FAILED, "exit code 3"),
                (SystemExit("no GPU"), run_pb2.Run.FAILED, "exit: no GPU"),
                (SystemExit(130), run_pb2.Run.CANCELLED, "exit code 130"),
                (SystemExit(143), run_pb2.Run.CANCELLED, "exit code 143"),
                (KeyboardInterrupt(), run_pb2.Run.CANCELLED, "KeyboardInterrupt"),
                (asyncio.CancelledError(), run_pb2.Run.CANCELLED, "CancelledError"),
                (MemoryError(), run_pb2.Run.FAILED, "MemoryError"),
                (RuntimeError("CUDA out of memory"), run_pb2.Run.FAILED, "RuntimeError: CUDA out of memory"),
                (Silent(), run_pb2.Run.FAILED, "Silent: (its text cannot be made)")):
            with self.subTest(error):
                self.assertEqual(outcome_of(error), (state, message))

    def test_shortened_texts_are_valid(self) -> None:
        for text in ("x" * 2000, "é" * 999, "x" + "é" * 999, "\ud800"):
            self.assertLessEqual(len(shortened(text).encode("utf-8")), 1000)


def error(code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE, retry_delay: float = 0.0) -> PlannerError:
    return PlannerError(code, "x", retry_delay=retry_delay)


class TriesTest(unittest.TestCase):
    def test_waits_grow_and_end(self) -> None:
        """As clients/cpp does: 0.1 s, doubled, at random between half of it and all; four rounds."""
        for chance, waits in ((0.0, [0.05, 0.1, 0.2]), (1.0, [0.1, 0.2, 0.4])):
            tries = Tries(Retry(), 1, deadline=100.0, random=lambda: chance)
            self.assertEqual([tries.after(error(), 0.0) for _ in range(4)], [*waits, None])

    def test_other_addresses_come_first(self) -> None:
        tries = Tries(Retry(rounds=2), 3, deadline=100.0, random=lambda: 1.0)
        self.assertEqual([tries.after(error(), 0.0) for _ in range(6)], [0.0, 0.0, 0.1, 0.0, 0.0, None])

    def test_no_sooner_than_the_server_asks_for(self) -> None:
        exhausted = error(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_delay=2.0)
        self.assertEqual(Tries(Retry(), 1, 100.0, lambda: 0.0).after(exhausted, 0.0), 2.0)
        self.assertEqual(Tries(Retry(), 1, 100.0, lambda: 1.0).after(exhausted, 0.0), 3.0)

    def test_not_beyond_the_deadline(self) -> None:
        self.assertIsNone(Tries(Retry(first_wait=2.0), 1, 10.0, lambda: 1.0).after(error(), 8.5))

    def test_other_errors_are_the_answer(self) -> None:
        for code in grpc.StatusCode:
            is_tried = code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertEqual(Tries(Retry(), 1, 100.0).after(error(code), 0.0) is not None, is_tried, code)


if __name__ == "__main__":
    unittest.main()
