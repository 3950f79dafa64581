"""The package installs without a network: from its folder and from a source distribution. What is installed is typed throughout."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from typing import Dict, List, Optional

FOLDER = pathlib.Path(__file__).resolve().parent.parent
PROTO = FOLDER.parent.parent / "proto"
LOOK = """
import importlib.metadata, planner_client, planner_client.huggingface, planner_client.lightning, planner_client.tail, sys
from planner_client.api.v1 import run_pb2
print(planner_client.__file__, run_pb2.__file__, importlib.metadata.version('planner-client'))
assert 'torch' not in sys.modules and 'planner' not in sys.modules
"""


class PackageTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.scratch = pathlib.Path(folder.name)
        # setuptools leaves folders behind.
        self.source = self.scratch / "repository" / "clients" / "python"
        shutil.copytree(FOLDER, self.source, ignore=shutil.ignore_patterns("tests", "__pycache__", "build", "*.egg-info"))
        shutil.copytree(PROTO, self.scratch / "repository" / "proto")
        self.environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PIP_REQUIRE_VIRTUALENV")}
        # Nothing is made when it is imported, and it looks nowhere else for its messages.
        self.environment["XDG_CACHE_HOME"] = str(self.scratch / "cache")

    def run_quietly(self, command: List[str], cwd: Optional[pathlib.Path] = None, environment: Optional[Dict[str, str]] = None) -> str:
        done = subprocess.run(command, env=environment or self.environment, cwd=cwd or self.scratch, capture_output=True, text=True, timeout=250)
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def installed(self, source: pathlib.Path) -> pathlib.Path:
        """The Python of a fresh environment that has the package, its dependencies checked."""
        venv = self.scratch / "venv"
        python = venv / "bin" / "python"
        self.run_quietly([sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(venv)])
        self.run_quietly([str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", str(source)])
        return python

    def check(self, python: pathlib.Path) -> pathlib.Path:
        where, messages, version = self.run_quietly([str(python), "-c", LOOK]).split()
        for path in (where, messages):
            self.assertTrue(path.startswith(str(self.scratch / "venv")), path)
        self.assertRegex(version, r"^\d+\.\d+\.\d+$")
        self.assertFalse((self.scratch / "cache" / "planner-client").exists())
        self.run_quietly([str(python), "-m", "planner_client.tail", "--help"])
        return pathlib.Path(where).parent

    def test_from_its_folder(self) -> None:
        python = self.installed(self.source)
        package = self.check(python)
        for name in ("planner_client", "planner"):
            self.assertTrue((package.parent / name / "py.typed").exists())
        self.run_quietly([str(python), "-c", "import planner; planner.meta()"])
        # mypy finds the installed package as a user's project does, and follows it.
        self.run_quietly(["/usr/bin/mypy", "--python-executable", str(python), "--config-file", str(self.source / "pyproject.toml"), "--no-incremental",
                          "--cache-dir", os.devnull, str(package)])
        user = self.scratch / "user.py"
        user.write_text("from planner_client import Client, Reporter\nreveal_type(Client().get_run('x').actual.step_ratio)\nReporter(3)\n")
        done = subprocess.run(["/usr/bin/mypy", "--python-executable", str(python), "--ignore-missing-imports", "--no-incremental", "--cache-dir", os.devnull,
                               str(user)], env=self.environment, cwd=self.scratch, capture_output=True, text=True, timeout=250)
        self.assertIn('Revealed type is "builtins.float"', done.stdout)
        self.assertIn('Argument 1 to "Reporter" has incompatible type "int"; expected "str"', done.stdout)

    def test_from_a_source_distribution(self) -> None:
        self.run_quietly([sys.executable, "setup.py", "--quiet", "sdist"], cwd=self.source)
        archive, = (self.source / "dist").glob("*.tar.gz")
        # Without the repository round it.
        moved = self.scratch / archive.name
        shutil.move(str(archive), str(moved))
        shutil.rmtree(self.scratch / "repository")
        self.check(self.installed(moved))

    def test_editable(self) -> None:
        venv = self.scratch / "venv"
        python = venv / "bin" / "python"
        self.run_quietly([sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(venv)])
        self.run_quietly([str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", "--editable", str(self.source)])
        where, messages, _ = self.run_quietly([str(python), "-c", LOOK]).split()
        self.assertTrue(where.startswith(str(self.source)), where)
        self.assertTrue(messages.startswith(str(self.scratch / "cache")), messages)

    def test_from_the_repository_at_once_by_many(self) -> None:
        """Processes that make the messages at the same time end with the same ones."""
        environment = {**self.environment, "PYTHONPATH": str(self.source)}
        processes = [subprocess.Popen([sys.executable, "-c", "from planner_client.api.v1 import run_pb2; print(run_pb2.__file__)"], env=environment,
                                      cwd=self.scratch, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(6)]
        answers = [process.communicate(timeout=250) for process in processes]
        self.assertEqual([process.returncode for process in processes], [0] * 6, answers)
        self.assertEqual(len({out for out, _ in answers}), 1)
        self.assertEqual(len(list((self.scratch / "cache" / "planner-client").iterdir())), 1)


if __name__ == "__main__":
    unittest.main()
