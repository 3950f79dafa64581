"""The table of metrics in deploy/prometheus/README.md, which is what plannerd exports and dashboards and rules may use."""
import pathlib
import re
import typing


class Metric(typing.NamedTuple):
    name: str
    type: str
    labels: tuple
    help: str

    def series_names(self):
        """What a query may call it."""
        return [self.name + suffix for suffix in ("_bucket", "_sum", "_count")] if self.type == "histogram" else [self.name]


def read(path):
    """Every metric of the table, by name."""
    metrics = {}
    for line in pathlib.Path(path).read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 5 or not cells[0].startswith("`planner_"):
            continue
        name = cells[0].strip("`")
        assert name not in metrics, f"{name} stands in the table twice"
        assert cells[1] in ("counter", "gauge", "histogram"), f"{name}: unknown type {cells[1]}"
        metrics[name] = Metric(name, cells[1], tuple(re.findall(r"`(\w+)`", cells[2])), cells[4])
    assert metrics, f"no table of metrics in {path}"
    return metrics
