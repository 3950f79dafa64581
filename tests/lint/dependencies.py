#!/usr/bin/env python3
"""Checks the directions of #include between the folders: dependencies.py ROOT. Prints each violation, exits 1 if there is one."""
import pathlib
import re
import sys

# Inside core: a folder includes itself and what stands left of it in its own chain.
CORE_ALLOWS = {
    "base": [],
    "model": ["base"],
    "counting": ["base", "model"],
    "hardware": ["base"],
    "cluster": ["base", "hardware"],
    "utilization": ["base"],
    "perf": ["base", "model", "counting", "hardware"],
    "parallel": ["base", "model", "counting", "hardware", "perf"],
    "schedule": ["base", "model", "counting", "hardware", "cluster", "perf", "parallel"],
    "calibration": ["base", "model", "counting", "hardware", "cluster", "perf"],
    "runs": ["base"],
    "planning": ["base", "model", "counting", "hardware", "cluster", "perf", "parallel", "schedule", "calibration"],
    "store": ["base"],
}
# What no file of a top-level folder may include.
FORBIDDEN = {
    "core": r"^(planner/|google/|grpc|prometheus/|sqlite3|libpq|torch/|ATen/|c10/|services/|clients/|plugins/|tests/)",
    "services": r"^(torch/|ATen/|c10/|clients/|plugins/|tests/)",
    "plugins": r"^(services/|clients/|tests/)",
    # plannerctl's in-process mode links the composition library, and reads layer graphs as the daemon's catalogue does.
    "clients": r"^(core/(?!base/)|plugins/|tests/|services/(?!app/|convert/layer_graph_text\.h))",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
TEST_FILE = re.compile(r"(_test|_benchmark)\.cc$|/fake_\w+\.(h|cc)$")


def violations(root: pathlib.Path):
    """Yields (file, include) for every include that goes against the directions."""
    for top in FORBIDDEN:
        for path in sorted(root.glob(f"{top}/**/*")):
            if path.suffix not in (".h", ".cc"):
                continue
            relative = path.relative_to(root)
            for include in INCLUDE.findall(path.read_text()):
                if TEST_FILE.search(str(relative)) and include.startswith("tests/support/"):
                    continue
                if re.search(FORBIDDEN[top], include):
                    yield relative, include
                parts = include.split("/")
                if top == "core" and parts[0] == "core":
                    folder = relative.parts[1]
                    if parts[1] != folder and parts[1] not in CORE_ALLOWS.get(folder, []):
                        yield relative, include


def main() -> int:
    found = list(violations(pathlib.Path(sys.argv[1])))
    for path, include in found:
        print(f"{path}: must not include {include}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
