"""Makes the modules of the API's messages from its .proto files, with protoc. Nothing generated is kept in the repository.

Used by setup.py when the package is installed, and by planner_client.api when it is imported from its folder.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import List

_PACKAGE = pathlib.Path(__file__).resolve().parent
# `from planner.v1 import run_pb2`: the name `planner` is taken by a package that loads torch.
_IMPORT = re.compile(r"^from planner\.v1 import", re.MULTILINE)


def proto_folder() -> pathlib.Path:
    """The API's .proto files: of the repository, or of a source distribution, which has a copy."""
    for folder in (_PACKAGE.parent / "proto", _PACKAGE.parent.parent.parent / "proto"):
        if (folder / "planner" / "v1").is_dir():
            return folder
    raise FileNotFoundError("the API's .proto files are not there: install the package, or use it in its repository")


def sources() -> List[pathlib.Path]:
    return sorted(proto_folder().glob("planner/v1/*.proto")) + sorted((_PACKAGE / "protos").glob("planner_client/*.proto"))


def _protoc() -> List[str]:
    program = shutil.which("protoc")
    if program is not None:
        return [program]
    try:
        import grpc_tools.protoc  # noqa: F401
    except ImportError:
        raise FileNotFoundError("there is no protoc: install protobuf-compiler (Debian) or grpcio-tools (pip)") from None
    return [sys.executable, "-m", "grpc_tools.protoc"]


def generate(folder: pathlib.Path) -> None:
    """Writes v1/*_pb2.py, error_details_pb2.py and their .pyi into `folder`."""
    with tempfile.TemporaryDirectory() as made:
        command = [*_protoc(), f"-I{proto_folder()}", f"-I{_PACKAGE / 'protos'}", f"--python_out={made}", f"--pyi_out={made}"]
        done = subprocess.run(command + [str(source) for source in sources()], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"protoc failed: {done.stderr.strip()}")
        (folder / "v1").mkdir(parents=True, exist_ok=True)
        (folder / "v1" / "__init__.py").write_text('"""The messages of planner.v1."""\n', encoding="utf-8")
        for file in sorted(pathlib.Path(made).glob("**/*.py*")):
            text = _IMPORT.sub("from planner_client.api.v1 import", file.read_text(encoding="utf-8"))
            target = folder / "v1" if file.parent.name == "v1" else folder
            (target / file.name).write_text(text, encoding="utf-8")


def cached() -> pathlib.Path:
    """A folder of the user's cache with the modules; they are made if the .proto files are new to it."""
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    for source in sources():
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "planner-client"
    folder = cache / digest.hexdigest()[:16]
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(dir=cache))
    try:
        generate(made)
        made.rename(folder)
    except OSError:
        # Another process was faster.
        shutil.rmtree(made, ignore_errors=True)
        if not folder.is_dir():
            raise
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return folder
