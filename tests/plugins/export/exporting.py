"""Exports modules as TorchScript and counts the files with the libtorch_count driver."""

import contextlib
import json
import subprocess
import warnings

import torch

DTYPES = {torch.float32: "float32", torch.int64: "int64", torch.bool: "bool", torch.float64: "float64", torch.int32: "int32"}


def export(module, args, how, path):
    """Saves `module` scripted or traced on `args`, in the train or eval state that it is in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "scripted":
            scripted = torch.jit.script(module)
        else:
            scripted = torch.jit.trace(module, args, check_trace=False, strict=False)
        scripted.save(path)


def request(path, args, mode="TRAINING"):
    """The CountRequest of a file, with the shapes of `args`: tensors, lists or tuples of them, dictionaries by key."""
    inputs = []

    def add(value, name=""):
        if isinstance(value, torch.Tensor):
            inputs.append({"dimensions": list(value.shape), "dtype": DTYPES[value.dtype], "name": name})
        elif isinstance(value, dict):
            for key, element in value.items():
                add(element, key)
        elif isinstance(value, (list, tuple)):
            for element in value:
                add(element)

    for value in args:
        add(value)
    return {"file": {"path": path}, "mode": mode, "batchShape": {"inputs": inputs}, "withModules": True}


def count(driver, requests):
    """The driver's answers, one a request: {"seconds", "peak_mb", "response"} or {"error"}."""
    lines = "".join(json.dumps(one) + "\n" for one in requests)
    done = subprocess.run([driver], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def figures(answer):
    """(params, forward MACs, backward FLOPs), or a sentence that says why there are none."""
    response = answer.get("response")
    if response is None:
        return answer.get("error", "no answer")
    if "error" in response:
        return response["error"]["reason"] + ": " + response["error"]["message"]
    counted = response["count"]["count"]
    if counted["uncountedOperators"]:
        return "uncounted: " + ", ".join(one["kind"] for one in counted["uncountedOperators"])
    return (int(counted["parameterCount"]), int(counted["forward"]["macs"]), int(counted["backward"]["flops"]))


def tree_adds_up(answer):
    """Whether each module's figures are at least the sum of its children's, and the model's the totals."""
    counted = answer["response"]["count"]["count"]
    modules = counted["modules"]
    total = (int(counted["forward"]["macs"]), int(counted["backward"]["macs"]), int(counted["parameterCount"]))
    figures_of = {
        one["path"]: (int(one["forward"]["macs"]), int(one["backward"]["macs"]), int(one["parameterCount"])) for one in modules
    }
    if figures_of.get("") != total:
        return False
    sums = {}
    for path, values in figures_of.items():
        if path:
            parent = path.rpartition(".")[0]
            sums[parent] = tuple(map(sum, zip(sums.get(parent, (0, 0, 0)), values)))
    return all(all(s <= f for s, f in zip(sums[path], figures_of[path])) for path in sums)


@contextlib.contextmanager
def quietly():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
