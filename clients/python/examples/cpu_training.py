#!/usr/bin/env python3
"""A small transformer is planned, trained on this machine's CPU, reported and compared, three times.

    PYTHONPATH=clients/python python3 clients/python/examples/cpu_training.py --plannerd build/release/bin/plannerd --svg step_times.svg

The planner knows no CPUs. It is told of this one as of a GPU type, with what is measured here and now: how fast torch multiplies matrices and
how fast it copies memory, with as many threads as the training has. What part of that a training reaches, the planner guesses the first time,
from defaults that were made for GPUs. Then it learns: each run is reported, and the third plan is made of what the first two took.
"""

import argparse
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Callable, Iterator, List, Tuple

import torch
from google.protobuf import json_format
from step_time_picture import panel_of, picture, seconds_text

import planner
from planner_client import Client, Reporter, ReporterOptions, Retry
from planner_client.api.v1 import estimate_pb2, layer_graph_pb2, run_pb2


class Transformer(torch.nn.Module):
    def __init__(self, words: int, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(words, width)
        block = torch.nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.blocks = torch.nn.TransformerEncoder(block, layers)
        self.head = torch.nn.Linear(width, words)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.embedding(tokens)))


def best_seconds(call: Callable[[], object], seconds: float = 0.3) -> float:
    """Of the fastest of as many calls as there is time for, three at least."""
    taken: List[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return min(taken)


def measured_cpu() -> Tuple[float, float]:
    """FLOPs a second of a product of fp32 matrices, of the size that goes fastest; bytes a second of a copy (read and written)."""
    rates = []
    for size in (64, 128, 256, 512):
        left, right = torch.randn(size, size), torch.randn(size, size)
        rates.append(2 * size**3 / best_seconds(lambda: torch.mm(left, right)))
    words = 1 << 24
    source, target = torch.randn(words), torch.empty(words)
    return max(rates), 2 * 4 * words / best_seconds(lambda: target.copy_(source))


def configuration(flops_per_second: float, bytes_per_second: float) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (f'gpu_types {{ name: "this-cpu" vendor: "any" architecture: "CPU" memory_bytes: {memory} '
            f"memory_bandwidth_bytes_per_second: {bytes_per_second:.4g} gpus_per_node: 1 "
            f'peaks {{ precision: "fp32" flops_per_second: {flops_per_second:.4g} }} notes: "measured by this example" }}\n')


@contextlib.contextmanager
def running_planner(program: str, config: str) -> Iterator[str]:
    """The address of a plannerd of our own, which knows this CPU."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "config").write_text(config)
        daemon = subprocess.Popen([program, "--config", f"{folder}/config", "--listen", f"unix:{folder}/socket", "--metrics_listen", "off",
                                   "--state_dir", f"{folder}/state"], stderr=open(f"{folder}/log", "w"))
        try:
            yield f"unix:{folder}/socket"
        finally:
            daemon.terminate()
            daemon.wait()


def request_of(model: torch.nn.Module, tokens: torch.Tensor, steps: int) -> estimate_pb2.EstimateRequest:
    """The job: the model as it is, described without running it."""
    request = estimate_pb2.EstimateRequest()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.json"
        planner.describe(model, tokens, str(path))
        request.model.layer_graph.CopyFrom(json_format.Parse(path.read_text(), layer_graph_pb2.LayerGraph()))
    request.data_set.sample_count = steps * len(tokens)
    request.training.global_batch = len(tokens)
    request.training.precision = "fp32"
    request.training.optimizer = "adam"
    request.resources.gpu_types.append("this-cpu")
    request.resources.min_gpus = request.resources.max_gpus = 1
    return request


def train(model: torch.nn.Module, words: int, shape: Tuple[int, int], steps: int, reporter: Reporter) -> None:
    """Learns to name the word before, of sequences that follow a rule."""
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(1, steps + 1):
        first = torch.randint(0, words, (shape[0], 1))
        sequence = (first + 3 * torch.arange(shape[1] + 1)) % words
        optimizer.zero_grad()
        answers = model(sequence[:, 1:])
        loss = torch.nn.functional.cross_entropy(answers.reshape(-1, words), sequence[:, :-1].reshape(-1))
        loss.backward()
        optimizer.step()
        reporter.report(step, loss=loss)


def main() -> int:
    parser = argparse.ArgumentParser(description="Plans, trains, reports and compares a small transformer on this CPU.")
    parser.add_argument("--plannerd", default="build/release/bin/plannerd", help="the program (default: %(default)s)")
    parser.add_argument("--svg", default="step_times.svg", help="where the picture goes (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40, help="of each run; the planner learns from 20 or more (default: %(default)s)")
    parser.add_argument("--width", type=int, default=128, help="of the model (default: %(default)s)")
    parser.add_argument("--length", type=int, default=64, help="of a sequence (default: %(default)s)")
    its = parser.parse_args()

    torch.manual_seed(0)
    words, batch = 256, 8
    flops, bandwidth = measured_cpu()
    print(f"this CPU, {torch.get_num_threads()} threads: {flops / 1e9:.1f} GFLOP/s in fp32, {bandwidth / 1e9:.1f} GB/s")

    runs: List[run_pb2.Run] = []
    # It has only been started: it is asked until it is there.
    patience = Retry(rounds=10**6, longest_wait=0.5)
    with running_planner(its.plannerd, configuration(flops, bandwidth)) as address, Client(address, timeout=60, retry=patience) as client:
        for number in range(1, its.runs + 1):
            model = Transformer(words, its.width, 2)
            plan = client.create_plan(request_of(model, torch.zeros(batch, its.length, dtype=torch.long), its.steps))
            with Reporter(plan.name, server=address, description=f"run {number}", options=ReporterOptions(sample_seconds=0.0)) as reporter:
                train(model, words, (batch, its.length), its.steps, reporter)
            runs.append(client.get_run(reporter.run))

    panels = [panel_of(run, f"Run {number}") for number, run in enumerate(runs, 1)]
    for panel, run in zip(panels, runs):
        print(f"{panel.title}: planned {seconds_text(panel.planned)} a step ({seconds_text(panel.low)} to {seconds_text(panel.high)}), measured "
              f"{seconds_text(panel.measured)}, {panel.measured / panel.planned:.2f} times; loss {run.actual.last.loss:.2f}"
              f"{'' if run.actual.learned else '; nothing learned'}")
    pathlib.Path(its.svg).write_text(picture(panels, "A transformer on this CPU: planned and actual step times"), encoding="utf-8")
    print(f"picture: {its.svg}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
