#!/usr/bin/python3
"""Counts files that are not a plain module in single precision: frozen, optimized, in half precision, with an operator that nobody
has. unusual_files.py --driver build/release/bin/libtorch_count; exits 1 unless all are as expected."""

import argparse
import os
import sys
import tempfile

import torch
from torch import nn

from exporting import count, quietly, request
from later_operators import rewrite


class Twice(nn.Module):
    """Two convolutions alike, too large to be read as constants: 9·64·64 = 36,864 weights each, at 4·4 places."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.b = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        return self.b(self.a(self.pool(x)))


MACS = 2 * 36_864 * 16
SMALL = nn.Sequential(nn.Linear(4, 4), nn.ReLU())


def save(folder, name, module):
    path = os.path.join(folder, name + ".pt")
    module.save(path)
    return path


def counted(driver, path, args, dtype=None):
    """(the count, the reason and text of the error); one of them is None."""
    one = request(path, args)
    for shape in one["batchShape"]["inputs"]:
        shape["dtype"] = dtype or shape["dtype"]
    response = count(driver, [one])[0]["response"]
    if "error" in response:
        return None, response["error"]["reason"] + ": " + response["error"]["message"]
    return response["count"]["count"], None


def problems(driver, folder):
    """Yields a sentence for each expectation that is not met."""
    image = (torch.zeros(1, 64, 8, 8),)
    script = torch.jit.script(Twice().eval())

    plain, error = counted(driver, save(folder, "plain", script), image)
    if error or int(plain["forward"]["macs"]) != MACS or int(plain["parameterCount"]) != 73_728:
        yield f"plain: {error or plain['forward']}"
    else:
        pool = [one for one in plain["modules"] if one["path"] == "pool"]
        if [one["forward"]["otherFlops"] for one in pool] != [str(64 * 64)]:
            yield f"the work of a module without parameters is not its own: {pool}"

    frozen, error = counted(driver, save(folder, "frozen", torch.jit.freeze(script)), image)
    if error or int(frozen["forward"]["macs"]) != MACS or not any("73728 elements of weights" in one for one in frozen["warnings"]):
        yield f"frozen: {error or frozen['warnings']}"

    small, error = counted(driver, save(folder, "small", torch.jit.freeze(torch.jit.script(SMALL.eval()))), (torch.zeros(2, 4),))
    if error or not any("20 elements of weights" in one for one in small["warnings"]):
        yield f"frozen, small: {error or small['warnings']}"

    _, error = counted(driver, save(folder, "optimized", torch.jit.optimize_for_inference(torch.jit.script(Twice().eval()))), image)
    if not (error or "").startswith("MODEL_OPTIMIZED: "):
        yield f"optimized: {error}"

    half = save(folder, "half", torch.jit.script(Twice().eval().bfloat16()))
    for dtype in ("bf16", "bfloat16"):
        got, error = counted(driver, half, image, dtype)
        if error or int(got["forward"]["macs"]) != MACS:
            yield f"{dtype}: {error}"
    _, error = counted(driver, half, image, "fp16")
    if not (error or "").startswith("SHAPE_MISMATCH: in module a: Input type (Half) and weight type (BFloat16)"):
        yield f"fp16 into bfloat16: {error}"

    unknown = os.path.join(folder, "unknown.pt")
    if not rewrite(save(folder, "known", torch.jit.script(SMALL)), unknown, "torch.relu(", "torch.no_such_operator("):
        yield "unknown: the code has no torch.relu"
    _, error = counted(driver, unknown, (torch.zeros(2, 4),))
    for part in ("OPERATOR_UNKNOWN: ", "no_such_operator", "<--- HERE", "'relu' is being compiled since it was called from 'ReLU.forward'"):
        if part not in (error or ""):
            yield f"unknown: without {part!r}: {error}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    options = parser.parse_args()
    with quietly(), tempfile.TemporaryDirectory() as folder:
        found = list(problems(options.driver, folder))
    for one in found:
        print(one)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
