#!/usr/bin/env python3
"""Plays a week of a cluster with 64 nodes in ten minutes, against a plannerd that runs.

usage: simulator.py --server HOST:PORT --published published_runs.csv [--seed N]

Prints "web=HOST:PORT": the page is there, and the exporters of the nodes behind it. Ends with the week, or with SIGTERM.
"""
import argparse
import random
import signal
import sys
import threading
import time

import grpc

import dcgm
import gpus
import inventory
import page
import planner_api
import player
import published
import story
import visitors
import web

TICK_SECONDS = 1.0
VISIT_SECONDS = 3.0


class Simulator:
    def __init__(self, planner, published_runs, seed):
        self.planner = planner
        self.begin = time.time()
        self.random = random.Random(f"{seed} cards")
        make = lambda job: player.Player(job, planner, published_runs, self.begin, seed, log)  # noqa: E731
        self.players = [make(job) for job in story.JOBS]
        self.earlier = [make(job) for job in story.EARLIER_JOBS]
        self.visitors = visitors.Visitors(planner, published_runs, seed)
        self.readings = {}
        self.next_inventory = self.next_visit = 0.0
        self.told_of_failures = ()
        self.told_of_overruns = []
        self.changes = inventory.changes(self.begin)
        exporters = {address: lambda node=address.partition(":")[0]: dcgm.page(self.readings[node], dcgm.pool_of(node))
                     for address in story.exporters()}
        self.web = web.Server({"/": ("text/html; charset=utf-8", page.live("")),
                               "/metrics": ("text/plain; version=0.0.4; charset=utf-8", self.scheduler_metrics)}, exporters)

    def start(self):
        """All that is there when the curtain rises."""
        self.tell_inventory(self.begin, (), [])
        for one in self.earlier:
            one.play_history()
        self.measure(self.begin)
        self.web.start()
        print(f"web={self.web.address}", flush=True)

    def tick(self, now):
        for one in self.players:
            one.play(now)
        failed = tuple(sorted(one.failed_node for one in self.players if one.failed_node))
        overruns = [one for one in self.players if one.overruns(now)]
        is_due = bool(self.changes) and now >= self.changes[0]
        if is_due or failed != self.told_of_failures or overruns != self.told_of_overruns:
            self.changes = [change for change in self.changes if change > now]
            self.tell_inventory(now, failed, overruns)
        self.measure(now)
        if now >= self.next_visit:
            self.next_visit = now + VISIT_SECONDS
            self.visitors.ask()

    def tell_inventory(self, now, failed, overruns):
        self.told_of_failures, self.told_of_overruns = failed, overruns
        occupied = [(one.job.name, one.nodes) for one in overruns]
        self.planner.apply_cluster(inventory.cluster(self.begin, now, failed, occupied))

    def measure(self, now):
        loads = gpus.guests((now - self.begin) / story.DAY)
        for one in self.players:
            load = one.load()
            if load is not None:
                loads.update({node: load for node in one.nodes})
        readings = {}
        for reading in gpus.readings(loads, {one.failed_node for one in self.players}, self.random):
            readings.setdefault(reading.node, []).append(reading)
        self.readings = readings

    def scheduler_metrics(self):
        """What a scheduler's exporter knows and the planner does not put into labels: the names of jobs."""
        lines = ["# HELP scheduler_job_info 1. The name of the job that a run is.", "# TYPE scheduler_job_info gauge"]
        for one in self.earlier + self.players:
            lines += [f'scheduler_job_info{{run="{run.partition("/")[2]}",job_name="{one.job.name}"}} 1' for run in one.run_names]
        return "\n".join(lines) + "\n"


def log(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True)
    parser.add_argument("--published", required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    simulator = Simulator(planner_api.Planner(options.server), published.read(options.published), options.seed)
    simulator.start()
    while not stop.wait(TICK_SECONDS):
        try:
            simulator.tick(time.time())
        except grpc.RpcError as error:
            # The planner ends a moment before the demo does.
            if stop.wait(TICK_SECONDS):
                break
            log(f"{error.code().name}: {error.details()}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
