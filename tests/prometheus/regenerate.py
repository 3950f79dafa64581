#!/usr/bin/env python3
"""The committed dashboards are what their sources generate, with the packages of package-lock.json, and the sources satisfy tsc.

usage: regenerate.py DEPLOY_GRAFANA SCRATCH

Works on a copy in SCRATCH, where the packages of an earlier run are kept for as long as the lock file stays the same.
"""
import difflib
import filecmp
import pathlib
import shutil
import subprocess
import sys

COPIED = ("package.json", "package-lock.json", "tsconfig.json", "src")


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def copy(source, scratch):
    for name in COPIED:
        if (source / name).is_dir():
            shutil.rmtree(scratch / name, ignore_errors=True)
            shutil.copytree(source / name, scratch / name)
        else:
            shutil.copy2(source / name, scratch / name)
    for made in ("lib", "dashboards"):
        shutil.rmtree(scratch / made, ignore_errors=True)


def main():
    source, scratch = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    for program in ("node", "npm"):
        assert shutil.which(program), f"{program} is not installed: nodejs and npm are in deploy/debian-packages.txt"
    scratch.mkdir(parents=True, exist_ok=True)
    copy(source, scratch)
    installed = scratch / "installed-package-lock.json"
    if not installed.exists() or not filecmp.cmp(installed, scratch / "package-lock.json", shallow=False):
        installed.unlink(missing_ok=True)
        run(scratch, "npm", "ci", "--no-audit", "--no-fund")
        shutil.copy2(scratch / "package-lock.json", installed)
    run(scratch, "npm", "run", "generate")

    committed, generated = ({path.name: path.read_text() for path in sorted((folder / "dashboards").glob("*"))}
                            for folder in (source, scratch))
    assert generated, "nothing was generated"
    different = False
    for name in sorted(set(committed) | set(generated)):
        before, after = (texts.get(name, "").splitlines() for texts in (committed, generated))
        for line in difflib.unified_diff(before, after, f"committed/{name}", f"generated/{name}", lineterm="", n=1):
            different = True
            print(line)
    if different:
        print("run `npm ci && npm run generate` in deploy/grafana and commit what it writes")
        return 1
    print(f"{', '.join(generated)}: as committed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
