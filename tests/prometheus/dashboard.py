"""Dashboards as Grafana would ask for them: their panels, their queries, and what stands for their variables."""
import json
import pathlib
import re
import typing

# What Grafana puts in itself, for a dashboard of an hour that is scraped every 15 s.
BUILT_IN = {"__rate_interval": "1m", "__interval": "15s", "__range": "1h"}
VARIABLE = re.compile(r"\$\{(\w+)(?:[.:][^}]*)?\}|\$(\w+)")
LABEL_VALUES = re.compile(r"label_values\((.+), *(\w+)\)$")


class Query(typing.NamedTuple):
    where: str
    expr: str
    legend: str


class Dashboard:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.json = json.loads(self.path.read_text())
        self.uid = self.json["uid"]
        self.variables = {variable["name"]: variable for variable in self.json["templating"]["list"]}

    def panels(self):
        """All that show something, also within collapsed rows."""
        return [panel for panel in self.everything() if panel["type"] != "row"]

    def everything(self):
        for panel in self.json["panels"]:
            yield panel
            yield from panel.get("panels", [])

    def queries(self):
        return [Query(f"{self.path.name}: {panel['title']}: {target['refId']}", target["expr"], target.get("legendFormat", ""))
                for panel in self.panels() for target in panel["targets"]]


def read_all(folder):
    paths = sorted(pathlib.Path(folder).glob("*.json"))
    assert paths, f"no dashboards in {folder}"
    return [Dashboard(path) for path in paths]


def used_variables(text):
    return {match[1] or match[2] for match in VARIABLE.finditer(text)}


def substitute(text, values):
    """Every variable replaced. A KeyError names one that is unknown."""
    return VARIABLE.sub(lambda match: values[match[1] or match[2]], text)


def selections(dashboard, api):
    """What the variables can be together: "All" of those that have it, and each value of the others. Raises where there is none."""
    combined = [dict(BUILT_IN)]
    for name, variable in dashboard.variables.items():
        if variable["type"] == "datasource":
            continue
        selector, label = LABEL_VALUES.match(variable["query"]).groups()
        following = []
        for values in combined:
            found = api.label_values(substitute(selector, values), label)
            assert found, f"variable {name} has no values: {selector}"
            following += [{**values, name: value} for value in ([variable["allValue"]] if variable.get("includeAll") else found)]
        combined = following
    return combined
