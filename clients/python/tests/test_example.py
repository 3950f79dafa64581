"""The example plans, trains, reports, compares and draws, with a smaller model."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

EXAMPLE = pathlib.Path(__file__).resolve().parent.parent / "examples" / "cpu_training.py"
SVG = "{http://www.w3.org/2000/svg}"
RUNS, STEPS = 3, 30


class ExampleTest(unittest.TestCase):
    def test_cpu_training(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "times.svg")
            done = subprocess.run([sys.executable, "-W", "ignore", str(EXAMPLE), "--plannerd", os.environ["PLANNERD"], "--svg", path, "--width", "64",
                                   "--length", "32", "--runs", str(RUNS), "--steps", str(STEPS)], capture_output=True, text=True, timeout=250)
            self.assertEqual(done.returncode, 0, done.stderr)
            picture = pathlib.Path(path).read_text(encoding="utf-8")
        self.assertNotIn("nothing learned", done.stdout)
        ratios = [float(ratio) for ratio in re.findall(r"^Run \d: planned .*, measured .*, ([\d.]+) times; loss ", done.stdout, re.MULTILINE)]
        self.assertEqual(len(ratios), RUNS, done.stdout)
        # By then it has learned from two runs. Within a factor of 3: other programs share the machine, and its pace varies.
        self.assertTrue(1 / 3 < ratios[-1] < 3, done.stdout)

        # One mark for every step that has one before it (of the first it is the run's start), and nothing from elsewhere.
        tree = xml.etree.ElementTree.fromstring(picture)
        panels = [group for group in tree.iter(f"{SVG}g") if group.get("class") == "panel"]
        self.assertEqual([len(list(panel.iter(f"{SVG}circle"))) for panel in panels], [STEPS] * RUNS)
        for panel in panels:
            kinds = [mark.get("class") for mark in panel]
            for kind in ("interval", "planned", "measured"):
                self.assertEqual(kinds.count(kind), 1, kind)
        self.assertEqual(re.findall(r"(?:href|src|url\()[^>]*", picture), [])
        self.assertEqual(set(re.findall(r"https?://[^\"']*", picture)), {"http://www.w3.org/2000/svg"})


if __name__ == "__main__":
    unittest.main()
