"""Host lists, as Slurm and the planner write them: "h100-[01-03,07],a100-01"."""
import re

_PART = re.compile(r"([^,\[\]]*)(?:\[([^\]]*)\])?([^,\[\]]*)(?:,|$)")


def expand(text):
    """The names of a host list, in its order."""
    names = []
    for prefix, ranges, suffix in _PART.findall(text):
        if not (prefix or ranges or suffix):
            continue
        if not ranges:
            names.append(prefix + suffix)
            continue
        for part in ranges.split(","):
            first, _, last = part.partition("-")
            names += [f"{prefix}{number:0{len(first)}}{suffix}" for number in range(int(first), int(last or first) + 1)]
    return names
