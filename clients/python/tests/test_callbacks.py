"""The callbacks, fed with the events of Hugging Face's Trainer and of Lightning's in the order in which their documentation says they come.

Neither is in Debian; the sequences are written down here, with the attributes that the documentation gives the trainers and their states.
"""

import logging
import types
import unittest
from typing import Any, Iterable, List, Optional, Tuple

import torch
from daemon import Daemon
from test_reporter import PATIENCE, options

from planner_client import Reporter
from planner_client.api.v1 import run_pb2
from planner_client.huggingface import PlannerCallback as HuggingFaceCallback
from planner_client.lightning import PlannerCallback as LightningCallback


class FakeReporter:
    """Writes down what a callback reports."""

    def __init__(self) -> None:
        self.reports: List[Any] = []
        self.closed: List[Any] = []

    def report(self, step: int, **figures: Any) -> None:
        self.reports.append((step, figures.get("tokens"), None if figures.get("loss") is None else float(figures["loss"])))

    def close(self, *how: Any) -> None:
        self.closed.append(how)


class Run(unittest.TestCase):
    def setUp(self) -> None:
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def only_run(self, daemon: Daemon) -> run_pb2.Run:
        with daemon.client() as client:
            run, = client.list_runs()
            return client.get_run(run.name)


# Three optimizer steps of two batches each, logged every second one; an evaluation; a checkpoint.
TRAINER_EVENTS: List[Tuple[str, int, Any]] = [
    ("on_init_end", 0, {}),
    ("on_train_begin", 0, {}),
    ("on_epoch_begin", 0, {}),
    ("on_step_begin", 0, {}), ("on_substep_end", 0, {}), ("on_pre_optimizer_step", 0, {}), ("on_optimizer_step", 0, {}), ("on_step_end", 1, {}),
    ("on_step_begin", 1, {}), ("on_substep_end", 1, {}), ("on_pre_optimizer_step", 1, {}), ("on_optimizer_step", 1, {}), ("on_step_end", 2, {}),
    ("on_log", 2, {"logs": {"loss": 3.5, "grad_norm": 1.2, "learning_rate": 5e-5, "epoch": 0.67}}),
    ("on_prediction_step", 2, {}),
    ("on_log", 2, {"logs": {"eval_loss": 3.4, "eval_runtime": 1.0, "epoch": 0.67}}),
    ("on_evaluate", 2, {"metrics": {"eval_loss": 3.4}}),
    ("on_save", 2, {}),
    ("on_step_begin", 2, {}), ("on_substep_end", 2, {}), ("on_pre_optimizer_step", 2, {}), ("on_optimizer_step", 2, {}), ("on_step_end", 3, {}),
    ("on_epoch_end", 3, {}),
    ("on_log", 3, {"logs": {"train_runtime": 9.0, "train_loss": 3.6, "total_flos": 1e9, "epoch": 1.0}}),
    ("on_train_end", 3, {}),
]


def play_trainer(callback: Any, events: Iterable[Tuple[str, int, Any]] = TRAINER_EVENTS, *, rank: int = 0, counts_tokens: bool = True) -> None:
    """As CallbackHandler.call_event does: every callback has every event."""
    arguments = types.SimpleNamespace(logging_steps=2, max_steps=3)
    control = types.SimpleNamespace(should_log=False)
    for event, step, more in events:
        state = types.SimpleNamespace(global_step=step, max_steps=3, num_input_tokens_seen=step * 2048 if counts_tokens else 0,
                                      is_local_process_zero=rank % 8 == 0, is_world_process_zero=rank == 0)
        changed = getattr(callback, event)(arguments, state, control, model=object(), processing_class=object(), optimizer=object(),
                                           lr_scheduler=object(), train_dataloader=object(), eval_dataloader=object(), **more)
        assert changed is None, "a callback that answers replaces the Trainer's control"


class HuggingFace(Run):
    def test_reports_steps_and_losses(self) -> None:
        reporter = FakeReporter()
        play_trainer(HuggingFaceCallback(reporter))  # type: ignore[arg-type]
        self.assertEqual(reporter.reports, [(1, 2048, None), (2, 4096, None), (2, 4096, 3.5), (3, 6144, None)])
        # It is somebody else's to close.
        self.assertEqual(reporter.closed, [])

    def test_without_counted_tokens(self) -> None:
        reporter = FakeReporter()
        play_trainer(HuggingFaceCallback(reporter), counts_tokens=False)  # type: ignore[arg-type]
        self.assertEqual({tokens for _, tokens, _ in reporter.reports}, {None})

    def test_other_ranks_are_silent(self) -> None:
        reporter = FakeReporter()
        play_trainer(HuggingFaceCallback(reporter), rank=8)  # type: ignore[arg-type]
        self.assertEqual(reporter.reports, [])

    def test_a_run_of_its_own(self) -> None:
        with Daemon() as daemon:
            callback = HuggingFaceCallback(plan=daemon.plan(), server=daemon.address, options=options())
            play_trainer(callback, rank=1)
            self.assertIsNone(callback.reporter)
            play_trainer(callback)
            run = self.only_run(daemon)
        self.assertEqual((run.state, run.actual.last.step, run.actual.last.token_count), (run_pb2.Run.SUCCEEDED, 3, 6144))

    def test_an_exception_in_the_block_of_a_reporter(self) -> None:
        with Daemon() as daemon:
            with self.assertRaises(ZeroDivisionError):
                with Reporter(daemon.plan(), server=daemon.address, options=options()) as reporter:
                    play_trainer(HuggingFaceCallback(reporter), TRAINER_EVENTS[:8])
                    raise ZeroDivisionError("division by zero")
            run = self.only_run(daemon)
        self.assertEqual((run.state, run.message, run.actual.last.step), (run_pb2.Run.FAILED, "ZeroDivisionError: division by zero", 1))

    def test_arguments_belong_to_one_reporter(self) -> None:
        for kind in (HuggingFaceCallback, LightningCallback):
            with self.assertRaisesRegex(ValueError, "plan"):
                kind(FakeReporter(), plan="plans/x")  # type: ignore[arg-type]


