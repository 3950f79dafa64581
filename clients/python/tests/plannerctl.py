"""The real plannerctl, whose path ctest gives in PLANNERCTL."""

import json
import os
import subprocess
import tempfile
from typing import Any, Dict


def run(*arguments: str) -> str:
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run([os.environ["PLANNERCTL"], "--state_dir", state, *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"plannerctl {' '.join(arguments)} exited {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def count(path: str, *flags: str) -> Dict[str, Any]:
    return json.loads(run("-o", "json", "count", "--model", path, *flags))
