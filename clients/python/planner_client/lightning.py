"""A callback for the Trainer of Lightning (packages `lightning` and `pytorch_lightning`).

    trainer = Trainer(..., callbacks=[PlannerCallback(plan="plans/…")])
"""

from typing import TYPE_CHECKING, Any, Mapping, Optional

from planner_client.api.v1 import run_pb2
from planner_client.bare_callback import BareCallback
from planner_client.outcome import outcome_of
from planner_client.reporter import Reporter

if TYPE_CHECKING:
    _Callback = BareCallback
else:
    try:
        from lightning.pytorch.callbacks import Callback as _Callback
    except ImportError:
        try:
            from pytorch_lightning.callbacks import Callback as _Callback
        except ImportError:
            _Callback = BareCallback


def _loss_of(outputs: Any, batches: int) -> Any:
    """The loss that training_step has returned: Lightning divides it by the batches that are accumulated. None for what is no figure: with manual
    optimization it may return anything.
    """
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    return loss * batches if hasattr(loss, "__float__") else None


class PlannerCallback(_Callback):
    """Reports optimizer steps as they end (batches that only accumulate gradients are none), with the loss that training_step returns. Only on
    the process that is zero in the world.

    With a reporter of somebody else's it only reports. Else it has its own, from `reporter_arguments` (Reporter's): the run begins with the
    training and ends with it, SUCCEEDED, FAILED by an exception, CANCELLED by Ctrl-C.
    """

    def __init__(self, reporter: Optional[Reporter] = None, **reporter_arguments: Any) -> None:
        super().__init__()
        if reporter is not None and reporter_arguments:
            raise ValueError(f"a reporter has its arguments already: {', '.join(reporter_arguments)}")
        self._reporter = reporter
        self._arguments = reporter_arguments
        self._is_mine = reporter is None
        self._last_step = -1

    @property
    def reporter(self) -> Optional[Reporter]:
        return self._reporter

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._last_step = int(trainer.global_step)
        if self._is_mine and trainer.is_global_zero:
            # Lightning knows the rank better than the environment.
            self._reporter = Reporter(only_rank_zero=False, **self._arguments)
            self._reporter.start()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, *unused: Any) -> None:
        step = int(trainer.global_step)
        if self._reporter is None or not trainer.is_global_zero or step == self._last_step:
            return
        self._last_step = step
        self._reporter.report(step, loss=_loss_of(outputs, getattr(trainer, "accumulate_grad_batches", 1)))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        # After an exception Lightning calls on_exception, and this not; after Ctrl-C some versions call both, on_exception first.
        self._close(run_pb2.Run.SUCCEEDED, "")

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._close(*outcome_of(exception))

    def _close(self, state: "run_pb2.Run.State", message: str) -> None:
        if self._is_mine and self._reporter is not None:
            self._reporter.close(state, message)
