#!/usr/bin/python3
"""Our counts beside those that were recorded of other counters, as a table in Markdown.

compare_with_peers.py --build build/release --reference reference_counts.json --exports FOLDER [--out TABLE.md] [--only NAME…]

The file of references is a list of {"model", "kind": "tv" or "custom", "input", "params", "forward_macs", "backward_flops",
"peers": {name: {"macs", "flops", "wall_s", "peak_rss_mb"} or {"error"}}}. Models are exported once into FOLDER by Debian's
torch and torchvision, in eval state, scripted and traced. Seconds are those of the Count call to a warm plannerd of --build that
has the file and no answer for it: the first call after the upload, which also checks the file's sums, and the fastest of later
ones. Memory is the worker's peak above the idle process that it was forked from. Exits 1 unless all are exact."""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time

import grpc
import torch
import torchvision

from custom_models import MODELS
from exporting import count, export, figures, quietly, request, tree_adds_up

FURTHER = [
    {"model": "vit_l_16", "kind": "tv", "input": [1, 3, 224, 224], "target": 0.2},
    {"model": "efficientnet_b7", "kind": "tv", "input": [1, 3, 600, 600], "target": 1},
]
HOW = ("scripted", "traced")


def build_model(row):
    """(module in eval state, its example arguments)"""
    if row["kind"] == "custom":
        build, args = MODELS[row["model"]]
        return build().eval(), args
    builder = torchvision.models.get_model_builder(row["model"])
    keywords = {"weights": None}
    if ".segmentation" in builder.__module__:
        keywords["weights_backbone"] = None
    if row["model"] in ("googlenet", "inception_v3"):
        keywords["init_weights"] = False
    return builder(**keywords).eval(), (torch.zeros(*row["input"]),)


def shapes(row):
    return [row["input"]] * (3 if row["model"].startswith("mha") else 1)


