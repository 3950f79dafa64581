"""What the GPUs of the cluster do at a moment, by what runs on their nodes. Pure but for a source of noise."""
import typing

import hosts
import story


class Load(typing.NamedTuple):
    """What a job does with each of its cards."""

    job: str
    # Shares of the time or of the cycles, 0 to 1, as dcgm-exporter has them.
    busy: float
    tensor_active: float
    memory_active: float
    memory_used_mib: float


class Reading(typing.NamedTuple):
    """Of one card."""

    node: str
    gpu: int
    load: Load
    power_watts: float
    clock_mhz: int
    xid: int


IDLE = Load("", 0.0, 0.0, 0.0, 4.0)


def training_load(job, model_flops_utilization, memory_used_bytes, is_training, hangs):
    """
    Tensor cores work a little more than the model's FLOPs say. A collective that hangs keeps its kernel running: busy, and nothing done.
    """
    memory = memory_used_bytes / 2**20
    if hangs:
        return Load(job, 1.0, 0.0, 0.01, memory)
    if not is_training:
        return Load(job, 0.0, 0.0, 0.0, 4.0)
    return Load(job, 0.98, min(0.95, 1.1 * model_flops_utilization), min(0.9, 0.25 + 0.5 * model_flops_utilization), memory)


def guests(day):
    """The load of each node that a guest of the story uses."""
    return {node: Load(guest.description.replace(" ", "-"), 0.55, 0.12, 0.2, 30000.0)
            for guest in story.GUESTS if guest.from_day <= day < guest.until_day for node in hosts.expand(guest.nodes)}


def readings(loads, failed_nodes, random):
    """Of every card of the cluster. `loads`: by node; nodes without one are idle."""
    found = []
    for pool in story.POOLS:
        for node in pool.node_names:
            load = loads.get(node, IDLE)
            for gpu in range(story.GPUS_PER_NODE):
                # Cards differ by some percent, and so do readings.
                scatter = 1 + random.gauss(0, 0.015)
                one = load._replace(busy=min(1.0, load.busy * (1 + min(0.0, random.gauss(0, 0.01)))),
                                    tensor_active=load.tensor_active * scatter, memory_active=load.memory_active * scatter)
                draw = 0.25 * (one.busy > 0) + 0.9 * one.tensor_active + 0.3 * one.memory_active
                power = pool.idle_watts + (pool.peak_watts - pool.idle_watts) * min(1.0, draw) * scatter
                found.append(Reading(node, gpu, one, power, 1980 if one.busy else 345, 79 if node in failed_nodes and gpu == 0 else 0))
    return found
