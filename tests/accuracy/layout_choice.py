#!/usr/bin/env python3
"""How much longer the layout takes that the planner would pick than the best one that was measured.

layout_choice.py PLANNERCTL RUNS.csv [SOURCE…]: of every job that was measured in several layouts (same source, model, cards, batch and
sequence length), the layout with the least predicted step, its measured time over the least measured one. SOURCE: parts of names."""

import collections
import csv
import json
import subprocess
import sys

JOB = ("source", "model", "n_layers", "hidden", "heads", "gpu_type", "n_gpus", "global_batch", "seq_len")
LAYOUT = ("tp", "pp", "dp", "cp", "ep", "vpp", "microbatch", "zero_stage", "recompute")


def main(plannerctl, file, *sources):
    answer = subprocess.run([plannerctl, "validate", "--runs", file, "-o", "json"], capture_output=True, text=True, check=True)
    predicted = {row["id"]: row for row in json.loads(answer.stdout)["rows"]}
    jobs = collections.defaultdict(dict)
    with open(file, newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            found = predicted[row["id"]]
            wanted = not sources or any(source in row["source"] for source in sources)
            if wanted and not found["skipped"] and found["measuredStepSeconds"] > 0:
                times = (found["predictedStepSeconds"], found["measuredStepSeconds"])
                jobs[tuple(row[name] for name in JOB)].setdefault(tuple(row[name] for name in LAYOUT), times)
    losses = [min(times.values())[1] / min(time for _, time in times.values()) - 1 for times in jobs.values() if len(times) > 1]
    if not losses:
        sys.exit("no job was measured in several layouts")
    print(f"{len(losses)} jobs: the picked layout takes {sum(losses) / len(losses):.1%} longer on average, at most {max(losses):.1%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
