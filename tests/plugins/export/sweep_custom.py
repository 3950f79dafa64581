#!/usr/bin/python3
"""Counts the modules of custom_models.py, scripted and traced, in train and eval state, against the reference count.

sweep_custom.py --driver build/release/bin/libtorch_count [--only NAME…]; exits 1 unless all are exact."""

import argparse
import os
import sys
import tempfile

import torch

from custom_models import MODELS, NOT_EXPORTABLE
from odd_models import ODD_MODELS, ODD_NOT_EXPORTABLE
from exporting import count, export, figures, quietly, request, tree_adds_up
from reference_count import reference_count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--state", nargs="*", default=["train", "eval"])
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    requests, rows = [], []
    failed_exports = 0
    with quietly(), tempfile.TemporaryDirectory() as folder:
        for name, (build, args) in {**MODELS, **ODD_MODELS}.items():
            if options.only and name not in options.only:
                continue
            for state in options.state:
                module = build().train(state == "train")
                try:
                    known = reference_count(module, args)
                    reference = (known["params"], known["forward_macs"], known["backward_flops"])
                except Exception as error:  # noqa: BLE001
                    reference = "reference: " + str(error)[:300]
                for how in ("scripted", "traced"):
                    if (name, how) in NOT_EXPORTABLE | ODD_NOT_EXPORTABLE:
                        continue
                    path = os.path.join(folder, f"{name}.{state}.{how}.pt")
                    try:
                        export(module, args, how, path)
                    except Exception as error:  # noqa: BLE001
                        print(f"{name} {state} {how}: export: {(str(error).strip() or repr(error)).splitlines()[-1][:300]}")
                        failed_exports += 1
                        continue
                    requests.append(request(path, args))
                    rows.append((f"{name} {state} {how}", reference))
        answers = count(options.driver, requests)
    exact = 0
    for (title, reference), answer in zip(rows, answers):
        got = figures(answer)
        good = got == reference and tree_adds_up(answer)
        exact += good
        if not good:
            print(f"{title}: got {str(got)[:600]} reference {reference}")
    print(f"{exact} of {len(rows)} exact")
    return 0 if rows and exact == len(rows) and failed_exports == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
