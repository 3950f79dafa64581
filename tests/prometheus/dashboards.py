#!/usr/bin/env python3
"""What must hold of every committed dashboard, without a Prometheus or a Grafana.

usage: dashboards.py FOLDER METRICS_TABLE RULES...
"""
import collections
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import dashboard
import fake_exporter
import metrics_table
import promql

COLUMNS = 24
DATA_SOURCE = {"type": "prometheus", "uid": "${ds}"}
# Of Grafana itself: fields of what was clicked, the times that are shown.
GRAFANA = {"__field", "__value", "__data", "__url_time_range", "__all", *dashboard.BUILT_IN}
# Not of plannerd. Prometheus makes the first two.
OTHERS = re.compile(r"up|ALERTS|DCGM_FI_\w+")


def overlap(a, b):
    return a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


def layout(board):
    """Complaints about where things are and what they are called."""
    ids = [panel["id"] for panel in board.everything()]
    if len(set(ids)) != len(ids) or not all(isinstance(number, int) and number > 0 for number in ids):
        yield f"ids must be positive and unique: {ids}"
    titles = [(panel["type"], panel["title"]) for panel in board.everything()]
    if len(set(titles)) != len(titles):
        yield f"two panels of one kind have the same title: {titles}"
    for panel in board.everything():
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > COLUMNS or place["w"] < 1 or place["h"] < 1:
            yield f"{panel['title']}: not within {COLUMNS} columns: {place}"
    for a, b in itertools.combinations(board.json["panels"], 2):
        if overlap(a["gridPos"], b["gridPos"]):
            yield f"{a['title']} and {b['title']} overlap"


def contents(board):
    """Complaints about what panels say of themselves and whom they ask."""
    for panel in board.panels():
        defaults = panel["fieldConfig"]["defaults"]
        if not defaults.get("unit"):
            yield f"{panel['title']}: no unit"
        if not re.fullmatch(r".{20,}\.", panel.get("description", "")):
            yield f"{panel['title']}: no description, or it is not a sentence"
        refs = [target["refId"] for target in panel["targets"]]
        if not refs or len(set(refs)) != len(refs):
            yield f"{panel['title']}: queries must be named once each: {refs}"
        for asked in [panel, *panel["targets"]]:
            if asked.get("datasource") != DATA_SOURCE:
                yield f"{panel['title']}: must ask the data source that is selected, not {asked.get('datasource')}"
        steps = defaults.get("thresholds", {}).get("steps", [])
        values = [step["value"] for step in steps[1:]]
        if steps and (steps[0]["value"] is not None or values != sorted(values)):
            yield f"{panel['title']}: thresholds must climb from nothing: {steps}"


