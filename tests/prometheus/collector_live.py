#!/usr/bin/env python3
"""plannerd's utilization follows what a real Prometheus scrapes from exporters in dcgm-exporter's format.

usage: collector_live.py PLANNERD PLANNERCTL

What the exporters say is changed, and one of them ends: what plannerd answers changes with it. Then Prometheus ends: the last good values
stay, and grow old.
"""
import contextlib
import http.server
import json
import math
import sys
import threading

import plannerd_live
import prometheus_server

NODES = ("gpu001", "gpu002")
CLUSTER = """
name: main
nodePools: [{name: h100, gpuType: h100, nodeCount: 2, nodeNames: "gpu[001-002]"}]
"""
SOURCE = """
utilization_sources {{
  cluster: "main" url: "{url}" matchers: 'job="dcgm-exporter"' interval_milliseconds: 500 max_sample_age_seconds: 10
}}
"""
SECONDS = 30


class Exporter:
    """dcgm-exporter of a node, whose eight cards are all alike, and whose Hostname is domain and all."""

    def __init__(self, node, load):
        self.load = load

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):  # http.server calls it so
                lines = []
                for metric, value in self.load.items():
                    lines.append(f"# TYPE {metric} gauge")
                    lines += [f'{metric}{{gpu="{gpu}",UUID="GPU-{node}-{gpu}",device="nvidia{gpu}",modelName="NVIDIA H100 80GB HBM3",'
                              f'Hostname="{node}.example.org"}} {value}' for gpu in range(8)]
                body = ("\n".join(lines) + "\n").encode()
                handler.send_response(200)
                handler.send_header("Content-Type", "text/plain; version=0.0.4")
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def load(busy, tensor, memory_mib, watts):
    return {"DCGM_FI_DEV_GPU_UTIL": busy, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": tensor, "DCGM_FI_PROF_DRAM_ACTIVE": tensor / 2,
            "DCGM_FI_DEV_FB_USED": memory_mib, "DCGM_FI_DEV_POWER_USAGE": watts}


def main():
    with contextlib.ExitStack() as stack:
        exporters = [Exporter(node, load(100, 0.5, 61440, 650)) for node in NODES]
        for exporter in exporters:
            stack.callback(exporter.close)
        prometheus = prometheus_server.Server([("dcgm-exporter", exporter.address, {}) for exporter in exporters])
        api = stack.enter_context(prometheus)
        plannerd = stack.enter_context(plannerd_live.Plannerd(sys.argv[1], sys.argv[2], SOURCE.format(url=api.url)))
        plannerd.ask("cluster", "apply", "-f", "-", text=CLUSTER)

        def latest():
            return plannerd.ask("cluster", "utilization", "main")["pools"][0].get("latest") or {}

        def wait(what, condition):
            seen = {}

            def holds():
                seen.update(latest())
                return condition(seen)

            try:
                prometheus_server.wait_until(holds, SECONDS, what)
            except AssertionError as error:
                raise AssertionError(f"{error}: {json.dumps(seen)}") from None
            print(f"{what}: {json.dumps(seen)}")
            return seen

        def age(answer):
            return float(answer["age"].rstrip("s"))

        wait("all busy", lambda now: now.get("busyRatio") == 1 and now["tensorActiveRatio"] == 0.5 and now["measuredGpuCount"] == "16"
             and now["occupiedGpuCount"] == "16" and not now["trouble"] and age(now) < 10)
        # The answers of estimates and of the cluster say the same.
        estimate = plannerd.ask("estimate", "--model", "llama-7b", "--tokens", "1B", "--cluster", "main", "--gpus", "8")
        assert estimate["provenance"]["utilization"][0]["busyRatio"] == 1, estimate["provenance"]
        assert plannerd.ask("cluster", "get", "main")["nodePools"][0]["status"]["utilization"]["busyRatio"] == 1

        exporters[1].load = load(0, 0, 4, 70)
        before = wait("half of them idle", lambda now: now.get("occupiedGpuCount") == "8" and now["busyRatio"] < 1)
        page = plannerd.page()
        assert 'planner_cluster_occupied_gpus{cluster="main",gpu_type="H100-SXM-80GB"} 8' in page
        assert 'planner_utilization_queries_total{cluster="main",outcome="ok"}' in page
        for bad in ("malformed", "implausible", "refused", "unreachable"):
            assert f'planner_utilization_queries_total{{cluster="main",outcome="{bad}"}} 0' in page, bad

        # An exporter that says what cannot be does not count; what it said before does.
        exporters[1].load = load(*[math.nan] * 4)
        wait("one of them says nonsense", lambda now: now.get("occupiedGpuCount") == "8" and not now["trouble"]
             and now["lastSampleTime"] > before["lastSampleTime"])
        exporters[0].load = load(*[math.nan] * 4)
        last = wait("all of them do", lambda now: "implausible" in now.get("trouble", ""))
        wait("the last good values grow old", lambda now: age(now) >= age(last) + 2 and now["lastSampleTime"] == last["lastSampleTime"]
             and now["busyRatio"] == last["busyRatio"])
        exporters[0].load = load(100, 0.5, 61440, 650)
        wait("good values again", lambda now: now["lastSampleTime"] > last["lastSampleTime"] and not now["trouble"])
        prometheus.stop()
        last = wait("Prometheus has ended", lambda now: "unreachable" in now.get("trouble", ""))
        wait("that grows old too", lambda now: age(now) >= age(last) + 2 and now["lastSampleTime"] == last["lastSampleTime"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
