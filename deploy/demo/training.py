"""A training as it goes: steps that take about as long as they were measured to, and what happens to it. Pure: no clock, no planner."""
import math
import typing

# Deviation of the logarithm of one step's time, as step times of real trainings scatter.
STEP_NOISE = 0.03
# Of all steps of a training alike: another cluster, another day.
RUN_NOISE = 0.01
# A checkpoint is written after so many seconds of training, and is what a restart goes back to.
CHECKPOINT_SECONDS = 25.0


class SlowNode(typing.NamedTuple):
    """From here on every step takes `factor` times as long: the others wait for the slowest node."""

    at: float
    factor: float


class Failure(typing.NamedTuple):
    """The training is gone for `restart_seconds` and then goes on from its newest checkpoint; never, if it `is_final`."""

    at: float
    restart_seconds: float
    is_final: bool = False


class Hang(typing.NamedTuple):
    """From here on nothing is done, and nothing reported; the cards stay occupied."""

    at: float


class Report(typing.NamedTuple):
    """What a training tells the planner. `seconds` are since its start."""

    seconds: float
    step: int
    tokens_per_second: float


class Training:
    """
    Steps of `step_seconds`, `step_count` of them, with `incidents` at seconds since the start, in order. `random` decides on noise alone,
    so that the same seed plays the same week.
    """

    def __init__(self, step_seconds, step_count, tokens_per_step, incidents, random, first_step=0, report_seconds=2.0):
        self.step_seconds = step_seconds * math.exp(random.gauss(0, RUN_NOISE))
        self.step_count = step_count
        self.tokens_per_step = tokens_per_step
        self.incidents = list(incidents)
        self.random = random
        self.report_seconds = report_seconds
        self.clock = 0.0
        self.step = first_step
        self.checkpoint = first_step
        self.factor = 1.0
        self.has_failed = False
        self.hangs = False
        self.down_until = 0.0
        self._last_report = Report(0.0, first_step, 0.0)
        self._last_checkpoint_time = 0.0

    @property
    def is_done(self):
        return self.step >= self.step_count

    @property
    def rate(self):
        """Tokens per second of the newest report; None before there is one."""
        return self._last_report.tokens_per_second or None

    @property
    def is_over(self):
        return self.is_done or self.has_failed

    def is_training_at(self, seconds):
        """Whether the cards compute then; `advance` has been called for that time."""
        return not self.is_over and not self.hangs and seconds >= self.down_until

    def advance(self, until):
        """Plays until so many seconds after the start, and returns the reports that are due."""
        reports = []
        while not self.is_over and not self.hangs:
            end = max(self.clock, self.down_until) + self.step_seconds * self.factor * math.exp(self.next_noise())
            if self.incidents and end >= self.incidents[0].at:
                if self.incidents[0].at > until:
                    break
                self.suffer(self.incidents.pop(0))
                continue
            if end > until:
                break
            self.noise = None
            self.clock = end
            self.step += 1
            if end - self._last_checkpoint_time >= CHECKPOINT_SECONDS:
                self._last_checkpoint_time, self.checkpoint = end, self.step
            if end - self._last_report.seconds >= self.report_seconds or self.is_done:
                reports.append(self.report())
        return reports

    noise = None

    def next_noise(self):
        """Drawn once a step, however often it is asked whether the step has ended."""
        if self.noise is None:
            self.noise = self.random.gauss(0, STEP_NOISE)
        return self.noise

    def suffer(self, incident):
        if isinstance(incident, SlowNode):
            self.factor = incident.factor
            return
        # The step that was under way is lost.
        self.clock = max(self.clock, incident.at)
        if isinstance(incident, Hang):
            self.hangs = True
        elif incident.is_final:
            self.has_failed = True
        else:
            self.down_until = incident.at + incident.restart_seconds
            self.step = self.checkpoint
            # What follows is measured from the restart: the gap has no rate.
            self._last_report = Report(self.down_until, self.step, 0.0)
            self._last_checkpoint_time = self.down_until

    def report(self):
        last = self._last_report
        rate = (self.step - last.step) * self.tokens_per_step / (self.clock - last.seconds)
        self._last_report = Report(self.clock, self.step, rate)
        return self._last_report
