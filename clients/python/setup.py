"""Adds the API's messages, made by protoc, to what is installed; everything else is in pyproject.toml."""

import importlib.util
import pathlib
import shutil
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

_FOLDER = pathlib.Path(__file__).resolve().parent


def _generating() -> Any:
    # By its path: the package itself cannot be imported before its messages are there.
    spec = importlib.util.spec_from_file_location("generating", _FOLDER / "planner_client" / "generating.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BuildWithMessages(build_py):
    def run(self) -> None:
        super().run()
        # An editable installation makes them as the repository's own folder does: when it is imported.
        if not getattr(self, "editable_mode", False):
            _generating().generate(pathlib.Path(self.build_lib) / "planner_client" / "api")


class SourcesWithProtos(sdist):
    def make_release_tree(self, base_dir: str, files: Any) -> None:
        super().make_release_tree(base_dir, files)
        target = pathlib.Path(base_dir) / "proto" / "planner" / "v1"
        target.mkdir(parents=True, exist_ok=True)
        for source in _generating().proto_folder().glob("planner/v1/*.proto"):
            shutil.copy(source, target)


setup(cmdclass={"build_py": BuildWithMessages, "sdist": SourcesWithProtos})
