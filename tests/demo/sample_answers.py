"""What a Prometheus answers to the page's queries, made up: one run of every drift and state, at round figures."""
BEGIN = 1_800_000_000
SECONDS = 600
STEP = 5
TAKEN = BEGIN + SECONDS
GPU_TYPES = {"H100-SXM-80GB": 384, "A100-SXM-80GB": 128}

# Run, job, GPUs, type, state, drift, pace (actual over planned), planned seconds, planned tokens a second, planned MFU.
RUNS = (
    ("20270115-080000-00000001", "gpt3-175b", 128, "H100-SXM-80GB", "running", "on_plan", 1.02, 900, 85_583, 0.364),
    ("20270115-080000-00000002", "gpt-3.6b-with-a-slow-node-and-a-long-name", 64, "A100-SXM-80GB", "running", "late", 0.67, 700, 283_574, 0.335),
    ("20270115-080000-00000003", "gpt3-5b-in-fp8", 16, "H100-SXM-80GB", "running", "early", 1.34, 800, 207_798, 0.429),
    ("20270115-080000-00000004", "vit-b16", 8, "A100-SXM-80GB", "running", "stalled", 0.0, 3456, 9_007, 0.38),
    ("20270115-080000-00000005", "llama2-7b", 8, "H100-SXM-80GB", "failed", "late", 0.9, 1000, 78_485, 0.457),
    ("20270115-080000-00000006", "llama2-70b-lora", 64, "H100-SXM-80GB", "succeeded", "on_plan", 1.0, 300, 123_813, 0.312),
    # Without a job's name, a price or a report.
    ("20270115-080000-00000007", "", 32, "A100-SXM-80GB", "running", "unknown", None, 500, 301_215, 0.339),
)


def times():
    return range(BEGIN, TAKEN + 1, STEP)


def series(metric, value_at):
    """A range's series; None is a gap."""
    values = [[time, str(value_at(time))] for time in times() if value_at(time) is not None]
    return {"metric": metric, "values": values}


def instant(metric, value):
    return {"metric": metric, "value": [TAKEN, str(value)]}


def ranges_of(run, _job, gpus, gpu_type, state, _drift, pace, planned_seconds, rate, mfu):
    del gpus, gpu_type, state
    labels = {"run": run}
    planned_finish = BEGIN + planned_seconds

    def progress(time, speed):
        return min(1.0, speed * (time - BEGIN) / planned_seconds)

    found = {"plannedProgress": lambda time: progress(time, 1), "plannedFinish": lambda time: planned_finish, "plannedRate": lambda time: rate}
    if pace is None:
        return {name: series(labels, value) for name, value in found.items()}
    predicted = BEGIN + planned_seconds / max(pace, 0.5)

    def actual_rate(time):
        # The failure of a run: a gap in time, not a rate of 0.
        return None if pace and 200 <= time - BEGIN < 240 else rate * pace * (1 + 0.02 * ((time * 7919) % 11 - 5) / 5)

    found |= {"actualProgress": lambda time: progress(time, pace), "predictedFinish": lambda time: predicted,
              "finishLow": lambda time: predicted - 90 * (1.1 - (time - BEGIN) / SECONDS), "finishHigh": lambda time: predicted + 120 * (1.1 - (time - BEGIN) / SECONDS),
              "actualRate": actual_rate, "plannedMfu": lambda time: mfu, "actualMfu": lambda time: mfu * pace}
    return {name: series(labels, value) for name, value in found.items()}


def fleet_ranges():
    states = {"down": 8, "drained": 16, "maintenance": 16, "used": 48, "booked": 300, "free": 124}
    models = {"NVIDIA H100 80GB HBM3": 0.3, "NVIDIA A100-SXM4-80GB": 0.25}
    return {
        "gpusByState": [series({"state": state}, lambda time, n=number, s=state: n + (40 if s == "booked" else -40 if s == "free" else 0) * (time > BEGIN + 300))
                        for state, number in states.items()],
        "utilization": [series({"cluster": "demo", "gpu_type": gpu_type}, lambda time, r=ratio: r) for gpu_type, ratio in zip(GPU_TYPES, (0.75, 0.6))],
        "tensorActive": [series({"cluster": "demo", "modelName": model}, lambda time, r=ratio: r) for model, ratio in models.items()],
        "power": [series({"cluster": "demo", "modelName": model}, lambda time, w=watts: w) for model, watts in zip(models, (150_000, 30_000))],
    }


def answers():
    """{taken, from, step, ranges, instants}, as page.py and page/answers.js make them."""
    ranges = fleet_ranges()
    instants = {name: [] for name in ("info", "jobs", "drift", "plannedGpuSeconds", "actualGpuSeconds", "plannedCost", "actualCost", "gpus", "booked",
                                      "predictionError", "predictionRuns", "alerts")}
    per_run = ("plannedProgress", "actualProgress", "plannedFinish", "predictedFinish", "finishLow", "finishHigh", "plannedRate", "actualRate", "plannedMfu",
               "actualMfu")
    ranges |= {name: [] for name in per_run}
    for one in RUNS:
        run, job, gpus, gpu_type, state, drift, pace, planned_seconds, *_ = one
        for name, result in ranges_of(*one).items():
            ranges[name].append(result)
        labels = {"run": run}
        instants["info"].append(instant({**labels, "cluster": "demo", "gpu_type": gpu_type, "gpus": str(gpus), "state": state,
                                         **({"currency": "USD"} if job else {})}, 1))
        instants["drift"].append(instant({**labels, "drift": drift}, 1))
        instants["plannedGpuSeconds"].append(instant(labels, gpus * planned_seconds))
        if job:
            instants["jobs"].append(instant({**labels, "job_name": job}, 1))
            instants["actualGpuSeconds"].append(instant(labels, gpus * SECONDS * bool(pace)))
            instants["plannedCost"].append(instant(labels, gpus * planned_seconds / 3600 * 2.9))
            instants["actualCost"].append(instant(labels, gpus * SECONDS / 3600 * 2.9))
    for gpu_type, total in GPU_TYPES.items():
        labels = {"cluster": "demo", "gpu_type": gpu_type}
        for state, part in (("total", 1), ("booked", 0.6), ("used", 0.1), ("free", 0.3)):
            instants["gpus"].append(instant({**labels, "state": state}, total * part))
        for horizon, part in (("1h", 0.4), ("1d", 0.02), ("7d", 0.003), ("30d", 0.001)):
            instants["booked"].append(instant({**labels, "horizon": horizon}, total * part))
        instants["predictionError"].append(instant(labels, 0.062))
        instants["predictionRuns"].append(instant(labels, 5))
    instants["alerts"] = [instant({"alertname": "PlannerRunLate", "alertstate": "pending", "run": RUNS[1][0]}, 1),
                          instant({"alertname": "PlannerRunStalled", "alertstate": "firing", "run": RUNS[3][0]}, 1)]
    return {"taken": TAKEN, "from": BEGIN - 300, "step": STEP, "ranges": ranges, "instants": instants}
