"""The package installs from its folder, without a network."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent.parent


class PackageTest(unittest.TestCase):
    def test_installs_into_an_environment(self):
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PIP_REQUIRE_VIRTUALENV")}
        with tempfile.TemporaryDirectory() as scratch:
            source = os.path.join(scratch, "source")  # setuptools leaves a folder `build` behind.
            shutil.copytree(FOLDER, source, ignore=shutil.ignore_patterns("tests", "__pycache__", "build", "*.egg-info"))
            venv = os.path.join(scratch, "venv")
            python = os.path.join(venv, "bin", "python")
            self.run_quietly([sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", venv], environment)
            self.run_quietly([python, "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps", source], environment)
            found = self.run_quietly(
                [python, "-c", "import planner, importlib.metadata as m; print(planner.__file__); print(m.version('planner-client'))"],
                environment, cwd=scratch)
            where, version = found.split()
            self.assertTrue(where.startswith(venv), where)
            self.assertRegex(version, r"^\d+\.\d+\.\d+$")
            self.assertTrue(os.path.exists(os.path.join(os.path.dirname(where), "py.typed")))

    def run_quietly(self, command, environment, cwd=None):
        done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=200)
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout


if __name__ == "__main__":
    unittest.main()