@contextlib.contextmanager
def plannerd(build):
    """A channel to a plannerd of its own, and its stubs."""
    source = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "stubs")
        os.mkdir(out)
        proto = os.path.join(source, "proto")
        files = [f"planner/v1/{name}" for name in sorted(os.listdir(os.path.join(proto, "planner/v1"))) if name.endswith(".proto")]
        plugin = subprocess.run(["which", "grpc_python_plugin"], capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run(
            ["protoc", "-I", proto, f"--python_out={out}", f"--grpc_out={out}", f"--plugin=protoc-gen-grpc={plugin}", *files], check=True)
        sys.path.insert(0, out)
        from planner.v1 import estimation_service_pb2, estimation_service_pb2_grpc, count_pb2  # noqa: PLC0415: made above.

        socket = "unix:" + os.path.join(folder, "socket")
        daemon = subprocess.Popen(
            [os.path.join(build, "bin/plannerd"), "--listen", socket, "--metrics_listen", "off", "--state_dir", os.path.join(folder, "state")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            for line in daemon.stdout:
                if "event=listening service=grpc" in line:
                    break
            log = open(os.path.join(folder, "log"), "w", encoding="utf-8")
            drain = subprocess.Popen(["cat"], stdin=daemon.stdout, stdout=log)
            channel = grpc.insecure_channel(socket, options=[("grpc.max_receive_message_length", 64 << 20)])
            yield estimation_service_pb2_grpc.EstimationServiceStub(channel), estimation_service_pb2, count_pb2
            channel.close()
        finally:
            daemon.terminate()
            daemon.wait()
            drain.wait()
            log.close()


def upload(stub, pb, path):
    """(the file's digest, seconds of the call)"""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)

    def messages():
        yield pb.UploadModelRequest(announcement=pb.UploadAnnouncement(size_bytes=os.path.getsize(path), sha256=digest.hexdigest()))
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                yield pb.UploadModelRequest(data=piece)

    start = time.perf_counter()
    stub.UploadModel(messages())
    return digest.hexdigest(), time.perf_counter() - start


def timed_counts(stub, count_pb2, sha256, row, repeat):
    """Seconds of Count calls that no cache answers, the first one first."""
    seconds = []
    for number in range(1, repeat + 1):
        one = count_pb2.CountRequest(mode=count_pb2.CountRequest.TRAINING)
        one.model.uploaded_file.sha256 = sha256
        # Means nothing beside the shapes of all inputs, but is part of the key of the cache of answers.
        one.batch_shape.batch = number
        for sizes in shapes(row):
            one.batch_shape.inputs.add(dimensions=sizes, dtype="float32")
        start = time.perf_counter()
        answer = stub.Count(one, timeout=60)
        seconds.append(time.perf_counter() - start)
        if answer.provenance.cached:
            raise RuntimeError("the answer came from the cache")
    return seconds


def peer_cell(peer, macs):
    """"=" for exactly our reference, how far off it is, or that it failed."""
    if peer is None or "error" in peer:
        return "fails"
    got = peer.get("macs", peer["flops"] if "flops" in peer else None)
    if got is None:
        return "none"
    if got == macs:
        return "="
    off = 100 * (got - macs) / macs
    if abs(off) < 0.05:
        return f"{got - macs:+,}"
    return f"{off:+.1f} %" if abs(off) < 99.95 else f"{off:+.0f} %" if off < 1000 else f"×{got / macs:.0f}"


def fastest(peers):
    found = [(peer["wall_s"], name, peer["peak_rss_mb"]) for name, peer in peers.items() if peer.get("wall_s")]
    return min(found) if found else None


def measure(row, options, stub, pb, count_pb2):
    module, args = build_model(row)
    result = {}
    for how in HOW:
        path = os.path.join(options.exports, f"{row['model']}.{how}.pt")
        if not os.path.exists(path):
            export(module, args, how, path + ".new")
            os.rename(path + ".new", path)
        answer = count(os.path.join(options.build, "bin/libtorch_count"), [request(path, args)])[0]
        got = figures(answer)
        sha256, upload_seconds = upload(stub, pb, path)
        seconds = timed_counts(stub, count_pb2, sha256, row, options.repeat)
        result[how] = {
            "got": got,
            "exact": got == (row["params"], row["forward_macs"], row["backward_flops"]) and tree_adds_up(answer)
            if "params" in row else None,
            "first": seconds[0],
            "seconds": min(seconds[1:]) if len(seconds) > 1 else seconds[0],
            "peak_mb": answer.get("peak_mb"),
            "upload": upload_seconds,
        }
    return result


def yes(exact):
    return "" if exact is None else "yes" if exact else "**no**"


def line(row, result, peer_names):
    macs = result["scripted"]["got"][1] if isinstance(result["scripted"]["got"], tuple) else result["scripted"]["got"]
    best = fastest(row.get("peers", {}))
    cells = [row["model"], f"{macs:,}" if isinstance(macs, int) else str(macs)[:60]]
    cells += [f"{yes(result['scripted']['exact'])}, {yes(result['traced']['exact'])}" if "params" in row else ""]
    for how in HOW:
        cells.append(f"{1000 * result[how]['seconds']:.0f} / {1000 * result[how]['first']:.0f}")
    cells.append(f"{max(result[how]['peak_mb'] for how in HOW):.0f}")
    cells.append(f"{1000 * best[0]:.0f} ({best[1]})" if best else "")
    cells.append(f"{best[2]:.0f}" if best else "")
    cells += [peer_cell(row["peers"].get(name), row["forward_macs"]) if "peers" in row else "" for name in peer_names]
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--exports", required=True)
    parser.add_argument("--out")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--repeat", type=int, default=12)
    options = parser.parse_args()
    os.makedirs(options.exports, exist_ok=True)
    torch.manual_seed(0)
    with open(options.reference, encoding="utf-8") as file:
        rows = json.load(file) + FURTHER
    if options.only:
        rows = [row for row in rows if row["model"] in options.only]
    peer_names = list(dict.fromkeys(name for row in rows for name in row.get("peers", {})))
    titles = ["model", "our MACs", "exact: scripted, traced", "scripted, ms: warm / first", "traced, ms: warm / first", "MB above idle",
              "fastest peer, ms", "its MB"] + peer_names
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    results = []
    with quietly(), plannerd(options.build) as (stub, pb, count_pb2):
        stub.ListCounters(pb.ListCountersRequest())
        for row in rows:
            result = measure(row, options, stub, pb, count_pb2)
            results.append((row, result))
            lines.append(line(row, result, peer_names))
            print(lines[-1], flush=True)
    known = [(row, result) for row, result in results if "params" in row]
    exact = sum(result[how]["exact"] for _, result in known for how in HOW)
    lines.append("")
    lines.append(f"Exact: {exact} of {len(HOW) * len(known)} files. Exact MACs of the peers: " + ", ".join(
        f"{name} {sum(peer_cell(row['peers'].get(name), row['forward_macs']) == '=' for row, _ in known)}" for name in peer_names) +
        f" of {len(known)} models.")
    print(lines[-1])
    for row, result in results:
        best = fastest(row.get("peers", {}))
        target = row.get("target", best[0] / 3 if best and best[0] > 0.15 else 0.1)
        for how in HOW:
            if result[how]["seconds"] > target:
                print(f"slower than {1000 * target:.0f} ms: {row['model']} {how} {1000 * result[how]['seconds']:.0f} ms")
    if options.out:
        with open(options.out, "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
    return 0 if exact == len(HOW) * len(known) else 1


if __name__ == "__main__":
    sys.exit(main())