class LightningTrainer:
    """Plays fit(): `batches` batches, of which `accumulate` make an optimizer step."""

    def __init__(self, callback: Any, *, batches: int = 4, accumulate: int = 1, first_step: int = 0, is_zero: bool = True) -> None:
        self.callback = callback
        self.batches = batches
        self.accumulate_grad_batches = accumulate
        self.global_step = first_step
        self.is_global_zero = is_zero

    def hook(self, name: str, *arguments: Any) -> None:
        self.callback.state_key
        getattr(self.callback, name)(self, object(), *arguments)

    def fit(self, error: Optional[BaseException] = None) -> None:
        self.hook("setup", "fit")
        self.hook("on_fit_start")
        self.hook("on_sanity_check_start")
        self.hook("on_validation_batch_end", None, None, 0)
        self.hook("on_sanity_check_end")
        self.hook("on_train_start")
        self.hook("on_train_epoch_start")
        for index in range(self.batches):
            self.hook("on_train_batch_start", None, index)
            self.hook("on_before_zero_grad", None)
            self.hook("on_before_backward", None)
            self.hook("on_after_backward")
            if (index + 1) % self.accumulate_grad_batches == 0:
                self.hook("on_before_optimizer_step", None)
                self.global_step += 1
            # Of a loss of 2, divided by the batches that are accumulated, as the documentation of this hook says.
            self.hook("on_train_batch_end", {"loss": torch.tensor(2.0, requires_grad=True) / self.accumulate_grad_batches}, None, index)
        if error is not None:
            self.hook("on_exception", error)
            return
        assert self.callback.state_dict() == {}
        self.hook("on_save_checkpoint", {})
        self.hook("on_train_epoch_end")
        self.hook("on_train_end")
        self.hook("on_fit_end")
        self.hook("teardown", "fit")


class Lightning(Run):
    def test_reports_optimizer_steps(self) -> None:
        reporter = FakeReporter()
        LightningTrainer(LightningCallback(reporter), batches=6, accumulate=2).fit()  # type: ignore[arg-type]
        self.assertEqual(reporter.reports, [(1, None, 2.0), (2, None, 2.0), (3, None, 2.0)])
        self.assertEqual(reporter.closed, [])

    def test_goes_on_from_a_checkpoint(self) -> None:
        reporter = FakeReporter()
        LightningTrainer(LightningCallback(reporter), batches=3, accumulate=2, first_step=100).fit()  # type: ignore[arg-type]
        self.assertEqual(reporter.reports, [(101, None, 2.0)])

    def test_outputs_of_other_kinds(self) -> None:
        reporter = FakeReporter()
        callback = LightningCallback(reporter)  # type: ignore[arg-type]
        trainer = LightningTrainer(callback)
        # What manual optimization returns is the user's own affair, and no reason to end his training.
        for outputs in (None, {}, {"loss": None}, {"loss": {"generator": 1.0}}, [1.0, 2.0], "x", torch.tensor(1.5)):
            trainer.global_step += 1
            trainer.hook("on_train_batch_end", outputs, None, 0)
        self.assertEqual([loss for _, _, loss in reporter.reports], [None] * 6 + [1.5])

    def test_other_ranks_are_silent(self) -> None:
        callback = LightningCallback(plan="plans/x")
        LightningTrainer(callback, is_zero=False).fit()
        self.assertIsNone(callback.reporter)

    def test_a_run_of_its_own(self) -> None:
        for error, state, message in ((None, run_pb2.Run.SUCCEEDED, ""), (RuntimeError("CUDA error"), run_pb2.Run.FAILED, "RuntimeError: CUDA error"),
                                      (KeyboardInterrupt(), run_pb2.Run.CANCELLED, "KeyboardInterrupt")):
            with self.subTest(error), Daemon() as daemon:
                callback = LightningCallback(plan=daemon.plan(), server=daemon.address, options=options())
                LightningTrainer(callback, accumulate=2).fit(error)
                run = self.only_run(daemon)
                self.assertEqual((run.state, run.message), (state, message))
                self.assertEqual((run.actual.last.step, run.actual.last.loss), (2, 2.0))

    def test_two_trainings_are_two_runs(self) -> None:
        with Daemon() as daemon:
            callback = LightningCallback(plan=daemon.plan(), server=daemon.address, options=options())
            LightningTrainer(callback).fit()
            LightningTrainer(callback).fit()
            with daemon.client() as client:
                self.assertEqual([run.state for run in client.list_runs()], [run_pb2.Run.SUCCEEDED] * 2)


class Tensors(Run):
    def test_a_loss_is_read_when_it_is_sent_as_it_was_when_it_was_reported(self) -> None:
        with Daemon() as daemon:
            with Reporter(daemon.plan(), server=daemon.address, options=options(flush_seconds=PATIENCE)) as reporter:
                self.assertTrue(reporter.flush(PATIENCE))
                loss = torch.tensor(4.0, requires_grad=True)
                total = loss * 2
                reporter.report(1, loss=total)
                with torch.no_grad():
                    total.zero_()
            self.assertEqual(self.only_run(daemon).actual.last.loss, 8.0)


if __name__ == "__main__":
    unittest.main()
