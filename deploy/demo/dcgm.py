"""Readings of GPUs in the text format of dcgm-exporter."""
import story

# Name, type, help, value of a reading.
METRICS = (
    ("DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (in %).", lambda reading, pool: 100 * reading.load.busy),
    ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", "Ratio of cycles the tensor (HMMA) pipe is active.",
     lambda reading, pool: reading.load.tensor_active),
    ("DCGM_FI_PROF_DRAM_ACTIVE", "gauge", "Ratio of cycles the device memory interface is active.",
     lambda reading, pool: reading.load.memory_active),
    ("DCGM_FI_DEV_FB_USED", "gauge", "Framebuffer memory used (in MiB).", lambda reading, pool: reading.load.memory_used_mib),
    ("DCGM_FI_DEV_FB_FREE", "gauge", "Framebuffer memory free (in MiB).",
     lambda reading, pool: max(0, pool.memory_mib - reading.load.memory_used_mib)),
    ("DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw (in W).", lambda reading, pool: reading.power_watts),
    ("DCGM_FI_DEV_SM_CLOCK", "gauge", "SM clock frequency (in MHz).", lambda reading, pool: reading.clock_mhz),
    ("DCGM_FI_DEV_XID_ERRORS", "gauge", "Value of the last XID error encountered.", lambda reading, pool: reading.xid),
)


def page(readings, pool):
    """What the exporter of one node answers. `readings` are of its cards, `pool` is the node's."""
    lines = []
    labels = [f'gpu="{reading.gpu}",UUID="GPU-{reading.node}-{reading.gpu}",device="nvidia{reading.gpu}",modelName="{pool.model_name}",'
              f'Hostname="{reading.node}"' + (f',hpc_job="{reading.load.job}"' if reading.load.job else "") for reading in readings]
    for name, kind, text, value in METRICS:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{{{label}}} {value(reading, pool):.6g}" for label, reading in zip(labels, readings)]
    return "\n".join(lines) + "\n"


def pool_of(node):
    return next(pool for pool in story.POOLS if node in pool.node_names)
