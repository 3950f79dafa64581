"""Published training runs as jobs: what was trained, how, and how long a step really took there."""
import csv
import json
import typing


class PublishedRun(typing.NamedTuple):
    """A row of tests/accuracy/published_runs.csv."""

    cells: dict

    @property
    def model(self):
        return self.cells["model"]

    @property
    def gpu_type(self):
        return self.cells["gpu_type"]

    @property
    def gpus(self):
        return int(self.cells["n_gpus"])

    @property
    def step_seconds(self):
        """Of one optimizer step, as it was measured."""
        return float(self.cells["iteration_time_s"])


def read(path):
    """All rows, by their id."""
    with open(path, encoding="utf-8", newline="") as file:
        return {row["id"]: PublishedRun(row) for row in csv.DictReader(file)}


def model_configuration(cells):
    """The config.json of a transformer with the sizes of a row: of Llama's kind where its feed-forward layer is gated, else of GPT's."""
    layers, hidden, ffn = int(cells["n_layers"]), int(cells["hidden"]), int(cells["ffn_hidden"])
    heads = int(cells["heads"] or hidden // 128)
    vocab, positions = int(cells["vocab"]), int(cells["seq_len"])
    if cells["gated_mlp"] == "1":
        return {"model_type": "llama", "num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": ffn,
                "num_attention_heads": heads, "num_key_value_heads": int(cells["kv_heads"] or heads), "vocab_size": vocab, "max_position_embeddings": positions}
    return {"model_type": "gpt2", "n_layer": layers, "n_embd": hidden, "n_inner": ffn, "n_head": heads, "vocab_size": vocab,
            "n_positions": positions}


def estimate_request(run, cluster):
    """What the planner is asked about a row, in the JSON form of planner.v1.EstimateRequest: everything but the measured time."""
    cells = run.cells
    model = {"displayName": run.model}
    if cells["n_layers"]:
        model["huggingFaceConfig"] = json.dumps(model_configuration(cells))
    else:
        model["preset"] = run.model
    training = {"globalBatch": cells["global_batch"], "precision": cells["precision"], "framework": cells["framework"],
                "attention": cells["attention"]}
    if cells["recompute"]:
        training["recompute"] = cells["recompute"].upper()
    if cells["task"] == "lora":
        training["finetune"] = "LORA"
    layout = {"tensorParallel": cells["tp"], "pipelineParallel": cells["pp"], "virtualPipeline": cells["vpp"], "dataParallel": cells["dp"],
              "contextParallel": cells["cp"], "microBatchSize": cells["microbatch"], "zeroStage": cells["zero_stage"]}
    layout = {name: value for name, value in layout.items() if value}
    if cells["sequence_parallel"]:
        layout["sequenceParallel"] = cells["sequence_parallel"] == "1"
    return {
        "model": model,
        "dataSet": {"seqLen": cells["seq_len"]} if cells["seq_len"] else {},
        "training": {name: value for name, value in training.items() if value},
        "layout": layout,
        "resources": {"cluster": cluster, "gpuTypes": [run.gpu_type], "minGpus": str(run.gpus), "maxGpus": str(run.gpus)},
    }
