#!/usr/bin/python3
"""Counts every torchvision model, scripted and traced, and compares with what Python's dispatcher sees on real tensors.

sweep_torchvision.py --driver build/release/bin/libtorch_count [--only NAME…] [--state eval|train] [--out results.json]
Run by hand: it takes the time and memory of real forward and backward passes."""

import argparse
import json
import os
import sys
import tempfile
import time

import torch
import torchvision

from exporting import count, export, figures, quietly, request, tree_adds_up
from reference_count import reference_count


def models():
    """(name, builder, example arguments)"""
    image = (torch.zeros(1, 3, 224, 224),)
    for name in torchvision.models.list_models() if hasattr(torchvision.models, "list_models") else []:
        builder = torchvision.models.get_model_builder(name)
        module = builder.__module__
        if "quantization" in module:
            continue
        if ".detection" in module:
            yield name, lambda b=builder: b(weights=None, weights_backbone=None), ([torch.rand(3, 320, 320)],)
        elif ".segmentation" in module:
            yield name, lambda b=builder: b(weights=None, weights_backbone=None), image
        elif ".video" in module:
            size = 224 if "mvit" in name else 112
            yield name, lambda b=builder: b(weights=None), (torch.zeros(1, 3, 16, size, size),)
        elif ".optical_flow" in module:
            yield name, lambda b=builder: b(weights=None), (torch.zeros(1, 3, 128, 128), torch.zeros(1, 3, 128, 128))
        elif "inception_v3" in name:
            yield name, lambda b=builder: b(weights=None, init_weights=False), (torch.zeros(2, 3, 299, 299),)
        elif "googlenet" in name:
            yield name, lambda b=builder: b(weights=None, init_weights=False), (torch.zeros(2, 3, 224, 224),)
        else:
            yield name, lambda b=builder: b(weights=None), image


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--state", choices=["eval", "train"], default="eval")
    parser.add_argument("--out")
    options = parser.parse_args()
    torch.manual_seed(0)
    rows = []
    for name, build, args in models():
        if options.only and name not in options.only:
            continue
        start = time.time()
        with quietly(), tempfile.TemporaryDirectory() as folder:
            module = build()
            module.train(options.state == "train")
            if options.state == "train" and args[0].__class__ is torch.Tensor and args[0].shape[0] == 1:
                args = tuple(torch.zeros(2, *one.shape[1:]) for one in args)
            answers = {}
            for how in ("scripted", "traced"):
                path = os.path.join(folder, how + ".pt")
                try:
                    export(module, args, how, path)
                    answers[how] = count(options.driver, [request(path, args)])[0]
                except Exception as error:  # noqa: BLE001: a model that torch itself cannot export is a row of the table.
                    answers[how] = {"error": "export: " + str(error).strip().splitlines()[-1][:200]}
            try:
                known = reference_count(module, args)
                reference = (known["params"], known["forward_macs"], known["backward_flops"])
            except Exception as error:  # noqa: BLE001
                reference = "reference: " + str(error)[:200]
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
