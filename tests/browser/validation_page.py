#!/usr/bin/env python3
"""The page of `plannerctl validate --html`, loaded from disk by a headless Chromium.

usage: validation_page.py PLANNERCTL RUNS.csv [--screenshot FILE.png]

Chromium is Debian's, and is talked to through its command line alone. A second page holds the first one in a frame, looks at what was
drawn, and writes what it found into its own text, which --dump-dom prints. Asserted: a mark for every row that was measured and
predicted, within its plot and in the colour of its source; nothing that the page loaded; no error on the console.
"""

import collections
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HARNESS = """<!DOCTYPE html><meta charset="utf-8"><iframe id="page" src="page.html" width="1280" height="4000"></iframe>
<pre id="found">not loaded</pre><script>
document.getElementById('page').addEventListener('load', () => {
  const frame = document.getElementById('page').contentWindow;
  const plots = [...frame.document.querySelectorAll('svg.plot')].map(plot => {
    const axes = plot.querySelector('svg').getBoundingClientRect();
    const marks = [...plot.querySelectorAll('path')].filter(path => path.querySelector('title'));
    return {label: plot.getAttribute('aria-label'), marks: marks.map(mark => {
      const box = mark.getBoundingClientRect();
      const x = box.x + box.width / 2, y = box.y + box.height / 2;
      return {title: mark.querySelector('title').textContent, colour: frame.getComputedStyle(mark).fill, drawn: box.width > 2 && box.height > 2,
              inside: x >= axes.left && x <= axes.right && y >= axes.top && y <= axes.bottom};
    })};
  });
  const legend = [...frame.document.querySelectorAll('svg.mark path')].map(
      path => [path.closest('td').textContent.trim(), frame.getComputedStyle(path).fill]);
  const loaded = frame.performance.getEntriesByType('resource').map(entry => entry.name);
  const wide = frame.document.documentElement.scrollWidth > frame.innerWidth;
  document.getElementById('found').textContent = JSON.stringify({plots, legend, loaded, wide});
});
</script>
"""


def browse(folder, *flags):
    """Standard output and error of Chromium, run in `folder` without a network."""
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
               "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
               "--allow-file-access-from-files", "--enable-logging=stderr", "--virtual-time-budget=5000", f"--user-data-dir={folder}/profile", *flags]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)


def marks_expected(answer, measured, predicted):
    return collections.Counter(row["publication"] for row in answer["rows"] if row[measured] > 0 and row[predicted] > 0)


def check(found, answer, console):
    assert not console, f"errors on the console: {console}"
    assert not found["loaded"], f"the page loaded something: {found['loaded']}"
    assert not found["wide"], "the page is wider than the window"
    colours = dict(found["legend"])
    publication = {row["id"]: row["publication"] for row in answer["rows"]}
    expected = {"Predicted against measured step time": marks_expected(answer, "measuredStepSeconds", "predictedStepSeconds"),
                "Predicted against measured peak memory": marks_expected(answer, "measuredPeakMemoryGib", "predictedPeakMemoryGib")}
    assert [plot["label"] for plot in found["plots"]] == list(expected), [plot["label"] for plot in found["plots"]]
    for plot in found["plots"]:
        drawn = collections.Counter()
        for mark in plot["marks"]:
            assert mark["drawn"] and mark["inside"], f"not drawn within its plot: {mark}"
            source = publication[mark["title"].split(" ")[0]]
            assert mark["colour"] == colours[source], f"{mark} is not in the colour of {source}: {colours[source]}"
            drawn[source] += 1
        assert drawn == expected[plot["label"]], f"{plot['label']}: drawn {drawn}, expected {expected[plot['label']]}"
        assert sum(drawn.values()) > 0
        print(f"{plot['label']}: {sum(drawn.values())} marks of {len(drawn)} sources")


def main():
    plannerctl, runs, *rest = sys.argv[1:]
    assert shutil.which("chromium"), "chromium is not installed: it is in deploy/debian-packages.txt"
    with tempfile.TemporaryDirectory(prefix="planner-browser-") as folder:
        page = pathlib.Path(folder, "page.html")
        answer = json.loads(subprocess.run([plannerctl, "--state_dir", f"{folder}/state", "validate", "--runs", runs, "--rows", "--html", page, "-o", "json"],
                                           check=True, capture_output=True, text=True).stdout)
        harness = pathlib.Path(folder, "harness.html")
        harness.write_text(HARNESS, encoding="utf-8")
        # The page alone, too: what it says on the console must not depend on the frame.
        console = re.findall(r"CONSOLE[^\n]*", browse(folder, "--dump-dom", page.as_uri()).stderr)
        dump = browse(folder, "--dump-dom", harness.as_uri())
        console += re.findall(r"CONSOLE[^\n]*", dump.stderr)
        found = re.search(r'<pre id="found">(.*?)</pre>', dump.stdout, re.DOTALL)
        assert found and found[1] != "not loaded", f"the page was not loaded: {dump.stderr[-2000:]}"
        check(json.loads(html.unescape(found[1])), answer, console)
        if rest[:1] == ["--screenshot"]:
            browse(folder, f"--screenshot={pathlib.Path(rest[1]).resolve()}", "--window-size=1280,3200", page.as_uri())


main()
