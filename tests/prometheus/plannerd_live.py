#!/usr/bin/env python3
"""A plannerd with a small fleet, plans, runs and measured utilization, and what Prometheus makes of it.

usage: plannerd_live.py PLANNERD PLANNERCTL check_metrics TABLE
       plannerd_live.py PLANNERD PLANNERCTL queries ARGUMENTS OF queries_live.py...

check_metrics: `promtool check metrics` finds nothing on its page, which has the metrics of the table, with its types and labels, and no others.
queries: queries_live.py with plannerd as a target, and dcgm-exporter played by fake_exporter.py.
"""
import argparse
import contextlib
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

import fake_exporter
import metrics_table
import prometheus_server

CLUSTER = """
name: main
currency: USD
nodePools:
- {name: h100, gpuType: h100, nodeCount: 16, pricePerGpuHour: 2.5, nodeNames: "h[01-16]",
   nodeConditions: [{nodes: "h15", state: DRAINED}, {nodes: "h16", state: DOWN}], occupations: [{nodes: "h14", gpusPerNode: 4}]}
- {name: a100, gpuType: a100, nodeCount: 4, pricePerGpuHour: 1.5, nodeNames: "a[1-4]"}
"""
# Of a run's planned steps, by now; the last one has not reported.
PROGRESS = (0.25, 0.2, None)


class Plannerd:
    """Spawned with a state folder of its own; ended with the block."""

    def __init__(self, plannerd, plannerctl, config=""):
        self.program, self.plannerctl, self.config = plannerd, plannerctl, config

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="plannerd-")
        config = pathlib.Path(self.folder.name, "plannerd.textproto")
        config.write_text(self.config)
        self.process = subprocess.Popen(
            [self.program, "--config", str(config), "--listen", "127.0.0.1:0", "--metrics_listen", "127.0.0.1:0", "--state_dir", f"{self.folder.name}/state"],
            stderr=subprocess.PIPE, text=True)
        addresses = {}
        for line in self.process.stderr:
            if found := re.search(r"event=listening service=(\w+) address=(\S+)", line):
                addresses[found[1]] = found[2]
            if "event=ready" in line:
                break
        assert set(addresses) == {"grpc", "metrics"}, f"plannerd did not start: {addresses}"
        self.grpc, self.metrics = addresses["grpc"], addresses["metrics"]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=30)
        self.folder.cleanup()

    def ask(self, *arguments, text=None):
        done = subprocess.run([self.plannerctl, "--server", self.grpc, "-o", "json", *arguments], input=text, capture_output=True, text=True)
        assert done.returncode == 0, f"plannerctl {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout or "{}")

    def page(self):
        with urllib.request.urlopen(f"http://{self.metrics}/metrics") as answer:
            return answer.read().decode()

    def fill(self):
        """One ended run and three that run: on plan, late, not heard of; utilization of now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        self.ask("cluster", "apply", "-f", "-", text=CLUSTER)
        for progress in (1.0, *PROGRESS):
            gpus = "16" if progress != 0.2 else "8"
            # Planned to take some days, and so to be under way whenever this runs.
            plan = self.ask("plan", "create", "--model", "llama-7b", "--tokens", "100B", "--cluster", "main", "--gpu", "h100", "--gpus", gpus,
                            "--hold", "1h")
            planned = float(plan["estimate"]["recommendations"][0]["totalDuration"].rstrip("s"))
            steps = float(plan["estimate"]["recommendations"][0]["stepCount"])
            since = datetime.timedelta(seconds=planned * (1.1 if progress == 1.0 else 0.25))
            run = self.ask("run", "start", plan["name"], "--start-time", (now - since).isoformat())["name"]
            if progress is not None:
                lines = "".join(json.dumps({"step": int(steps * progress * part / 20), "time": (now - since * (1 - part / 20)).isoformat()}) + "\n"
                                for part in range(1, 21))
                self.ask("run", "report", run, "-f", "-", text=lines)
            if progress == 1.0:
                self.ask("run", "finish", run)
        samples = "".join(json.dumps({"node": node, "gpu": gpu, "time": now.isoformat(), "busyRatio": 0.9, "tensorActiveRatio": 0.4}) + "\n"
                          for node in ("h01", "a1") for gpu in range(8))
        self.ask("cluster", "report-utilization", "main", "-f", "-", text=samples)


def page_against_table(page, table):
    """Complaints about what is on the page and not in the table, or the other way round."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))
    for name in sorted(set(types) ^ set(table)):
        yield f"{name} is in the table or exported, not both"
    for name in sorted(set(types) & set(table)):
        if types[name] != table[name].type:
            yield f"{name} is a {types[name]}, in the table a {table[name].type}"
        for sample in re.findall(rf"^{name}(?:_bucket|_sum|_count)?(?:\{{(.*)\}})? \S+$", page, re.MULTILINE):
            labels = set(re.findall(r'(\w+)="', sample)) - {"le"}
            if labels != set(table[name].labels):
                yield f"{name} has the labels {sorted(labels)}, in the table {sorted(table[name].labels)}"
                break


def check_metrics(page, table):
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    complaints = list(page_against_table(page, table))
    if done.returncode != 0 or done.stderr or done.stdout:
        complaints.append(f"promtool check metrics: {done.stdout}{done.stderr}")
    print("\n".join(complaints) or f"{len(page)} bytes: as in the table")
    return 1 if complaints else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plannerd")
    parser.add_argument("plannerctl")
    parser.add_argument("what", choices=("check_metrics", "queries"))
    options, rest = parser.parse_known_args()
    with contextlib.ExitStack() as stack:
        # collector_live.py has a Prometheus that is there; its metrics are the same.
        source = f'utilization_sources {{ cluster: "main" url: "http://127.0.0.1:{prometheus_server.free_port()}" }}'
        plannerd = stack.enter_context(Plannerd(options.plannerd, options.plannerctl, source))
        plannerd.fill()
        if options.what == "check_metrics":
            page_parser = argparse.ArgumentParser()
            page_parser.add_argument("table")
            given = page_parser.parse_args(rest)
            return check_metrics(plannerd.page(), metrics_table.read(given.table))
        dcgm = stack.enter_context(fake_exporter.Exporter("dcgm-exporter"))
        live = pathlib.Path(__file__).with_name("queries_live.py")
        return subprocess.run([sys.executable, str(live), *rest, "--target", f"plannerd={plannerd.metrics}",
                               "--target", f"dcgm-exporter={dcgm.address},cluster={fake_exporter.CLUSTER}"]).returncode


if __name__ == "__main__":
    sys.exit(main())
