"""The README's examples work: its Python as one program, its plannerctl commands on the files that it writes."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from daemon import Daemon

README = pathlib.Path(__file__).resolve().parent.parent / "README.md"


class ReadmeTest(unittest.TestCase):
    def test_examples(self):
        text = README.read_text(encoding="utf-8")
        program = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
        commands = re.findall(r"^\$ (plannerctl .*)$", text, re.MULTILINE)
        self.assertGreaterEqual(len(commands), 2)
        path = f"{os.path.dirname(os.environ['PLANNERCTL'])}:{os.environ['PATH']}"
        with tempfile.TemporaryDirectory() as folder, Daemon() as daemon:
            environment = {**os.environ, "PATH": path, "XDG_STATE_HOME": folder}
            ran = subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=folder, capture_output=True, text=True, timeout=200,
                                 env={**environment, "PLANNER_SERVER": daemon.address})
            self.assertEqual(ran.returncode, 0, ran.stderr)
            # What a comment says is printed is printed.
            promised = re.findall(r"^ *print\(.*# (.*)$", program, re.MULTILINE)
            self.assertEqual(ran.stdout.splitlines(), promised)
            for command in commands:
                with self.subTest(command):
                    ran = subprocess.run(command.split(), cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
                    self.assertEqual(ran.returncode, 0, ran.stderr)
                    self.assertIn("Parameters", ran.stdout)


if __name__ == "__main__":
    unittest.main()
