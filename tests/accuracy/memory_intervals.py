#!/usr/bin/env python3
"""The widths of core/planning/memory_interval.cc, from tables of measured runs.

usage: memory_intervals.py PLANNERCTL RUNS.csv...

Nine of ten residuals (the logarithm of predicted over measured) of a framework lie within its width, which is pulled toward that of all rows
as if that were PULL rows more. Recomputation does not separate them: its widths differ by less than those of the frameworks' few rows.
Prints the widths, and what part of the rows the intervals hold.
"""

import csv
import json
import math
import subprocess
import sys

PULL = 8
QUANTILE = 0.93


def width(residuals):
    ordered = sorted(abs(residual) for residual in residuals)
    return ordered[int(QUANTILE * (len(ordered) - 1) + 0.5)]


def pulled(residuals, parent):
    return (len(residuals) * width(residuals) + PULL * parent) / (len(residuals) + PULL)


def residuals_of(plannerctl, runs):
    with open(runs, newline="", encoding="utf-8") as table:
        frameworks = {row["id"]: row["framework"] for row in csv.DictReader(table)}
    answer = subprocess.run([plannerctl, "validate", "--runs", runs, "--rows", "-o", "json"], check=True, capture_output=True, text=True)
    for row in json.loads(answer.stdout)["rows"]:
        measured, predicted = row["measuredPeakMemoryGib"], row["predictedPeakMemoryGib"]
        if measured > 0 and predicted > 0:
            yield frameworks[row["id"]], math.log(predicted / measured)


def main():
    plannerctl, *tables = sys.argv[1:]
    rows = [residual for table in tables for residual in residuals_of(plannerctl, table)]
    everything = width([residual for _, residual in rows])
    widths = {}
    for framework in sorted({framework for framework, _ in rows}):
        residuals = [residual for other, residual in rows if other == framework]
        widths[framework] = pulled(residuals, everything)
        print(f"{framework or '(none)':20} {len(residuals):4} rows  {widths[framework]:.3f}")
    print(f"{'all':20} {len(rows):4} rows  {everything:.3f}")
    held = sum(abs(residual) <= widths[framework] for framework, residual in rows)
    print(f"{held} of {len(rows)} rows within: {held / len(rows):.1%}")


main()
