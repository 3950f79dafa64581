"""Example inputs, however they are given, as arguments of forward."""

import inspect
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple, Union

import torch

ExampleInputs = Union[torch.Tensor, Sequence[Any], Mapping[str, Any]]

DTYPE_NAMES = {
    torch.float32: "float32",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.float64: "float64",
    torch.int64: "int64",
    torch.int32: "int32",
    torch.int8: "int8",
    torch.uint8: "uint8",
    torch.bool: "bool",
}


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call of forward."""

    args: Tuple[Any, ...]
    kwargs: Dict[str, Any]


def arguments_of(example_inputs: ExampleInputs) -> Arguments:
    """A tensor is the only argument, a tuple or list are the arguments by position, a dictionary those by name."""
    if isinstance(example_inputs, torch.Tensor):
        return Arguments((example_inputs,), {})
    if isinstance(example_inputs, Mapping):
        if not all(isinstance(name, str) for name in example_inputs):
            raise TypeError("a dictionary of example inputs has forward's argument names as keys")
        return Arguments((), dict(example_inputs))
    if isinstance(example_inputs, (tuple, list)):
        return Arguments(tuple(example_inputs), {})
    raise TypeError(
        "example_inputs must be a tensor, a tuple or list of forward's arguments, or a dictionary of them by name, not "
        + type(example_inputs).__name__
    )


def parameter_names(model: torch.nn.Module) -> List[str]:
    """The names of forward's positional arguments, without self; empty if they cannot be known."""
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, parameter in signature.parameters.items() if parameter.kind in positional]


def by_position(model: torch.nn.Module, arguments: Arguments) -> Tuple[Any, ...]:
    """All arguments by position, those that were given by name put where forward has them, with forward's defaults between."""
    if not arguments.kwargs:
        return arguments.args
    signature = inspect.signature(model.forward)
    bound = signature.bind(*arguments.args, **arguments.kwargs)
    names = list(bound.arguments)
    last = max((list(signature.parameters).index(name) for name in names), default=-1)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(f"forward takes {', '.join(bound.kwargs)} by keyword only")
    return bound.args[: last + 1]


def named_tensors(model: torch.nn.Module, arguments: Arguments) -> Iterator[Tuple[str, torch.Tensor]]:
    """Every tensor of the arguments, in order, with a name: that of its argument, with a key or a position behind it where the
    argument is a container ("batch_image", "states_0")."""
    names = parameter_names(model)
    for position, value in enumerate(arguments.args):
        name = names[position] if position < len(names) else f"input{position}"
        yield from _named(name, value)
    order = {name: position for position, name in enumerate(names)}
    for name, value in sorted(arguments.kwargs.items(), key=lambda item: order.get(item[0], len(order))):
        yield from _named(name, value)


def _named(name: str, value: Any) -> Iterator[Tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _named(f"{name}_{key}", inner)
    elif isinstance(value, (tuple, list)):
        for position, inner in enumerate(value):
            yield from _named(f"{name}_{position}", inner)


def input_text(tensor: torch.Tensor) -> str:
    """How plannerctl's --input writes it: "1x3x224x224", "8x128:int64"; float32 is the default and left out. A tensor without
    dimensions is "1"."""
    shape = "x".join(str(size) for size in tensor.shape) or "1"
    name = DTYPE_NAMES.get(tensor.dtype)
    if name is None:
        raise TypeError(f"an input cannot have elements of type {tensor.dtype}")
    return shape if name == "float32" else f"{shape}:{name}"
