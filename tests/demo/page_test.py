#!/usr/bin/env python3
"""The page of the demo in a headless Chromium: every picture, figure and word of made-up answers of a Prometheus.

usage: page_test.py DEMO_FOLDER [--screenshot FILE.png]
"""
import pathlib
import sys
import tempfile

import browser
import sample_answers

PICTURES = ["Progress (% of all steps)", "Finish time (UTC)", "Throughput (tokens per second)", "Model FLOPs utilization (% of peak)"]
FLEET = ["GPUs by state (cards)", "Measured utilization (% of time busy)", "Tensor cores active, by dcgm-exporter (%)", "Power (watts)"]


def check_charts(found):
    """Every picture is there, with a title, ticks and a legend, drawn within its frame; no text covers another."""
    moved = [run for run in sample_answers.RUNS if run[4] == "running" or run[6]]
    titles = [chart["title"] for chart in found["charts"]]
    assert titles == PICTURES * len(moved) + FLEET, titles
    for chart in found["charts"]:
        where = f"{chart['run']}: {chart['title']}"
        assert not chart["covered"], f"{where}: texts on each other: {chart['covered']}"
        assert not chart["cut"], f"{where}: texts beyond the picture: {chart['cut']}"
        assert all(mark["inside"] for mark in chart["marks"]), f"{where}: drawn beyond its frame"
        if all(mark["empty"] for mark in chart["marks"]):
            is_said = "nothing reported yet" in chart["texts"] and chart["run"] == sample_answers.RUNS[6][0]
            assert is_said, f"{where}: nothing is drawn, nor said: {chart['texts']}"
            continue
        assert len(chart["texts"]) >= 5, f"{where}: too few ticks: {chart['texts']}"
        assert len(set(chart["colours"])) == len(chart["colours"]) >= 1, f"{where}: colours that look alike: {chart['colours']}"
        assert any(mark["length"] > 50 for mark in chart["marks"]), f"{where}: nothing is drawn"
    return {(chart["run"], chart["title"]): chart for chart in found["charts"]}


def check_runs(charts, found):
    # Drawn are the interval, the plan, and what is predicted.
    finish = charts["gpt3-175b", "Finish time (UTC)"]
    assert finish["legend"] == ["planned", "predicted", "90 % interval"], finish["legend"]
    assert [mark["kind"] for mark in finish["marks"]] == ["band", "line", "line"], finish["marks"]
    progress = charts["gpt3-175b", PICTURES[0]]
    assert progress["texts"] == ["0 %", "50 %", "100 %", "08:00", "08:05", "08:10"], progress["texts"]
    # Nothing was reported of it: the plan alone is drawn.
    nameless = sample_answers.RUNS[6][0]
    lines = {mark["name"]: mark["empty"] for mark in charts[nameless, PICTURES[2]]["marks"]}
    assert lines == {"planned": False, "actual": True}, lines

    rows = {row[0].split("\n")[0]: row for row in found["runs"]}
    assert len(rows) == len(sample_answers.RUNS), found["runs"]
    row = rows["gpt3-175b"]
    assert row[1].split() == ["128", "×", "H100-SXM-80GB"] and row[2] == "on plan", row
    # 600 s of 900 s planned are 66.7 %, at 1.02 of the pace 68 %.
    assert "68 % of 67 % planned" in row[3], row
    # Planned for 08:15:00, predicted 900 s / 1.02 = 882.4 s after the start.
    assert row[4].split("\n")[:2] == ["08:15:00", "08:14:42"] and row[5] == "−0:18 min", row
    assert row[6].split("\n")[0] == "85.6k" and row[7].split("\n") == ["36.4 %", "37.1 %"], row
    # 128 cards for 900 s are 32 GPU hours, at 2.90.
    assert row[8].split("\n") == ["32.00", "21.33"] and row[9].split("\n") == ["92.80 USD", "61.87 USD"], row
    assert rows["gpt-3.6b-with-a-slow-node-and-a-long-name"][2] == "late" and rows["vit-b16"][2] == "stalled"
    assert rows["llama2-7b"][2] == "failed" and rows["llama2-70b-lora"][2] == "done, on plan"
    assert "nothing reported" in rows[nameless][3] and rows[nameless][8].split("\n") == ["4.44", "–"], rows[nameless]
    assert rows[nameless][2] == "unknown" and rows[nameless][5] == "–" and rows[nameless][9].split("\n") == ["–", "–"], rows[nameless]


def check_figures(found):
    # 384 x 75 % and 128 x 60 % of 512 are 71.25 %.
    assert dict(found["tiles"]) == {"runs run": "5", "on plan": "1", "early": "1", "late": "1", "stalled": "1", "GPUs": "512",
                                    "GPUs booked or used": "358", "utilization, 5 min": "71 %"}, found["tiles"]
    assert found["tables"]["booked"][0] == ["A100-SXM-80GB", "40.0 %", "2.0 %", "0.3 %", "0.1 %"], found["tables"]["booked"]
    assert found["tables"]["errors"][0] == ["H100-SXM-80GB", "6.2 %", "5"], found["tables"]["errors"]
    alerts = [f"{row[0]} {row[2]}" for row in found["tables"]["alerts"]]
    assert alerts == ["PlannerRunLate pending", "PlannerRunStalled firing"], alerts


def check_page(found):
    assert not found["loaded"], f"the page loaded something: {found['loaded']}"
    assert found["tooWide"] <= 0, f"wider than the window by {found['tooWide']} pixels"
    assert not found["cramped"], f"texts beyond their boxes: {found['cramped']}"
    assert not found["trouble"], found["trouble"]


def main():
    demo, *rest = sys.argv[1:]
    sys.path.insert(0, demo)
    import page  # pylint: disable=import-outside-toplevel,import-error

    with tempfile.TemporaryDirectory(prefix="planner-browser-") as folder:
        chromium = browser.Chromium(folder)
        snapshot, live = pathlib.Path(folder, "snapshot.html"), pathlib.Path(folder, "live.html")
        snapshot.write_text(page.html({"queries": None, "prometheus": "", "data": sample_answers.answers()}), encoding="utf-8")
        live.write_text(page.live(""), encoding="utf-8")
        pages = [(f"{snapshot.as_uri()}?theme={theme}", width) for theme, width in (("light", 1400), ("dark", 1400), ("light", 700))]
        found, console = chromium.look_at(*pages, (live.as_uri(), 1400))
        assert not console, f"errors on the console: {console}"
        *seen, asking = found
        for (address, width), one in zip(pages, seen):
            check_page(one)
            charts = check_charts(one)
            check_runs(charts, one)
            check_figures(one)
            print(f"{address.rpartition('=')[2]}, {width} pixels: {len(one['charts'])} pictures, {len(one['runs'])} runs")
        themes = [(one["background"], one["colour"]) for one in seen]
        assert themes[0] != themes[1] and themes[0] == themes[2], f"themes look alike: {themes}"
        # A page that has no data and no Prometheus says what it needs.
        assert "?prometheus=" in asking["trouble"], asking["trouble"]
        if rest[:1] == ["--screenshot"]:
            chromium.screenshot(f"{snapshot.as_uri()}?theme=dark", rest[1], 1400, 2400)


main()
