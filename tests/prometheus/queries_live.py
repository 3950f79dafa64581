#!/usr/bin/env python3
"""Asks a real Prometheus every expression of every dashboard and rule, and wants an answer with at least one series to each.

usage: queries_live.py --dashboards FOLDER [--rules FILE]... [--table README.md] [--seconds N]
                       [--except METRIC]...
                       (--target JOB=HOST:PORT[,LABEL=VALUE]... | --prometheus URL | --fake [--without METRIC]...)

--target starts Debian's Prometheus for it and ends it; --prometheus asks one that runs and has the rules loaded; --fake starts Prometheus
and what it scrapes. An expression of a dashboard must have series for one value of a variable without "All" (for one run). Of an alert,
which is empty while all is well, each series that it is made of must be there: it could fire. With --table every metric of it must have
been scraped.
"""
import argparse
import contextlib
import re
import sys
import time

import dashboard
import fake_exporter
import metrics_table
import promql
import prometheus_server

ANNOTATIONS = ("summary", "description", "runbook")


def check_query(api, query, choices):
    """What is wrong with a query of a dashboard, or None."""
    for values in choices:
        series = api.series(dashboard.substitute(query.expr, values))
        if series:
            missing = {label for label in re.findall(r"\{\{(\w+)\}\}", query.legend) if any(label not in labels for labels in series)}
            return f"series without label {', '.join(sorted(missing))}, of which the legend is made" if missing else None
    return "no series"


def check_rule(api, rule):
    """Likewise of a rule."""
    if rule["health"] != "ok":
        return f"{rule['health']}: {rule.get('lastError', '')}"
    if rule["type"] == "recording":
        return None if api.series(rule["name"]) and api.series(rule["query"]) else "no series"
    missing = [name + matchers for name, matchers in promql.selectors(rule["query"]) if not api.series(name + matchers)]
    if missing:
        return f"could never fire: no series of {', '.join(missing)}"
    if "severity" not in rule["labels"] or any(not rule["annotations"].get(annotation) for annotation in ANNOTATIONS):
        return f"needs a label severity and the annotations {', '.join(ANNOTATIONS)}"
    return None


def failures(api, dashboards, rule_count, table, left_out=()):
    """Everything that is wrong now, by what it is wrong with; and how many things were looked at."""
    found, count = {}, 0

    def note(where, expr, check):
        nonlocal count
        if any(re.search(rf"\b{metric}\b", f"{where} {expr}") for metric in left_out):
            return
        count += 1
        try:
            wrong = check()
        except prometheus_server.Refused as refused:
            wrong = str(refused)
        if wrong is not None:
            found[where] = f"{wrong}\n    {expr}"

    for target in api.targets():
        note(target["scrapeUrl"], "", lambda t=target: None if t["health"] == "up" else f"{t['health']}: {t['lastError']}")
    for board in dashboards:
        try:
            choices = dashboard.selections(board, api)
        except (AssertionError, prometheus_server.Refused) as error:
            note(board.path.name, "", lambda e=error: str(e))
            continue
        for query in board.queries():
            note(query.where, query.expr, lambda q=query: check_query(api, q, choices))
    rules = api.rules()
    if len(rules) < rule_count:
        found["rules"] = f"{len(rules)} are loaded"
    for rule in rules:
        note(f"rule {rule['name']}", rule["query"], lambda r=rule: check_rule(api, r))
    for metric in table.values():
        note(metric.name, "in the table of metrics", lambda m=metric: check_metric(api, m))
    if table:
        known = {series for metric in table.values() for series in metric.series_names()}
        for name in sorted(set(api.label_values('{__name__=~"planner_.+"}', "__name__")) - known):
            note(name, "exported", lambda: "is not in the table of metrics")
    return found, count


def check_metric(api, metric):
    for name in metric.series_names():
        series = api.series(name)
        if not series:
            return "is not exported" if name == metric.name else f"{name} is not exported"
        labels = set(series[0]) - {"__name__", "job", "instance", "le"}
        # Prometheus has no labels that are empty.
        unexpected = labels - set(metric.labels)
        if unexpected:
            return f"has labels that are not in the table: {', '.join(sorted(unexpected))}"
    return None


def parse_target(text):
    where, *labels = text.split(",")
    job, address = where.split("=")
    return job, address, dict(label.split("=") for label in labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dashboards", required=True)
    parser.add_argument("--rules", action="append", default=[])
    parser.add_argument("--table")
    parser.add_argument("--seconds", type=float, default=60, help="how long to wait until everything has an answer")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--target", action="append", type=parse_target)
    source.add_argument("--prometheus")
    source.add_argument("--fake", action="store_true")
    parser.add_argument("--except", action="append", default=[], dest="left_out", metavar="METRIC",
                        help="a metric that nobody exports: what needs it is not asked")
    parser.add_argument("--without", action="append", default=[], help="metrics that the fake exporters leave out")
    options = parser.parse_args()

    dashboards = dashboard.read_all(options.dashboards)
    table = metrics_table.read(options.table) if options.table else {}
    with contextlib.ExitStack() as stack:
        targets = options.target
        if options.fake:
            plannerd, dcgm = (stack.enter_context(fake_exporter.Exporter(kind, without=options.without))
                              for kind in ("plannerd", "dcgm-exporter"))
            targets = [("plannerd", plannerd.address, {}), ("dcgm-exporter", dcgm.address, {"cluster": fake_exporter.CLUSTER})]
        if options.prometheus:
            api = prometheus_server.Api(options.prometheus)
        else:
            api = stack.enter_context(prometheus_server.Server(targets, options.rules))
        deadline = time.monotonic() + options.seconds
        # Rates need two scrapes, rules an evaluation after those: what has no answer yet is asked again.
        while True:
            found, count = failures(api, dashboards, 1 if options.rules else 0, table, options.left_out)
            if not found or time.monotonic() > deadline:
                break
            time.sleep(0.5)
    for where, wrong in found.items():
        print(f"{where}: {wrong}")
    print(f"{count - len(found)} of {count} are as they should be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
