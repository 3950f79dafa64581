"""Layer graphs as text: the three spellings that plannerctl reads."""

import json
import re
from typing import Any, Dict, List

FORMATS = ("json", "yaml", "textproto")

_ENUM_FIELDS = {"kind", "cell", "mode", "norm", "activation", "norm_position"}


def write(graph: Dict[str, Any], text_format: str) -> str:
    """The graph, the JSON mapping of planner.v1.LayerGraph with the proto's field names, as "json", "yaml" or "textproto"."""
    if text_format == "json":
        return json.dumps(graph, indent=1) + "\n"
    if text_format == "yaml":
        return "\n".join(_yaml(graph, 0)) + "\n"
    if text_format == "textproto":
        return "\n".join(_textproto(graph, 0, "")) + "\n"
    raise ValueError(f"a layer graph is written as {', '.join(FORMATS)}: format={text_format}")


def format_of(path: str) -> str:
    """By the path's ending."""
    for ending, text_format in ((".json", "json"), (".yaml", "yaml"), (".yml", "yaml"), (".textproto", "textproto")):
        if path.endswith(ending):
            return text_format
    raise ValueError(f"a layer graph's file ends with .json, .yaml, .yml or .textproto: path={path}")


def _yaml(mapping: Dict[str, Any], indent: int) -> List[str]:
    lines = []
    pad = "  " * indent
    for key, value in mapping.items():
        if isinstance(value, dict) and value:
            lines.append(f"{pad}{key}:")
            lines += _yaml(value, indent + 1)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{pad}{key}:")
            for item in value:
                inner = _yaml(item, indent + 2)
                lines.append(f"{pad}  - {inner[0].lstrip()}")
                lines += inner[1:]
        else:
            # JSON's spelling of scalars, short lists and {} is YAML's as well.
            lines.append(f"{pad}{key}: {json.dumps(value)}")
    return lines


def _textproto(mapping: Dict[str, Any], indent: int, parent: str) -> List[str]:
    lines = []
    pad = "  " * indent
    for key, value in mapping.items():
        if isinstance(value, dict):
            inner = _textproto(value, indent + 1, key)
            lines += [f"{pad}{key} {{", *inner, f"{pad}}}"] if inner else [f"{pad}{key} {{}}"]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for item in value:
                lines += [f"{pad}{key} {{", *_textproto(item, indent + 1, key), f"{pad}}}"]
        elif isinstance(value, list):
            lines.append(f"{pad}{key}: [{', '.join(_scalar(key, item, parent) for item in value)}]")
        else:
            lines.append(f"{pad}{key}: {_scalar(key, value, parent)}")
    return lines


def _scalar(key: str, value: Any, parent: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # Only an operation's kind is a string; all other kinds are names of enums.
        if key in _ENUM_FIELDS and parent != "operation" and re.fullmatch(r"[A-Z][A-Z0-9_]*", value):
            return value
        return json.dumps(value)
    return str(value)
