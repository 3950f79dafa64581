#!/usr/bin/env python3
"""Checks rules on the text of our sources: sources.py ROOT. Prints each violation, exits 1 if there is one."""
import pathlib
import re
import sys

# (what is looked for, files it is allowed in, why)
RULES = [
    (r"absl::Now\(\)|std::chrono::\w+_clock::now|std::time\(", r"core/base/clock\.cc$", "time comes from base::Clock"),
    (r"\bstd::mutex\b|\babsl::Mutex\b", r"core/base/mutex\.h$", "locks are base::Mutex, which clang checks"),
    (r"grpc::StatusCode", r"services/errors/|plugins/sdk/|_test\.cc$|clients/|tests/", "services/errors is the one error table"),
    (r"\b(TODO|FIXME|XXX|HACK)\b", r"tests/lint/", "nothing half-done is landed"),
    (r"\busing namespace\b", r"^$", "namespaces are not opened"),
    (r"\bsleep_for\b|\busleep\(|\babsl::SleepFor\b", r"^$", "nothing sleeps: wait for the event"),
]
TOPS = ("core", "services", "clients", "plugins", "tests", "proto")


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    failed = False
    for top in TOPS:
        for path in sorted(root.glob(f"{top}/**/*")):
            if path.suffix not in (".h", ".cc", ".proto"):
                continue
            relative = str(path.relative_to(root))
            for number, line in enumerate(path.read_text().splitlines(), 1):
                for pattern, allowed, why in RULES:
                    if re.search(pattern, line) and not re.search(allowed, relative):
                        print(f"{relative}:{number}: {why}: {line.strip()}")
                        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
