"""Lines that trainers print: Megatron-LM (and its relatives) and torchtitan."""

import math
import re
import time as clocks
from dataclasses import dataclass
from typing import Callable, Dict, Optional

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@dataclass(frozen=True)
class Progress:
    """What a line says of a step."""

    step: int
    # Of the whole training; 0: the line does not say.
    step_count: int = 0
    # Seconds since 1970, where the line has a time. Trainers write that of their own zone.
    time: Optional[float] = None
    seconds_per_step: Optional[float] = None
    loss: Optional[float] = None
    samples: Optional[float] = None
    tokens: Optional[float] = None
    tokens_per_second_per_gpu: Optional[float] = None


@dataclass(frozen=True)
class LogFormat:
    # None: the line is not about progress.
    parse: Callable[[str], Optional[Progress]]
    # The training has done all it was to do.
    is_end: Callable[[str], bool]
    # Steps between two lines, unless somebody says otherwise.
    usual_interval: int


def _number(text: Optional[str]) -> Optional[float]:
    if text is None:
        return None
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _local_time(stamp: str, fraction: str) -> Optional[float]:
    try:
        return clocks.mktime(clocks.strptime(stamp, "%Y-%m-%d %H:%M:%S")) + float(f"0.{fraction or 0}")
    except (ValueError, OverflowError):
        return None


#  [2026-01-09 10:00:00] iteration      100/    5000 | consumed samples:        25600 | elapsed time per iteration (ms): 1234.5 | … |
# Without the time in older ones; with launchers' marks before it, "[default7]:"; with "1234.5/1240.0" (a mean beside) in some; in seconds, "elapsed
# time per iteration (s): 105.2", in Megatron-DeepSpeed as BLOOM was trained with it; "lm loss 7.0E+00", without a colon, in the oldest.
_MEGATRON = re.compile(rf"(?:\[({_STAMP})(?:\.(\d+))?\]\s*)?iteration\s+(\d+)\s*/\s*(\d+)\s*\|(.*)")


def _seconds(fields: Dict[str, str], unit: str, seconds: float) -> Optional[float]:
    elapsed = _number(fields.get(f"elapsed time per iteration {unit}", "").partition("/")[0])
    return None if elapsed is None else elapsed * seconds


def parse_megatron(line: str) -> Optional[Progress]:
    match = _MEGATRON.search(line)
    if match is None:
        return None
    fields: Dict[str, str] = {}
    for part in match[5].split("|"):
        name, colon, value = part.partition(":")
        if not colon:
            name, _, value = part.strip().rpartition(" ")
        fields[name.strip()] = value.strip()
    seconds = _seconds(fields, "(ms)", 0.001)
    if seconds is None:
        seconds = _seconds(fields, "(s)", 1.0)
    if seconds is None:
        return None
    # "lm loss" of language models; other models have names of their own. "loss scale" is none.
    losses = [value for name, value in fields.items() if name.endswith("loss")]
    return Progress(step=int(match[3]), step_count=int(match[4]), time=_local_time(match[1], match[2]) if match[1] else None,
                    seconds_per_step=seconds, loss=_number(fields.get("lm loss", losses[0] if losses else None)),
                    samples=_number(fields.get("consumed samples")), tokens=_number(fields.get("consumed tokens")))


# [titan] 2026-01-09 10:00:00,123 - root - INFO - step: 10  loss:  7.6258  grad_norm: 26.6250  memory: 66.91GiB(37.51%)  tps: 10,050  …
# In colours, unless they are turned off. "validate step:" is of another kind. Until 2025 without "[titan]"; until the end of 2024 with "wps:", words.
_TORCHTITAN = re.compile(r"(?<!validate )\bstep:\s*(\d+)\s+loss:\s*(\S+)(.*)")
_TORCHTITAN_TIME = re.compile(rf"({_STAMP}),(\d+) - ")
_TPS = re.compile(r"\b[tw]ps:\s*([\d,]+)")


def parse_torchtitan(line: str) -> Optional[Progress]:
    plain = _COLOURS.sub("", line)
    match = _TORCHTITAN.search(plain)
    if match is None:
        return None
    stamp, rate = _TORCHTITAN_TIME.search(plain), _TPS.search(match[3])
    return Progress(step=int(match[1]), time=_local_time(stamp[1], stamp[2]) if stamp else None, loss=_number(match[2]),
                    tokens_per_second_per_gpu=_number(rate[1]) if rate else None)


FORMATS: Dict[str, LogFormat] = {
    "megatron": LogFormat(parse_megatron, lambda line: "[after training is done]" in line, 100),
    "torchtitan": LogFormat(parse_torchtitan, lambda line: "Training completed" in line, 10),
}
