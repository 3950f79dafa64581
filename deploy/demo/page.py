#!/usr/bin/env python3
"""The page that shows plans beside what happens, from a Prometheus that scrapes plannerd. One HTML file that loads nothing else.

usage: page.py --prometheus URL [--snapshot] [--minutes N] > page.html

Without --snapshot the page itself asks Prometheus, every five seconds. With it, the answers of this moment are in it, and it asks nobody.
"""
import argparse
import json
import math
import pathlib
import sys
import time
import urllib.parse
import urllib.request

PARTS = pathlib.Path(__file__).resolve().parent / "page"
SCRIPTS = ("format.js", "scale.js", "chart.js", "answers.js", "runs.js", "view.js", "main.js")
MINUTES = 15


def queries():
    return json.loads((PARTS / "queries.json").read_text())


def html(given):
    """The page around {queries, prometheus, data}."""
    text = (PARTS / "index.html").read_text()
    # Within a script element "<" may begin its end.
    parts = {"style": (PARTS / "style.css").read_text(), "given": json.dumps(given).replace("<", "\\u003c"),
             "script": "\n".join((PARTS / name).read_text() for name in SCRIPTS)}
    for name, part in parts.items():
        text = text.replace("{{" + name + "}}", part, 1)
    return text


def live(prometheus):
    return html({"queries": queries(), "prometheus": prometheus, "data": None})


def snapshot(prometheus, minutes=MINUTES):
    return html({"queries": None, "prometheus": prometheus, "data": ask(prometheus, minutes)})


def ask(prometheus, minutes):
    """All queries, as page/answers.js asks them."""
    def one(path, **parameters):
        with urllib.request.urlopen(f"{prometheus.rstrip('/')}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=30) as response:
            return json.load(response)["data"]["result"]

    taken = time.time()
    begin, step = taken - 60 * minutes, max(5, math.ceil(60 * minutes / 200))
    asked = queries()
    return {"taken": taken, "from": begin, "step": step,
            "ranges": {name: one("query_range", query=query, start=begin, end=taken, step=step) for name, query in asked["ranges"].items()},
            "instants": {name: one("query", query=query, time=taken) for name, query in asked["instants"].items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prometheus", required=True)
    parser.add_argument("--snapshot", action="store_true")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    options = parser.parse_args()
    sys.stdout.write(snapshot(options.prometheus, options.minutes) if options.snapshot else live(options.prometheus))


if __name__ == "__main__":
    main()
