"""Planned and actual step times of runs in one picture: SVG that needs nothing else, by itself or within a page."""

import html
import math
from typing import List, NamedTuple, Sequence, Tuple

from planner_client.api.v1 import run_pb2

_WIDTH, _HEIGHT = 300, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 74, 50


class Panel(NamedTuple):
    """A run, in seconds a step."""

    title: str
    planned: float
    low: float
    high: float
    measured: float
    # Where the training was, and what a step took on the way there.
    points: List[Tuple[int, float]]


def panel_of(run: run_pb2.Run, title: str) -> Panel:
    planned = run.planned
    steps = max(1.0, planned.step_count)
    points, step, time = [], 0, run.start_time.ToNanoseconds()
    for sample in run.samples:
        now = sample.time.ToNanoseconds()
        if sample.step > step and now > time:
            points.append((sample.step, (now - time) / 1e9 / (sample.step - step)))
        step, time = sample.step, now
    return Panel(title, planned.step_duration.ToNanoseconds() / 1e9, planned.total_duration_low.ToNanoseconds() / 1e9 / steps,
                 planned.total_duration_high.ToNanoseconds() / 1e9 / steps, run.actual.step_duration.ToNanoseconds() / 1e9, points)


def seconds_text(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def picture(panels: Sequence[Panel], heading: str) -> str:
    """Side by side, on one logarithmic axis: a factor is the same height wherever it is."""
    values = [value for panel in panels for value in (panel.planned, panel.low, panel.high, panel.measured) if value > 0]
    values += [seconds for panel in panels for _, seconds in panel.points]
    low, high = math.log10(min(values)) - 0.1, math.log10(max(values)) + 0.1

    def y(seconds: float) -> float:
        return round(_HEIGHT - _BOTTOM - (math.log10(seconds) - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM), 1)

    ticks = [factor * 10.0 ** power for power in range(math.floor(low), math.ceil(high)) for factor in (1, 2, 5)]
    parts = []
    for i, panel in enumerate(panels):
        left, right = _LEFT + i * _WIDTH, (i + 1) * _WIDTH + _LEFT - _RIGHT
        last = max([step for step, _ in panel.points], default=1)
        parts.append(f'<g class="panel"><text x="{left}" y="{_TOP - 26}" class="title">{html.escape(panel.title)}</text>')
        ratio = f", {panel.measured / panel.planned:.2f} times" if panel.measured > 0 else ""
        parts.append(f'<text x="{left}" y="{_TOP - 10}" class="small">planned {seconds_text(panel.planned)}, measured '
                     f'{seconds_text(panel.measured)}{ratio}</text>')
        for tick in ticks:
            if low <= math.log10(tick) <= high:
                parts.append(f'<line x1="{left}" x2="{right}" y1="{y(tick)}" y2="{y(tick)}" class="grid"/>')
                if i == 0:
                    parts.append(f'<text x="{left - 8}" y="{y(tick) + 4}" class="small" text-anchor="end">{seconds_text(tick)}</text>')
        if panel.high > panel.low > 0:
            parts.append(f'<rect x="{left}" width="{right - left}" y="{y(panel.high)}" height="{round(y(panel.low) - y(panel.high), 1)}" '
                         f'class="interval"/>')
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y(panel.planned)}" y2="{y(panel.planned)}" class="planned"/>')
        if panel.measured > 0:
            parts.append(f'<line x1="{left}" x2="{right}" y1="{y(panel.measured)}" y2="{y(panel.measured)}" class="measured"/>')
        for step, seconds in panel.points:
            x = round(left + step / last * (right - left), 1)
            parts.append(f'<circle cx="{x}" cy="{y(seconds)}" r="2.5"><title>step {step}: {seconds_text(seconds)}</title></circle>')
        parts.append(f'<text x="{left}" y="{_HEIGHT - _BOTTOM + 18}" class="small">step 1</text>'
                     f'<text x="{right}" y="{_HEIGHT - _BOTTOM + 18}" class="small" text-anchor="end">{last}</text></g>')
    width = _LEFT + len(panels) * _WIDTH
    style = ("text{font:13px sans-serif;fill:#222}.title{font-weight:bold}.small{font-size:11px;fill:#555}.heading{font-size:15px}"
             ".grid{stroke:#ddd}.interval{fill:#2a6fbb;fill-opacity:.14}.planned{stroke:#2a6fbb;stroke-width:2}"
             ".measured{stroke:#c2571a;stroke-width:2;stroke-dasharray:5 3}circle{fill:#c2571a;fill-opacity:.7}")
    legend = "Blue: the planned step time and its 90 % interval. Orange: what each step took, and the median that the planner makes of it."
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}" role="img">'
            f'<title>{html.escape(heading)}</title><desc>{legend}</desc><style>{style}</style>'
            f'<rect width="{width}" height="{_HEIGHT}" fill="#fff"/><text x="{_LEFT}" y="26" class="heading">{html.escape(heading)}</text>'
            + "".join(parts) + f'<text x="{_LEFT}" y="{_HEIGHT - 8}" class="small">{legend}</text></svg>\n')
