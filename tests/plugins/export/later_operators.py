#!/usr/bin/python3
"""Counts files as PyTorch 2 writes them, with operators that Debian 12's torch does not know and so cannot export: a module is
scripted with a known operator of the same arguments, whose name is then replaced in the file's code.

later_operators.py --driver build/release/bin/libtorch_count; exits 1 unless all counts are as worked out by hand."""

import argparse
import os
import sys
import tempfile
import zipfile

import torch
from torch import Tensor, nn

from exporting import count, request


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(16, 48)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project(x).view(2, 8, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
        return torch.baddbmm(q, k, v)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(16, 16)
        self.weight = nn.Parameter(torch.ones(16))

    def forward(self, x: Tensor) -> Tensor:
        return torch.layer_norm(self.project(x), [16], self.weight)


ATTENTION = "torch.scaled_dot_product_attention(q, k, v, None, 0., {})"
# By hand: the projection is 2·8·16·48 = 12,288 MACs and only its weight has a gradient; each product of the attention is
# 2·4 heads of 8×8×4 = 2,048, two forward, four backward. The norm has no products; its projection 2·8·16·16 = 4,096.
CASES = [
    ("causal attention", Attention, "torch.baddbmm(q, k, v)", ATTENTION.format("True"), 16_384, 14_336, 2 * (12_288 + 8_192)),
    ("full attention", Attention, "torch.baddbmm(q, k, v)", ATTENTION.format("False"), 16_384, 16_384, 2 * (12_288 + 8_192)),
    ("norm", Norm, "torch.layer_norm(", "torch.rms_norm(", 4_096, 4_096, 2 * 4_096),
]


def rewrite(source, target, old, new):
    """Copies the archive with `old` replaced in its code; false if it is not there."""
    found = False
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            if name.endswith(".py") and old.encode() in data:
                data, found = data.replace(old.encode(), new.encode()), True
            after.writestr(zipfile.ZipInfo(name), data)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for title, module, old, new, macs, causal, backward in CASES:
            plain, later = os.path.join(folder, "plain.pt"), os.path.join(folder, "later.pt")
            torch.jit.script(module()).save(plain)
            if not rewrite(plain, later, old, new):
                print(f"{title}: {old} is not in the code")
                wrong += 1
                continue
            answer = count(options.driver, [request(later, (torch.zeros(2, 8, 16),))])[0]
            counted = answer.get("response", {}).get("count", {}).get("count")
            got = counted and (int(counted["forward"]["macs"]), int(counted["forward"]["causalMacs"]), int(counted["backward"]["flops"]))
            if got != (macs, causal, backward):
                print(f"{title}: got {got or answer} expected {(macs, causal, backward)}")
                wrong += 1
    print(f"{len(CASES) - wrong} of {len(CASES)} exact")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
