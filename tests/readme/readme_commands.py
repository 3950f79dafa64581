#!/usr/bin/env python3
"""Runs every plannerctl and plannerd command of a Markdown file's ```console blocks: readme_commands.py README.md BIN_DIRECTORY.

A line "$ plannerctl …" is run by bash in the directory of the file, with BIN_DIRECTORY on the PATH and a state directory of its own that all
commands share, and must exit 0, or with the code that a comment names: "# exits 3". "$ plannerd …" commands are given free ports instead of
their own and stopped with SIGTERM once they are ready, and must then exit 0. Other commands (deploy/quickstart, tests/run) are not run.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

TIMEOUT_SECONDS = 60


def commands(text: str):
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        joined = re.sub(r"\\\n\s*(?:> )?", "", block)
        for line in joined.splitlines():
            if line.startswith("$ "):
                yield line[2:]


def run_client(command: str, environment, directory) -> str:
    expected = re.search(r"# exits (\d+)", command)
    done = subprocess.run(["bash", "-c", command], env=environment, cwd=directory, capture_output=True, text=True,
                          timeout=TIMEOUT_SECONDS, stdin=subprocess.DEVNULL)
    want = int(expected.group(1)) if expected else 0
    if done.returncode != want:
        return f"exited {done.returncode}, not {want}: {done.stderr.strip()}"
    if want == 0 and not done.stdout.strip():
        return "printed nothing"
    return ""


def run_daemon(command: str, environment, directory, state) -> str:
    command = f"exec {command} --listen 127.0.0.1:0 --metrics_listen 127.0.0.1:0 --state_dir {state}"
    with subprocess.Popen(["bash", "-c", command], env=environment, cwd=directory, stderr=subprocess.PIPE, text=True) as daemon:
        seen = ""
        for line in daemon.stderr:
            seen += line
            if "service=grpc" in line:
                break
        daemon.send_signal(signal.SIGTERM)
        seen += daemon.stderr.read()
        code = daemon.wait(timeout=TIMEOUT_SECONDS)
        return "" if code == 0 and "service=grpc" in seen else f"exited {code}: {seen.strip()}"


def main() -> int:
    readme = pathlib.Path(sys.argv[1]).resolve()
    failures = 0
    count = 0
    with tempfile.TemporaryDirectory() as state:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PLANNER_")}
        environment["PATH"] = f"{pathlib.Path(sys.argv[2]).resolve()}:{environment['PATH']}"
        environment["XDG_STATE_HOME"] = state
        for command in commands(readme.read_text()):
            if command.startswith("plannerd ") and "check_config" not in command:
                problem = run_daemon(command, environment, readme.parent, f"{state}/daemon")
            elif re.match(r"(\w+=\S+ )*(plannerctl|plannerd) ", command) or "| plannerctl" in command:
                problem = run_client(command, environment, readme.parent)
            else:
                continue
            count += 1
            failures += bool(problem)
            print(f"{'FAILED' if problem else 'ok'}: {command}" + (f"\n    {problem}" if problem else ""))
    if count == 0:
        print("no command found")
        return 1
    print(f"{count - failures} of {count} commands work")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
