#!/usr/bin/env python3
"""Serves every metric of the table as a plannerd with a small fleet and three runs would, and a few of dcgm-exporter's.

usage: fake_exporter.py [--port PORT] [--runs COUNT] [--without METRIC]... plannerd|dcgm-exporter

Prints the address. Ends when its standard input does.
"""
import argparse
import http.server
import pathlib
import sys
import threading
import time

import metrics_table

TABLE = pathlib.Path(__file__).resolve().parents[2] / "deploy/prometheus/README.md"
CLUSTER, GPU_TYPES = "main", {"H100-SXM-80GB": 512, "A100-SXM-80GB": 256}
RUNNING = ("20260101-000000-00000001", "20260102-000000-00000002", "20260103-000000-00000003")
ENDED = "20251231-000000-00000000"
DRIFTS = ("on_plan", "late", "stalled")
# Parts of the cards; they add up to 1.
STATES = {"free": 0.25, "booked": 0.5, "used": 0.125, "maintenance": 0.0, "drained": 0.0625, "down": 0.0625}


class Samples:
    """What a page says, by metric."""

    def __init__(self, without):
        self.by_metric, self.without = {}, set(without)

    def add(self, metric, value, **labels):
        if metric not in self.without:
            self.by_metric.setdefault(metric, []).append((labels, value))

    def text(self, types):
        """In Prometheus' text format. `types`: type and help of each metric."""
        lines = []
        for metric, samples in self.by_metric.items():
            kind, help_text = types[metric]
            escaped = help_text.replace("\\", "\\\\").replace("\n", "\\n")
            lines += [f"# HELP {metric} {escaped}", f"# TYPE {metric} {kind}"]
            for labels, value in samples:
                for suffix, more, number in histogram(value) if kind == "histogram" else [("", {}, value)]:
                    inner = ",".join(f'{key}="{text}"' for key, text in {**labels, **more}.items())
                    lines.append(f"{metric}{suffix}{{{inner}}} {number}" if inner else f"{metric}{suffix} {number}")
        return "\n".join(lines) + "\n"


def histogram(count):
    """Buckets of `count` durations: nine of ten up to 1 ms, the others up to 0.1 s."""
    fast = count * 9 // 10
    buckets = [("0.001", fast), ("0.01", fast), ("0.1", count), ("+Inf", count)]
    return [("_bucket", {"le": limit}, number) for limit, number in buckets] + [
        ("_sum", {}, fast * 0.0005 + (count - fast) * 0.05), ("_count", {}, count)]


