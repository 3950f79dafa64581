"""The week that the demo plays: a cluster of 64 nodes, the trainings on it, and what goes wrong. Data alone."""
import typing

from training import Failure, Hang, SlowNode

# A day of the story in seconds of the demo: everything but step times is a thousandfold quicker, since trainings have a thousandth of
# their tokens.
DAY = 86.4
WEEK = 7 * DAY
CLUSTER = "demo"


class Pool(typing.NamedTuple):
    name: str
    gpu_type: str
    nodes: int
    price_per_gpu_hour: float
    # As dcgm-exporter names it, with what a card draws idle and at most, and its memory.
    model_name: str
    idle_watts: float
    peak_watts: float
    memory_mib: int

    @property
    def node_names(self):
        return [f"{self.name}-{number:02}" for number in range(1, self.nodes + 1)]


GPUS_PER_NODE = 8
POOLS = (
    Pool("h100", "H100-SXM-80GB", 48, 2.90, "NVIDIA H100 80GB HBM3", 110, 700, 81559),
    Pool("a100", "A100-SXM-80GB", 16, 1.60, "NVIDIA A100-SXM4-80GB", 60, 400, 81920),
)


class Job(typing.NamedTuple):
    """A training that is planned, started where its plan has it start, and played."""

    name: str
    # Id of the published run that it is planned as.
    planned_as: str
    # Of the plan, in days of the story: with the planned rate, this is how many tokens it has.
    days: float
    # When somebody asks for it, in days. Below 0: it was begun so long before the demo.
    arrival: float = 0.0
    # Id of the published run whose step time it really has. Default: planned_as.
    runs_as: str = ""
    # Incidents at parts of its planned duration.
    incidents: tuple = ()
    # After a final failure, this much later a second run of the same plan goes on from the checkpoint.
    retry_after_days: float = 0.0


JOBS = (
    Job("gpt3-175b", "dgxc2502-gpt3-175b-fp8-128", 6.0),
    Job("gpt3-5b", "dgxc2411-pax-5b-bf16-16", 3.2),
    # A node fails; the job is back 18 s later, from its checkpoint.
    Job("llama2-70b-lora", "mlperf41-lora-h100-64", 4.5, incidents=(Failure(0.2, 18.0),)),
    # Planned in bf16; whoever launched it had turned fp8 on.
    Job("llama3-8b-in-fp8", "dgxc2502-lora-8b-bf16-8", 3.4, runs_as="dgxc2502-lora-8b-fp8-8"),
    Job("gpt-3.6b-slow-node", "narayanan-3.6b", 4.0, incidents=(SlowNode(0.12, 1.5),)),
    Job("gpt-22b", "korthikanti-22b-selective", 5.0),
    # Its last report is more than ten minutes old when the demo begins: the planner calls nothing stalled before that.
    Job("vit-b16-hangs", "jax-toolbox-vit-b16-a100", 40.0, arrival=-14.0, incidents=(Hang(0.14),)),
    # Ends in an error; its second run goes on from the checkpoint and carries the same plan out.
    Job("llama2-7b-crashes", "jax-toolbox-maxtext-7b", 2.5, incidents=(Failure(0.4, 0.0, is_final=True),), retry_after_days=0.2),
    # Finds no room before the guests of six nodes leave: a plan that waits for its start.
    Job("gpt3-5b-128-gpus", "dgxc2411-pax-5b-bf16-128", 2.0, arrival=0.1),
    Job("gpt-1.7b", "narayanan-1.7b", 3.5, arrival=1.0),
    Job("llama2-7b", "jax-toolbox-pax-llama-7b-full-2", 2.0, arrival=2.6),
    Job("llama3-8b-sft", "dgxc2502-sft-8b-bf16-32", 2.0, arrival=3.4),
    Job("gpt3-5b-fp8-32-gpus", "dgxc2411-pax-5b-fp8-32", 2.2, arrival=3.6),
    Job("llama2-70b-lora-2", "mlperf41-lora-h100-64", 1.6, arrival=4.9),
)

# Of the week before, which the planner has learned from: they had ended when the demo begins, and are only reported afterwards.
EARLIER_JOBS = (
    Job("last-week-gpt3-5b", "dgxc2411-pax-5b-fp8-16", 2.0, arrival=-6.5),
    Job("last-week-llama2-7b", "jax-toolbox-maxtext-7b", 2.5, arrival=-5.5),
    Job("last-week-llama2-70b-lora", "mlperf41-lora-h100-64", 2.0, arrival=-5.0),
    Job("last-week-gpt-1.7b", "narayanan-1.7b", 3.0, arrival=-6.0),
    Job("last-week-gpt-22b", "korthikanti-22b-full", 2.5, arrival=-4.5),
)


class Trouble(typing.NamedTuple):
    """A node that is not READY between two days of the story."""

    node: str
    state: str
    from_day: float
    until_day: float
    reason: str


FOREVER = 1000.0
TROUBLES = (
    Trouble("h100-47", "DRAINED", -1, FOREVER, "ECC errors, waits for a spare"),
    Trouble("h100-48", "DRAINED", -1, 2.2, "firmware update"),
    Trouble("h100-46", "DOWN", -1, FOREVER, "does not boot"),
)


class Guest(typing.NamedTuple):
    """Cards that are used by jobs which the planner has not placed."""

    pool: str
    nodes: str
    from_day: float
    until_day: float
    # Whether the planner is told when they leave.
    end_is_known: bool
    description: str


GUESTS = (
    Guest("h100", "h100-[40-45]", -1, 1.3, True, "another team's batch job"),
    Guest("a100", "a100-[15-16]", -1, FOREVER, False, "notebooks"),
)


class Maintenance(typing.NamedTuple):
    pool: str
    nodes: str
    from_day: float
    until_day: float
    description: str


MAINTENANCE = (
    Maintenance("h100", "h100-[38-39]", -0.5, 1.0, "cooling"),
    Maintenance("a100", "a100-[11-14]", 5.2, 5.9, "switch is replaced"),
)


def exporters():
    """Addresses of the nodes' dcgm-exporters, as Prometheus names them. A node that does not boot is taken out of the monitoring."""
    dead = {trouble.node for trouble in TROUBLES if trouble.state == "DOWN" and trouble.until_day == FOREVER}
    return [f"{node}:9400" for pool in POOLS for node in pool.node_names if node not in dead]
