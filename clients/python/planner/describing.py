"""Layer graphs of models, from one run without weights or data."""

import os
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple, Union

import torch

from planner.errors import DescribeError
from planner.example_inputs import DTYPE_NAMES, Arguments, ExampleInputs, arguments_of, named_tensors
from planner.graph import GraphInput, GraphWriter, Region, Source
from planner.lowering import FixedBatchError, Lowering
from planner.tracing import Shape, Trace, Tracer
from planner.writing import format_of, write


@dataclass(frozen=True)
class Description:
    """A model described layer by layer."""

    graph: Dict[str, Any]
    """The JSON mapping of planner.v1.LayerGraph, with the proto's field names."""
    parameter_count: int
    """Elements of the model's parameters, each counted once."""
    path: Optional[str] = None
    """The file that was written, if one was."""
    warnings: Tuple[str, ...] = field(default=())
    """What the graph leaves out or fixes."""

    def text(self, text_format: str = "json") -> str:
        """As "json", "yaml" or "textproto"."""
        return write(self.graph, text_format)


def describe(
    model: torch.nn.Module,
    example_inputs: ExampleInputs,
    path: Optional[Union[str, "os.PathLike[str]"]] = None,
    *,
    batch_dimension: int = 0,
) -> Description:
    """Describes what the model does on the example inputs, in its train or eval state, without computing anything: shapes are those
    of a run on the meta device, so neither weights nor data need exist (`meta()` builds a model without any).

    path: written as its ending says (.json, .yaml, .textproto). batch_dimension: of every example input, the dimension that a
    request's batch size replaces; -1: none. Where the model does not work the same way for another batch, the graph is fixed to the
    examples' with a warning.

    Raises DescribeError with the module's path if the model cannot run without data, and UnsupportedOperatorError for an operator
    whose work a graph cannot express.
    """
    target = os.fspath(path) if path is not None else None
    if target is not None:
        format_of(target)
    arguments = arguments_of(example_inputs)
    inputs = _unique(list(named_tensors(model, arguments)))
    if not inputs:
        raise DescribeError("the example inputs hold no tensor")
    warnings: List[str] = []
    parameters = dict(model.named_parameters())
    shapes = [tuple(tensor.shape) for _, tensor in inputs]
    trace = _trace(model, arguments, inputs, shapes)
    graph_inputs = [
        GraphInput(name=name, shape=shape or (1,), dtype=_dtype_name(tensor), batch_dimension=_batch_dimension(shape, batch_dimension))
        for (name, tensor), shape in zip(inputs, shapes)
    ]
    lowering, root, outputs = _lower(model, arguments, inputs, shapes, trace, graph_inputs, warnings)
    unused = lowering.unused
    if unused:
        names = ", ".join(value.name for value in unused[:5]) + (", ..." if len(unused) > 5 else "")
        warnings.append(f"{len(unused)} parameters are not used by forward; they are counted, without work: {names}")
    for op, calls in sorted(lowering.uncosted.items()):
        warnings.append(f"operator {op} (called {calls} times) has no known cost; 1 FLOP an element is assumed")
    graph = GraphWriter(type(model).__name__, graph_inputs, root, outputs).write()
    description = Description(graph=graph, parameter_count=sum(parameter.numel() for parameter in parameters.values()), path=target,
                              warnings=tuple(warnings))
    if target is not None:
        text = description.text(format_of(target))
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)
    return description


def _unique(inputs: List[Tuple[str, torch.Tensor]]) -> List[Tuple[str, torch.Tensor]]:
    """Each tensor once, under names without dots that differ."""
    seen: Dict[int, str] = {}
    names: Dict[str, int] = {}
    result = []
    for name, tensor in inputs:
        if id(tensor) in seen:
            continue
        seen[id(tensor)] = name
        clean = name.replace(".", "_").lstrip("$") or "input"
        names[clean] = names.get(clean, 0) + 1
        result.append((clean if names[clean] == 1 else f"{clean}_{names[clean]}", tensor))
    return result


def _dtype_name(tensor: torch.Tensor) -> str:
    name = DTYPE_NAMES.get(tensor.dtype)
    if name is None:
        raise DescribeError(f"an input cannot have elements of type {tensor.dtype}")
    return name


def _batch_dimension(shape: Shape, batch_dimension: int) -> int:
    return batch_dimension if 0 <= batch_dimension < len(shape) else -1


def _trace(model: torch.nn.Module, arguments: Arguments, inputs: List[Tuple[str, torch.Tensor]], shapes: List[Shape]) -> Trace:
    named = [(name, tensor, shape) for (name, tensor), shape in zip(inputs, shapes)]
    return Tracer(model).run(arguments.args, arguments.kwargs, named)


def _lower(model: torch.nn.Module, arguments: Arguments, inputs: List[Tuple[str, torch.Tensor]], shapes: List[Shape], trace: Trace,
           graph_inputs: List[GraphInput], warnings: List[str]) -> Tuple[Lowering, Region, List[Source]]:
    """For every batch if that is possible, for the examples' if not."""
    if any(each.batch_dimension >= 0 for each in graph_inputs):
        try:
            return _lower_for_every_batch(model, arguments, inputs, shapes, trace, graph_inputs)
        except DescribeError as error:
            # The run with the examples' own batch went well: what fails is one with another.
            warnings.append(f"the graph is for the example inputs' batch only; with another, {error}")
        except FixedBatchError as error:
            warnings.append(f"the graph is for the example inputs' batch only: {error}")
    for each in graph_inputs:
        each.batch_dimension = -1
    lowering = Lowering(trace, graph_inputs)
    root, outputs = lowering.run()
    return lowering, root, outputs


def _lower_for_every_batch(model: torch.nn.Module, arguments: Arguments, inputs: List[Tuple[str, torch.Tensor]], shapes: List[Shape],
                           trace: Trace, graph_inputs: List[GraphInput]) -> Tuple[Lowering, Region, List[Source]]:
    batches = {shape[each.batch_dimension] for shape, each in zip(shapes, graph_inputs) if each.batch_dimension >= 0}
    if len(batches) > 1:
        raise FixedBatchError(f"the example inputs have different sizes in their batch dimension: {sorted(batches)}")

    def trace_with(more: int) -> Trace:
        larger = [
            tuple(size + more if index == each.batch_dimension else size for index, size in enumerate(shape))
            for shape, each in zip(shapes, graph_inputs)
        ]
        return _trace(model, arguments, inputs, larger)

    one_more = trace_with(1)
    try:
        lowering = Lowering(trace, graph_inputs, one_more)
        root, outputs = lowering.run()
    except FixedBatchError:
        # torch leaves out what a batch of one does not need (copies, expansions): two larger ones tell what all the others do.
        lowering = Lowering(one_more, graph_inputs, trace_with(2))
        root, outputs = lowering.run()
    return lowering, root, outputs