def add_service(samples, seconds):
    """What belongs to the process. Ten calls a second."""
    calls = int(seconds * 10)
    samples.add("planner_build_info", 1, version="1.0.0")
    for method in ("EstimationService/Estimate", "PlanService/CreatePlan"):
        samples.add("planner_rpc_requests_total", calls, method=method, code="OK")
        samples.add("planner_rpc_requests_total", calls // 50, method=method, code="INVALID_ARGUMENT")
        samples.add("planner_rpc_duration_seconds", calls, method=method)
    samples.add("planner_rpc_active_calls", 3)
    samples.add("planner_rpc_active_calls_limit", 64)
    for kind in ("watch", "report_utilization", "report_progress"):
        samples.add("planner_rpc_active_streams", 2, kind=kind)
    for queue in ("bookings", "progress", "utilization"):
        samples.add("planner_queue_length", 0, queue=queue)
    for counter in ("analytic", "libtorch"):
        samples.add("planner_count_duration_seconds", calls, counter=counter)
        samples.add("planner_plugin_up", 1, counter=counter)
        samples.add("planner_plugin_restarts_total", 0, counter=counter)
    for operation in ("transact", "get", "get_by_request_id", "list", "changes_since", "version"):
        samples.add("planner_store_duration_seconds", calls, operation=operation)
        samples.add("planner_store_errors_total", 0, operation=operation)


def add_fleet(samples, now):
    samples.add("planner_cluster_inventory_timestamp_seconds", int(now) - 86400, cluster=CLUSTER)
    for outcome in ("accepted", "refused"):
        samples.add("planner_utilization_samples_total", int(now % 86400) if outcome == "accepted" else 0, outcome=outcome)
    for outcome in ("ok", "unreachable", "timeout", "refused", "too_large", "malformed", "stale", "implausible"):
        samples.add("planner_utilization_queries_total", int(now % 86400) if outcome == "ok" else 0, cluster=CLUSTER, outcome=outcome)
    for drift in ("on_plan", "late", "early", "stalled", "unknown"):
        samples.add("planner_runs", int(drift in DRIFTS), drift=drift)
    for gpu_type, cards in GPU_TYPES.items():
        of_type = {"cluster": CLUSTER, "gpu_type": gpu_type}
        samples.add("planner_cluster_gpus", cards, **of_type, state="total")
        for state, part in STATES.items():
            samples.add("planner_cluster_gpus", cards * part, **of_type, state=state)
        for horizon, part in (("1h", 0.5), ("1d", 0.45), ("7d", 0.3), ("30d", 0.1)):
            samples.add("planner_cluster_booked_gpus", cards * part, **of_type, horizon=horizon)
        samples.add("planner_cluster_utilization_ratio", 0.7, **of_type)
        samples.add("planner_cluster_tensor_active_ratio", 0.35, **of_type)
        samples.add("planner_cluster_occupied_gpus", cards * 0.75, **of_type)
        samples.add("planner_cluster_utilization_timestamp_seconds", int(now) - 30, **of_type)
        samples.add("planner_prediction_error_ratio", 0.08, **of_type)
        samples.add("planner_prediction_runs", 12, **of_type)


def add_run(samples, run, drift, now):
    samples.add("planner_run_info", 1, run=run, cluster=CLUSTER, gpu_type="H100-SXM-80GB", gpus="256", currency="USD",
                state="succeeded" if run == ENDED else "running")
    samples.add("planner_run_drift", 1, run=run, drift=drift)
    late = 43200 if drift == "late" else 0
    planned_finish = int(now) + 86400
    for metric, value in {
        "planned_progress_ratio": 0.5, "actual_progress_ratio": 0.45 if late else 0.5,
        "planned_finish_timestamp_seconds": planned_finish, "predicted_finish_timestamp_seconds": planned_finish + late,
        "predicted_finish_low_timestamp_seconds": planned_finish + late - 3600,
        "predicted_finish_high_timestamp_seconds": planned_finish + late + 7200,
        "planned_tokens_per_second": 400000, "actual_tokens_per_second": 360000 if late else 400000,
        "model_flops_utilization_ratio": 0.36 if late else 0.4, "planned_gpu_seconds": 256 * 172800, "actual_gpu_seconds": 256 * 86400,
        "planned_cost": 30000.5, "actual_cost": 15000.25,
    }.items():
        samples.add(f"planner_run_{metric}", value, run=run)


def plannerd_page(now, started, run_count, without):
    samples = Samples(without)
    add_service(samples, now - started)
    add_fleet(samples, now)
    for number in range(run_count):
        run = RUNNING[number] if number < len(RUNNING) else f"20260104-{number:06d}-{number:08x}"
        add_run(samples, run, DRIFTS[number % len(DRIFTS)] if number < len(RUNNING) else "on_plan", now)
    add_run(samples, ENDED, "late", now)
    return samples.text({metric.name: (metric.type, metric.help) for metric in metrics_table.read(TABLE).values()})


def dcgm_page(without):
    samples = Samples(without)
    for gpu in range(8):
        card = {"gpu": str(gpu), "UUID": f"GPU-{gpu}", "modelName": "NVIDIA H100 80GB HBM3", "Hostname": "gpu001"}
        samples.add("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 0.35, **card)
        samples.add("DCGM_FI_DEV_POWER_USAGE", 612.5, **card)
        samples.add("DCGM_FI_DEV_FB_USED", 61440, **card)
    return samples.text({metric: ("gauge", "Of one card.") for metric in samples.by_metric})


class Exporter:
    """One of the two on a free port of loopback, until it is closed."""

    def __init__(self, kind, port=0, run_count=len(RUNNING), without=()):
        started = time.time()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # http.server calls it so
                now = time.time()
                page = dcgm_page(without) if kind == "dcgm-exporter" else plannerd_page(now, started, run_count, without)
                body = page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("plannerd", "dcgm-exporter"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--runs", type=int, default=len(RUNNING))
    parser.add_argument("--without", action="append", default=[])
    options = parser.parse_args()
    with Exporter(options.kind, options.port, options.runs, options.without) as exporter:
        print(exporter.address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
