#!/usr/bin/env python3
"""Draws how the cost of calendars grows with the number of reservations.

calendar_growth.py [--benchmark build/release/bin/calendar_benchmark] [--results FILE.json] [-o calendar_growth.svg]

Runs the benchmark at 1,562 to 50,000 reservations (or reads the JSON of a run), prints a table, and draws each cost beside a line of n log n
through its first point. Exits with 1 where a cost grows faster: where the slope of its logarithm is above that of n log n by more than 0.1.
"""
import argparse
import json
import math
import subprocess
import sys

# Title, unit, benchmark, what of it (a counter, or the time in milliseconds), factor.
SERIES = [
    ("all reservations booked on SQLite, 500 at once", "s", "FillOnSqlite", "real_time", 1e-3),
    ("one booking and its release, in the ledger", "µs", "BookAndGiveBack", "cpu_time", 1),
    ("the view after a change", "µs", "ViewAfterAChange", "cpu_time", 1),
    ("earliest start of any job", "µs", "EarliestStarts", "cpu_time", 1),
    ("earliest start of all nodes for a year", "µs", "EarliestStartOfAllNodes", "cpu_time", 1),
    ("a plan with start time, CPU", "ms", "PlanWithStartTimes", "cpu_time", 1),
    ("calendars loaded from SQLite, CPU", "ms", "Load", "cpu_time", 1),
    ("memory of the calendars", "MB", "Load", "memory_MB", 1),
]
COLUMNS, WIDTH, HEIGHT = 4, 250, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 40, 30


def points_of(results, benchmark, key, factor):
    """(n, value) of a benchmark, by rising n."""
    points = {}
    for one in results["benchmarks"]:
        parts = one["name"].split("/")
        if parts[0] == benchmark and one.get("run_type", "iteration") == "iteration" and key in one:
            points[int(parts[1])] = factor * one[key]
    return sorted(points.items())


def slope(points):
    """Of the least-squares line through the logarithms."""
    logs = [(math.log(n), math.log(value)) for n, value in points if value > 0]
    if len(logs) < 2:
        return 0.0
    x_mean = sum(x for x, _ in logs) / len(logs)
    y_mean = sum(y for _, y in logs) / len(logs)
    return sum((x - x_mean) * (y - y_mean) for x, y in logs) / sum((x - x_mean) ** 2 for x, _ in logs)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def panel(left, top, title, unit, points):
    """One cost: the points, and n log n through the first of them, on logarithmic axes."""
    first_n, first = points[0]
    bound = [(n, first * n * math.log(n) / (first_n * math.log(first_n))) for n, _ in points]
    values = [max(value, 1e-9) for _, value in points + bound]
    low, high = math.log10(min(values)) - 0.15, math.log10(max(values)) + 0.15
    x_low, x_high = math.log10(first_n), math.log10(points[-1][0])

    def at(n, value):
        x = left + LEFT + (math.log10(n) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)
        y = top + TOP + (high - math.log10(max(value, 1e-9))) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    base = top + HEIGHT - BOTTOM
    parts = [
        f'<text x="{left + 8}" y="{top + 16}" class="title">{title}</text>',
        f'<text x="{left + 8}" y="{top + 31}">{number(points[-1][1])} {unit} at {points[-1][0]:,}</text>',
        f'<path class="axis" d="M{left + LEFT},{top + TOP}V{base}H{left + WIDTH - RIGHT}"/>',
        f'<polyline class="bound" points="{" ".join(at(*point) for point in bound)}"/>',
        f'<polyline class="line" points="{" ".join(at(*point) for point in points)}"/>',
    ]
    for point in points:
        x, y = at(*point).split(",")
        parts.append(f'<circle cx="{x}" cy="{y}" r="2.5"/>')
    for n, _ in (points[0], points[-1]):
        x = at(n, points[0][1]).split(",")[0]
        parts.append(f'<text x="{x}" y="{base + 14}" text-anchor="middle">{n:,}</text>')
    for exponent in range(math.ceil(low), math.floor(high) + 1):
        y = at(first_n, 10.0**exponent).split(",")[1]
        parts.append(f'<text x="{left + LEFT - 4}" y="{float(y) + 3:.1f}" text-anchor="end">{10.0**exponent:g}</text>')
    return "\n".join(parts)


def draw(series):
    rows = math.ceil(len(series) / COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        "<style>text{font:11px sans-serif;fill:#333}.title{font-weight:bold}.axis{fill:none;stroke:#999}"
        ".line{fill:none;stroke:#1f6feb;stroke-width:1.5}.bound{fill:none;stroke:#d1242f;stroke-dasharray:4 3}circle{fill:#1f6feb}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for i, (title, unit, points) in enumerate(series):
        parts.append(panel(i % COLUMNS * WIDTH, i // COLUMNS * HEIGHT, title, unit, points))
    parts.append(
        f'<text x="8" y="{height - 8}">By reservations, on a site as large: 20,000 nodes, 160,000 GPUs for 50,000; both axes logarithmic; dashed: n log n through the first point</text>'
    )
    return "\n".join(parts) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", default="build/release/bin/calendar_benchmark")
    parser.add_argument("--results")
    parser.add_argument("-o", "--output", default="calendar_growth.svg")
    arguments = parser.parse_args()
    if arguments.results:
        with open(arguments.results, encoding="utf-8") as file:
            results = json.load(file)
    else:
        names = "|".join(sorted({one[2] for one in SERIES}))
        command = [arguments.benchmark, "--benchmark_format=json", f"--benchmark_filter=^({names})/"]
        results = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    series, failed = [], False
    for title, unit, benchmark, key, factor in SERIES:
        points = points_of(results, benchmark, key, factor)
        if len(points) < 2:
            print(f"{benchmark}: {key} is missing", file=sys.stderr)
            return 1
        series.append((title, unit, points))
        n_log_n = slope([(n, n * math.log(n)) for n, _ in points])
        grows = slope(points)
        too_fast = grows > n_log_n + 0.1
        failed = failed or too_fast
        line = "  ".join(f"{n:,}: {number(value)}" for n, value in points)
        print(f"{title} [{unit}]  {line}  slope {grows:.2f} of {n_log_n:.2f}{'  TOO FAST' if too_fast else ''}")
    with open(arguments.output, "w", encoding="utf-8") as file:
        file.write(draw(series))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
