#!/usr/bin/env python3
"""The demo as a newcomer starts it, while every expression of every dashboard and rule is asked.

usage: demo_live.py REPOSITORY BIN_FOLDER [--seconds N] [--missing METRIC]... [--screenshot FILE.png]

Within N seconds (default 75) each must have an answer. Then the page is looked at in a headless Chromium, live, and the demo is interrupted
as by Ctrl-C: nothing of it may be left.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import browser

# Of the story's first half minute: these runs run by then, as what they are.
RUNNING_AT_LEAST = 7


class Demo:
    """deploy/demo/run, in a session of its own as on a terminal of its own."""

    def __init__(self, root, programs, folder):
        self.folder = folder
        self.process = subprocess.Popen([root / "deploy" / "demo" / "run", "--bin", programs, "--minutes", "10"], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                        env={**os.environ, "TMPDIR": str(folder)})
        self.addresses, said = {}, []
        for line in self.process.stdout:
            said.append(line)
            match = re.match(r"(page|prometheus|plannerd) +(\S+)", line)
            if match:
                self.addresses[match[1]] = match[2]
            if line.startswith("Ends in"):
                return
        raise AssertionError(f"the demo did not start: {''.join(said)}")

    def log(self):
        return "".join(f"== {file.name}\n{file.read_text()[-2000:]}" for file in sorted(self.folder.glob("planner-demo.*/*.log")))

    def interrupt(self):
        """Its exit code."""
        self.process.send_signal(signal.SIGINT)
        self.process.stdout.read()
        return self.process.wait(timeout=30)


def processes_of(folder):
    """Command lines that name the folder, which every part of the demo does."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and "demo_live.py" not in command:
            found.append(command)
    return found


def check_queries(root, prometheus, seconds, missing):
    """Whether all have an answer but what is made of the metrics `missing`, which none of may be there."""
    tests = root / "tests" / "prometheus"
    rules = [argument for name in ("recording.yml", "alerts.yml")
             for argument in ("--rules", root / "deploy" / "prometheus" / "rules" / name)]
    command = [sys.executable, "-B", tests / "queries_live.py", "--dashboards", root / "deploy" / "grafana" / "dashboards", *rules,
               "--table", root / "deploy" / "prometheus" / "README.md", "--seconds", str(seconds), "--prometheus", prometheus]
    for metric in missing:
        command += ["--missing", metric]
    return subprocess.run(command, check=False).returncode == 0


def check_page(chromium, address):
    # Only a file may be looked into by the page that looks, which is one: what the demo serves is put beside it.
    served, _, query = address.partition("?")
    copy = chromium.folder / "page.html"
    with urllib.request.urlopen(served, timeout=10) as answer:
        copy.write_bytes(answer.read())
    (found,), console = chromium.look_at((f"{copy.as_uri()}?{query}", 1400))
    assert not console, f"errors on the console: {console}"
    assert not found["trouble"], found["trouble"]
    assert found["tooWide"] <= 0 and not found["cramped"], f"texts beyond their boxes: {found['cramped']}"
    running = [row for row in found["runs"] if row[2] in ("on plan", "early", "late", "stalled", "unknown")]
    assert len(running) >= RUNNING_AT_LEAST, found["runs"]
    assert any(row[0].startswith("vit-b16-hangs") and row[2] == "stalled" for row in found["runs"]), found["runs"]
    done = [row for row in found["runs"] if row[2].startswith("done")]
    assert done, found["runs"]
    assert len(found["charts"]) >= 4 * RUNNING_AT_LEAST + 4, [chart["title"] for chart in found["charts"]]
    for chart in found["charts"]:
        where = f"{chart['run']}: {chart['title']}"
        assert not chart["covered"] and not chart["cut"], f"{where}: {chart['covered']} {chart['cut']}"
        assert all(mark["inside"] for mark in chart["marks"]), where
    print(f"page: {len(running)} runs run, {len(done)} are done, {len(found['charts'])} pictures")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("programs")
    parser.add_argument("--seconds", type=float, default=75)
    parser.add_argument("--missing", action="append", default=[], help="a metric of the table that plannerd does not export yet")
    parser.add_argument("--screenshot")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="planner-demo-test-") as name:
        folder = pathlib.Path(name)
        (folder / "chromium").mkdir()
        began = time.monotonic()
        demo = Demo(options.root, options.programs, folder)
        try:
            print(f"started in {time.monotonic() - began:.1f} s")
            answered = check_queries(options.root, demo.addresses["prometheus"], options.seconds, options.missing)
            print(f"queries: {time.monotonic() - began:.1f} s")
            chromium = browser.Chromium(folder / "chromium")
            check_page(chromium, demo.addresses["page"])
            if options.screenshot:
                chromium.screenshot(demo.addresses["page"], options.screenshot, 1400, 2400)
            assert demo.process.poll() is None, "the demo has ended by itself"
        except BaseException:
            print(demo.log())
            raise
        finally:
            code = demo.interrupt()
        assert code == 130, f"exit code after Ctrl-C: {code}"
        left = [str(path) for path in folder.glob("planner-demo.*")] + processes_of(folder / "planner-demo.")
        assert not left, f"left behind: {left}"
        print(f"ended: {time.monotonic() - began:.1f} s")
    return 0 if answered else 1


if __name__ == "__main__":
    sys.exit(main())
