#!/usr/bin/python3
"""Counts every torchvision model, scripted and traced, and compares with what Python's dispatcher sees on real tensors.

sweep_torchvision.py --driver build/release/bin/libtorch_count [--only NAME…] [--state eval|train] [--exports FOLDER] [--out results.json]
Run by hand: it takes the time and memory of real forward and backward passes, smallest models first. With --exports, files and
reference counts are kept there, and a second run only counts."""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time

import torch
import torchvision

from exporting import count, export, figures, quietly, request, tree_adds_up
from reference_count import reference_count


def parameter_count(name):
    return next(iter(torchvision.models.get_model_weights(name))).meta["num_params"]


def models(size):
    """(name, builder, example arguments), smallest first; images of `size` where the model takes any."""
    image = (torch.zeros(1, 3, size, size),)
    names = [name for name in torchvision.models.list_models() if "quantized" not in name]
    for name in sorted(names, key=parameter_count):
        builder = torchvision.models.get_model_builder(name)
        module = builder.__module__
        if "quantization" in module:
            continue
        if ".detection" in module:
            yield name, lambda b=builder: b(weights=None, weights_backbone=None), ([torch.rand(3, 320, 320)],)
        elif ".segmentation" in module:
            yield name, lambda b=builder: b(weights=None, weights_backbone=None), image
        elif ".video" in module:
            side = 224 if "mvit" in name or name == "s3d" else size // 2
            yield name, lambda b=builder: b(weights=None), (torch.zeros(1, 3, 16, side, side),)
        elif ".optical_flow" in module:
            yield name, lambda b=builder: b(weights=None), (torch.zeros(1, 3, 128, 128), torch.zeros(1, 3, 128, 128))
        elif "inception_v3" in name:
            yield name, lambda b=builder: b(weights=None, init_weights=False), (torch.zeros(2, 3, max(size, 96), max(size, 96)),)
        elif "googlenet" in name:
            yield name, lambda b=builder: b(weights=None, init_weights=False), (torch.zeros(2, 3, size, size),)
        elif name.startswith("vit_"):
            side = 518 if name == "vit_h_14" and size > 224 else 224
            yield name, lambda b=builder: b(weights=None), (torch.zeros(1, 3, side, side),)
        else:
            yield name, lambda b=builder: b(weights=None), image


def export_once(build, args, path, state, how):
    """Writes the model's file, unless it is there. An error is a sentence: one that torch cannot export is a row of the table."""
    if os.path.exists(path):
        return None
    try:
        module = build()
        module.train(state == "train")
        # Weights of zeros are holes in the files: all of torchvision would be 40 GB. What runs does not depend on them.
        for parameter in module.parameters():
            parameter.data.zero_()
        export(module, args, how, path + ".new")
        subprocess.run(["fallocate", "--dig-holes", path + ".new"], check=True)
        os.rename(path + ".new", path)
    except Exception as error:  # noqa: BLE001
        return "export: " + str(error).strip().splitlines()[-1][:200]
    return None


def reference_once(build, args, path, state):
    """(params, forward MACs, backward FLOPs) of the model on real tensors, from `path` if it is there; else why there are none."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return tuple(json.load(file))
    try:
        module = build()
        module.train(state == "train")
        known = reference_count(module, args)
    except Exception as error:  # noqa: BLE001
        return "reference: " + str(error)[:200]
    reference = (known["params"], known["forward_macs"], known["backward_flops"])
    with open(path, "w", encoding="utf-8") as file:
        json.dump(reference, file)
    return reference


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--skip", nargs="*", default=[], help="parts of names")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--state", choices=["eval", "train"], default="eval")
    parser.add_argument("--exports")
    parser.add_argument("--out")
    options = parser.parse_args()
    torch.manual_seed(0)
    rows = []
    for name, build, args in models(options.size):
        if options.only and name not in options.only:
            continue
        if any(part in name for part in options.skip):
            continue
        start = time.time()
        with quietly(), contextlib.ExitStack() as stack:
            folder = options.exports or stack.enter_context(tempfile.TemporaryDirectory())
            os.makedirs(folder, exist_ok=True)
            if options.state == "train" and args[0].__class__ is torch.Tensor and args[0].shape[0] == 1:
                args = tuple(torch.zeros(2, *one.shape[1:]) for one in args)
            stem = os.path.join(folder, f"{name}.{options.size}.{options.state}.")
            answers = {}
            for how in ("scripted", "traced"):
                path = stem + how + ".pt"
                error = export_once(build, args, path, options.state, how)
                answers[how] = {"error": error} if error else count(options.driver, [request(path, args)])[0]
            reference = reference_once(build, args, stem + "json", options.state)
        row = {"model": name, "reference": reference}
        for how, answer in answers.items():
            got = figures(answer)
            row[how] = got
            row[how + "_exact"] = got == reference
            row[how + "_seconds"] = answer.get("seconds")
            row[how + "_peak_mb"] = answer.get("peak_mb")
            row[how + "_tree"] = tree_adds_up(answer) if isinstance(got, tuple) else None
        rows.append(row)
        text = " ".join(
            f"{how}={'EXACT' if row[how + '_exact'] else str(row[how])[:300]} {row[how + '_seconds']} {row[how + '_peak_mb']} tree={row[how + '_tree']}"
            for how in answers
        )
        print(f"{name}: {text} reference={reference} ({time.time() - start:.0f} s)", flush=True)
        if options.out:
            with open(options.out, "w", encoding="utf-8") as out:
                json.dump(rows, out, indent=1)
    exact = sum(row[how + "_exact"] for row in rows for how in ("scripted", "traced"))
    print(f"{exact} of {2 * len(rows)} exact")
    return 0


if __name__ == "__main__":
    sys.exit(main())
