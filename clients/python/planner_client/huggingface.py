"""A callback for the Trainer of Hugging Face transformers.

    trainer = Trainer(..., callbacks=[PlannerCallback(plan="plans/…")])

or, so that an exception ends the run as FAILED at once and not when the process ends:

    with Reporter("plans/…") as reporter:
        Trainer(..., callbacks=[PlannerCallback(reporter)]).train()
"""

from typing import TYPE_CHECKING, Any, Mapping, Optional

from planner_client.bare_callback import BareCallback
from planner_client.reporter import Reporter

if TYPE_CHECKING:
    _Callback = BareCallback
else:
    try:
        from transformers import TrainerCallback as _Callback
    except ImportError:
        _Callback = BareCallback


class PlannerCallback(_Callback):
    """Reports optimizer steps as they end, with the loss where the Trainer logs it (logging_steps), and the tokens that were seen where
    it counts them (include_num_input_tokens_seen). Only on the process that is zero in the world.

    With a reporter of somebody else's it only reports. Else it has its own, from `reporter_arguments` (Reporter's): the run begins with the
    training and ends with it, SUCCEEDED; a training that ends otherwise is FAILED when the process ends.
    """

    def __init__(self, reporter: Optional[Reporter] = None, **reporter_arguments: Any) -> None:
        if reporter is not None and reporter_arguments:
            raise ValueError(f"a reporter has its arguments already: {', '.join(reporter_arguments)}")
        self._reporter = reporter
        self._arguments = reporter_arguments
        self._is_mine = reporter is None

    @property
    def reporter(self) -> Optional[Reporter]:
        return self._reporter

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._is_mine and state.is_world_process_zero:
            # One for each call of train(). The Trainer knows the rank better than the environment.
            self._reporter = Reporter(only_rank_zero=False, **self._arguments)
            self._reporter.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._report(state, None)

    def on_log(self, args: Any, state: Any, control: Any, logs: Optional[Mapping[str, Any]] = None, **kwargs: Any) -> None:
        # Other logs are of evaluations ("eval_loss"), or of the whole training ("train_loss").
        if logs and "loss" in logs:
            self._report(state, logs["loss"])

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._is_mine and self._reporter is not None:
            self._reporter.close()

    def _report(self, state: Any, loss: Any) -> None:
        if self._reporter is not None and state.is_world_process_zero:
            # 0 where the Trainer does not count.
            tokens = getattr(state, "num_input_tokens_seen", 0) or None
            self._reporter.report(state.global_step, tokens=tokens, loss=loss)