def texts(value):
    """Every string within a piece of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)


def variables(board, boards):
    """Complaints about variables and links."""
    if board.variables.get("ds", {}).get("type") != "datasource":
        yield "no variable ds"
    used = {name for text in texts(board.json) for name in dashboard.used_variables(text)} - GRAFANA
    for name in sorted(used - set(board.variables)):
        yield f"${name} is not defined"
    for name in sorted(set(board.variables) - used):
        yield f"${name} is not used"
    for name, variable in board.variables.items():
        if variable["type"] == "query" and not dashboard.LABEL_VALUES.match(variable["query"]):
            yield f"${name}: not label_values(METRIC, LABEL)"
    for link in filter(None, (re.fullmatch(r"/d/([\w-]+)\?(.*)", text) for text in texts(board.json))):
        uid, parameters = link.groups()
        if uid not in boards:
            yield f"a link leads to {uid}, which is no dashboard"
            continue
        given = set(re.findall(r"var-(\w+)=", parameters)) | set(re.findall(r"\$\{(\w+):queryparam\}", parameters))
        for name in sorted(given - set(boards[uid].variables)):
            yield f"a link to {uid} gives it a variable {name} that it has not"


def expressions(board, metrics):
    """Complaints about names in queries. Their grammar is checked for all together."""
    values = {**dashboard.BUILT_IN, **{name: "x" for name in board.variables}}
    asked = [(query.where, query.expr) for query in board.queries()]
    asked += [(f"${name}", dashboard.LABEL_VALUES.match(variable["query"])[1])
              for name, variable in board.variables.items() if variable["type"] == "query"]
    for where, expr in asked:
        try:
            found = promql.selectors(dashboard.substitute(expr, values))
        except KeyError as unknown:
            yield f"{where}: {unknown} is not defined"
            continue
        if not found:
            yield f"{where}: asks for no metric"
        for name in unknown_metrics(found, metrics):
            yield f"{where}: {name} is not in the table of metrics"


def unknown_metrics(found, metrics, recorded=()):
    known = {series for metric in metrics.values() for series in metric.series_names()}
    return [name for name, _ in found if name not in known and name not in recorded and not OTHERS.fullmatch(name)]


def grammar(boards):
    """What promtool says to all expressions of all dashboards, dressed up as rules."""
    values = collections.defaultdict(lambda: "x", dashboard.BUILT_IN)
    queries = [query for board in boards.values() for query in board.queries()]
    rules = [{"record": f"query:{index}", "expr": dashboard.substitute(query.expr, values)} for index, query in enumerate(queries)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "dashboards", "rules": rules}]}, file)
        file.flush()
        done = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
    if done.returncode != 0:
        yield f"not PromQL: {done.stderr}{done.stdout}"


def rule_expressions(path):
    """(record or alert, expression) of a file of rules: enough of YAML for the way ours are written."""
    text = pathlib.Path(path).read_text()
    for block in re.split(r"\n      - (?=record:|alert:)", text)[1:]:
        name = re.match(r"(?:record|alert): (\S+)", block)[1]
        expr = re.search(r"\n        expr: (?:\|\n((?:          .*\n?)+)|(.*))", block)
        yield name, expr[1] or expr[2]


def rule_names(files, metrics):
    """Complaints about names in rules."""
    rules = [rule for file in files for rule in rule_expressions(file)]
    written = sum(len(re.findall(r"\b(?:record|alert): ", pathlib.Path(file).read_text())) for file in files)
    if len(rules) != written or not rules:
        yield f"{len(rules)} rules were read, of {written}"
    for name, expr in rules:
        for unknown in unknown_metrics(promql.selectors(expr), metrics, {name for name, _ in rules}):
            yield f"rule {name}: {unknown} is neither in the table of metrics nor recorded"


def alert_table(files, text):
    """Complaints about alerts that nobody explains, and explanations of alerts that are gone."""
    alerts = {name for file in files for name, _ in rule_expressions(file) if name.startswith("Planner")}
    for name in sorted(alerts ^ set(re.findall(r"^\| `(Planner\w+)` \|", text, re.MULTILINE))):
        yield f"{name} is among the rules or in the table of alerts, not both"


def exposition(metrics):
    """Complaints about the names of the table, which is what the fake exporter says."""
    page = fake_exporter.plannerd_page(1e9, 1e9 - 1000, 1, ())
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    if done.returncode != 0 or done.stderr:
        yield f"promtool check metrics: {done.stderr}"
    served = set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))
    for name in sorted(set(metrics) ^ served):
        yield f"{name} is in the table or served by the fake exporter, not both"


def of_dashboards(read, metrics):
    """All complaints about dashboards."""
    boards = {board.uid: board for board in read}
    if len(boards) != len(read):
        yield f"two dashboards have the same uid: {[board.uid for board in read]}"
    for board in read:
        for complaint in itertools.chain(layout(board), contents(board), variables(board, boards), expressions(board, metrics)):
            yield f"{board.path.name}: {complaint}"
    yield from grammar(boards)


def main():
    folder, table, *rules = sys.argv[1:]
    metrics = metrics_table.read(table)
    boards = dashboard.read_all(folder)
    complaints = [*of_dashboards(boards, metrics), *rule_names(rules, metrics), *exposition(metrics)]
    complaints += alert_table(rules, pathlib.Path(table).read_text())
    for complaint in complaints:
        print(complaint)
    print(f"{len(boards)} dashboards, {sum(len(board.panels()) for board in boards)} panels, "
          f"{sum(len(board.queries()) for board in boards)} queries")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
