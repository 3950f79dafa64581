"""From the lines of a log to reports."""

from typing import Callable, List, Optional, Sequence

from planner_client.log_lines import LogFormat, Progress
from planner_client.reporter import Reporter


class Tailer:
    """Reports what the lines of a training's log say. `make_reporter` makes the reporter of a run that began at some time (seconds since
    1970), once the first line about progress is there: its step tells when that was.
    """

    def __init__(self, log_format: LogFormat, make_reporter: Callable[[float], Reporter], *, seq_len: int = 0, gpu_count: int = 0) -> None:
        """`seq_len`: tokens of a sample, for formats that count samples. `gpu_count`: for those that know the rate of one GPU. 0: unknown."""
        self._format = log_format
        self._make_reporter = make_reporter
        self._seq_len = seq_len
        self._gpu_count = gpu_count
        self._last: Optional[Progress] = None
        self._ended = False
        self.reporter: Optional[Reporter] = None
        self.line_count = 0

    @property
    def is_done(self) -> bool:
        """The training has done all it was to do."""
        return self._ended or (self._last is not None and 0 < self._last.step_count <= self._last.step)

    def feed(self, lines: Sequence[str], written_at: float) -> None:
        """Lines that were read together, the last of them written at `written_at`."""
        found: List[Progress] = []
        for line in lines:
            progress = self._format.parse(line)
            if progress is None:
                self._ended = self._ended or self._format.is_end(line)
                continue
            # A log may go on with the next training.
            self._ended = False
            # Several ranks may say the same.
            if progress.step != (found[-1].step if found else self._last.step if self._last is not None else -1):
                found.append(progress)
        if not found:
            return
        times = _times(found, written_at)
        if self.reporter is None:
            self.reporter = self._make_reporter(times[0] - self._seconds_before(found, times))
            self.reporter.start()
        for progress, time in zip(found, times):
            tokens = progress.tokens
            if tokens is None and self._seq_len > 0 and progress.samples is not None:
                tokens = progress.samples * self._seq_len
            rate = progress.tokens_per_second_per_gpu
            self.reporter.report(progress.step, tokens=tokens, loss=progress.loss, time=time,
                                 tokens_per_second=rate * self._gpu_count if rate is not None and self._gpu_count > 0 else None)
        self.line_count += len(found)
        self._last = found[-1]

    def _seconds_before(self, found: List[Progress], times: List[float]) -> float:
        """That had passed since the start at the first line. A training that goes on from a checkpoint has not done all steps before."""
        first = found[0]
        steps = min(first.step, self._format.usual_interval)
        seconds = first.seconds_per_step
        if len(found) > 1 and found[1].step > first.step:
            steps = min(first.step, found[1].step - first.step)
            if seconds is None:
                seconds = max(0.0, times[1] - times[0]) / (found[1].step - first.step)
        return steps * (seconds or 0.0)


def _times(found: List[Progress], written_at: float) -> List[float]:
    """Of each line: its own; else counted back from the line after it by the steps in between; of the last one, when it was written."""
    times = [0.0] * len(found)
    later = written_at
    for i in range(len(found) - 1, -1, -1):
        here = found[i].time
        if here is None:
            here = later
            if i + 1 < len(found):
                here -= max(0, found[i + 1].step - found[i].step) * (found[i + 1].seconds_per_step or 0.0)
        times[i] = later = here
    return times
