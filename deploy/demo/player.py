"""Plays one job of the story against the planner: asks for a plan, starts what it planned when it planned it, reports, ends."""
import random

import gpus
import hosts
import planner_api
import published
import story
import training


class Player:
    """
    Advances with `play(now)`; times are seconds since 1970. States: "to come", "planned" (waits for its start), "running", "over".
    A job whose arrival lies before `begin` is told afterwards: its run starts in the past, and so do its reports.
    """

    def __init__(self, job, planner, published_runs, begin, seed, log):
        self.job, self.planner, self.begin, self.log = job, planner, begin, log
        self.planned_as = published_runs[job.planned_as]
        self.runs_as = published_runs[job.runs_as or job.planned_as]
        self.random = random.Random(f"{seed} {job.name}")
        self.state = "to come"
        self.arrival = begin + job.arrival * story.DAY
        self.plan = self.recommendation = self.run = self.training = None
        self.run_start = 0.0
        self.retry_at = None
        self.nodes = []
        self.run_names = []

    # What others ask.

    @property
    def failed_node(self):
        """The node through which the job fails at the moment, or None."""
        at = self.seconds
        return self.nodes[-1] if self.state == "running" and self.training.clock <= at < self.training.down_until else None

    def overruns(self, now):
        """Whether it is still on its nodes when the plan's booking of them has ended."""
        return self.state == "running" and now > planner_api.seconds_of(self.plan.reservation.end_time)

    def load(self):
        """What it does with its nodes' cards, or None."""
        if self.state != "running":
            return None
        ratio = self.recommendation.step_duration.ToNanoseconds() * 1e-9 / (self.training.step_seconds * self.training.factor)
        planned = self.recommendation
        return gpus.training_load(self.job.name, planned.model_flops_utilization * ratio, planned.memory_per_gpu.total_bytes,
                                  self.training.is_training_at(self.seconds), self.training.hangs)

    # What it does.

    seconds = 0.0  # Since the start of its run.

    def play(self, now):
        if self.state == "to come" and now >= self.arrival:
            self.ask(is_history=False, now=now)
        if self.state == "planned" and now >= self.start:
            self.begin_run(min(now, self.arrival) if self.job.arrival < 0 else None, now)
        # One that has begun in this very tick began after `now`, by as much as the calls before took.
        if self.state == "running" and now > self.run_start:
            self.seconds = now - self.run_start
            self.report(self.training.advance(self.seconds))
            if self.training.is_over:
                self.end_run()
        if self.retry_at is not None and now >= self.retry_at:
            self.retry(now)

    def play_history(self):
        """All of a job that has ended before the demo begins."""
        self.ask(is_history=True, now=self.begin)
        self.begin_run(self.arrival, self.begin)
        self.report(self.training.advance(self.begin - self.run_start))
        assert self.training.is_done, f"{self.job.name} has not ended when the demo begins"
        self.end_run()

    def ask(self, is_history, now):
        # What is planned is the duration; how many tokens that is, the planned step time says. A thousandth of the tokens of so many days.
        request = published.estimate_request(self.planned_as, story.CLUSTER)
        best = recommended(self.planner.estimate(request))
        # Whole steps: no run can do a part of one.
        steps = max(1, round(self.job.days * story.DAY / planner_api.seconds_of(best.step_duration)))
        amount = steps * best.global_batch * int(self.planned_as.cells["seq_len"] or 1)
        request["dataSet"]["tokenCount" if self.planned_as.cells["seq_len"] else "sampleCount"] = amount
        # What is over holds nothing.
        self.plan = self.planner.create_plan(request, self.job.name, hold=not is_history)
        self.recommendation = recommended(self.plan.estimate)
        self.state = "planned"
        self.start = now
        if not is_history:
            self.plan = self.planner.confirm_plan(self.plan.name)
            self.nodes = hosts.expand(self.plan.reservation.nodes)
            self.start = planner_api.seconds_of(self.plan.reservation.start_time)
            waits = self.start - now
            seconds = planner_api.seconds_of(self.recommendation.total_duration)
            self.log(f"{self.job.name}: {self.plan.name}: {self.recommendation.gpu_count} x {self.recommendation.gpu_type}, {seconds:.0f} s"
                     + (f", waits {waits:.0f} s for its start" if waits > 3 else ""))

    def begin_run(self, start, now):
        """`start`: in the past, of a run that is told afterwards."""
        self.start_run(start)
        duration = planner_api.seconds_of(self.recommendation.total_duration)
        incidents = [incident._replace(at=incident.at * duration) for incident in self.job.incidents]
        self.train(incidents, first_step=0)
        self.seconds = now - self.run_start

    def start_run(self, start=None):
        self.run = self.planner.start_run(self.plan.name, self.job.name, start)
        self.run_start = planner_api.seconds_of(self.run.start_time)
        self.run_names.append(self.run.name)
        self.state = "running"

    def train(self, incidents, first_step):
        planned = self.run.planned
        self.training = training.Training(self.runs_as.step_seconds, round(planned.step_count), planned.tokens_per_step, incidents, self.random,
                                          first_step)

    def report(self, reports):
        if reports:
            self.planner.report(self.run.name, [(self.run_start + report.seconds, report.step, report.tokens_per_second, 0.98)
                                                for report in reports])

    def end_run(self):
        self.state = "over"
        if self.training.has_failed and self.job.retry_after_days > 0:
            self.retry_at = self.run_start + self.training.clock + self.job.retry_after_days * story.DAY
        else:
            self.finish_run(self.run, self.run_start, self.training, "FAILED" if self.training.has_failed else "SUCCEEDED")

    def finish_run(self, run, run_start, played, state):
        message = "CUDA error: an illegal memory access was encountered" if state == "FAILED" else ""
        self.planner.finish_run(run.name, state, message, run_start + played.clock, played.step, played.rate)
        self.log(f"{self.job.name}: {run.name} {state.lower()}")

    def retry(self, now):
        """
        A second run of the same plan, from the checkpoint of the first one. That one is finished only then, so that the plan keeps its cards.
        """
        self.retry_at = None
        first = (self.run, self.run_start, self.training)
        self.start_run()
        self.finish_run(*first, "FAILED")
        self.train([], self.training.checkpoint)
        # A millisecond later: a float of seconds since 1970 may be a fraction of a microsecond too small, and so before the start.
        self.report([training.Report(0.001, self.training.step, None)])
        self.seconds = now - self.run_start


def recommended(estimate):
    if not estimate.recommendations:
        raise RuntimeError(f"nothing is recommended: {'; '.join(estimate.infeasible_reasons)}")
    return estimate.recommendations[0]
