"""What the rules of all operators stand on: which layer a value comes from, how its sizes follow the batch."""

import re
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from planner.errors import UnsupportedOperatorError
from planner.graph import GraphInput, Layer, Region, Source
from planner.operators import DATA_MOVEMENT, ELEMENTWISE, PRODUCTS, TORCHVISION
from planner.tracing import Node, Shape, Trace, Value

PERMUTATIONS = {"permute", "transpose", "t", "numpy_T", "movedim", "swapaxes"}
VIEWS = PERMUTATIONS | {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze", "flatten", "unflatten", "expand", "expand_as", "slice",
    "select", "view_as_real", "view_as_complex", "view_as", "unsafe_view",
}


class FixedBatchError(Exception):
    """The graph cannot say how a size follows the batch; it can be written for one batch only."""


class LoweringBase:
    """The state of turning one trace into layers. `other` is a trace of the same run with another batch, or None for a graph of one batch."""

    def __init__(self, trace: Trace, inputs: List[GraphInput], other: Optional[Trace] = None):
        self._trace = trace
        self._graph_inputs = dict(zip(trace.inputs, inputs))
        used = {value for node in trace.nodes for value in node.values()} | set(trace.outputs)
        self.unused = [value for value in trace.parameters if value not in used]
        """Parameters that forward does not read."""
        self._others: Dict[Value, Value] = {}
        self._other_nodes: Dict[Node, Node] = {}
        if other is not None:
            self._pair(trace, other)
        self._sources: Dict[Value, Source] = {}
        self._local: Dict[Tuple[int, Value], Source] = {}
        self._claimed: Set[Value] = set()
        self._tables: Dict[Value, Layer] = {}
        self._region = Region(hint="")
        self._frame = trace.root
        self._node: Optional[Node] = None
        self.uncosted: Dict[str, int] = {}
        """Operators that have no known cost: 1 FLOP an element is assumed of them."""

    def _pair(self, trace: Trace, other: Trace) -> None:
        if len(trace.nodes) != len(other.nodes):
            raise FixedBatchError("the model runs other operators for another batch")
        for value, twin in zip(trace.inputs, other.inputs):
            self._others[value] = twin
        for node, twin in zip(trace.nodes, other.nodes):
            if node.op != twin.op or [len(v.shape) for v in node.outputs] != [len(v.shape) for v in twin.outputs]:
                raise FixedBatchError("the model runs other operators for another batch")
            self._other_nodes[node] = twin
            self._others.update(zip(node.outputs, twin.outputs))

    # Sizes

    def _other_shape(self, value: Value) -> Shape:
        return self._others[value].shape if value in self._others else value.shape

    def _pairs(self, value: Value) -> List[Tuple[int, int]]:
        """The sizes of each dimension, with the batch and with the other one."""
        return list(zip(value.shape, self._other_shape(value)))

    def _fixed(self, value: Value) -> Shape:
        if value.shape != self._other_shape(value):
            raise FixedBatchError(f"a size of {self._where()} follows the batch in a way that no layer can say")
        return value.shape

    def _same_in_both(self, choose: Callable[[Node], Any]) -> Any:
        """What an operator was called with, which must not follow the batch."""
        assert self._node is not None
        chosen = choose(self._node)
        if self._node in self._other_nodes and choose(self._other_nodes[self._node]) != chosen:
            raise FixedBatchError(f"an argument of {self._where()} follows the batch")
        return chosen

    def _where(self) -> str:
        assert self._node is not None
        path = self._node.frame.path
        return f"operator {self._node.op}" + (f" in module \"{path}\"" if path else "")

    # Layers

    def _add(self, kind: str, fields: Dict[str, Any], inputs: Sequence[Source], out: Optional[Value], shape: Shape, *,
             hint: str = "", shared: bool = False) -> Layer:
        layer = Layer(kind=kind, fields=fields, inputs=list(inputs), shape=shape, hint=hint or kind, shared=shared)
        self._region.items.append(layer)
        if out is not None:
            self._sources[out] = layer
        return layer

    def _claim(self, parameter: Value) -> bool:
        """Whether nothing before owns the parameter; it is owned from now on."""
        fresh = parameter not in self._claimed
        self._claimed.add(parameter)
        return fresh

    def _is_fresh(self, value: Optional[Value]) -> bool:
        return value is not None and value.kind == "parameter" and value not in self._claimed

    def _source(self, value: Value) -> Source:
        """The layer that gives a value; parameters, constants and views of parameters become layers where they are read."""
        if value in self._graph_inputs:
            return self._graph_inputs[value]
        if value in self._sources:
            return self._sources[value]
        key = (id(self._region), value)
        if key in self._local:
            return self._local[key]
        if value.kind == "parameter":
            shared = not self._claim(value)
            layer = self._add("parameter", {"shape": list(value.shape) or [1]}, [], None, value.shape,
                              hint=value.name.rpartition(".")[2], shared=shared)
        elif value.kind == "constant":
            layer = self._operation("constant", [], None, value, flops=0)
        else:
            assert value.node is not None
            layer = self._lazy(value)
        self._local[key] = layer
        return layer

    def _lazy(self, value: Value) -> Source:
        before = self._node
        self._node = value.node
        assert value.node is not None
        if value.node.op not in VIEWS:
            raise self._unsupported(value.node, "its output is empty, and is read")
        self._lower_view(value.node)
        self._node = before
        return self._sources.pop(value)

    def _lower_view(self, node: Node) -> None:
        """By the rules of what rearranges."""
        raise NotImplementedError

    def _operation(self, kind: str, inputs: List[Source], out: Optional[Value], like: Value, *, flops: Optional[int] = None,
                   broadcast: Optional[List[Value]] = None) -> Layer:
        """A layer that states its sizes, unless they are those of its inputs `broadcast`."""
        fields: Dict[str, Any] = {"kind": re.sub(r"[^a-z0-9_]", "_", kind.lower()).strip("_")[:64] or "operation"}
        if broadcast is None or not inputs or not self._broadcasts(broadcast, like):
            donor, sizes = self._stated(like, inputs[0] if inputs else None)
            if donor is not None and (not inputs or inputs[0] is not donor):
                inputs = [donor] + inputs
            fields["shape"] = sizes
        if flops is not None:
            fields["flops_per_element"] = flops
        return self._add("operation", fields, inputs, out, like.shape, hint=fields["kind"])

    def _broadcasts(self, values: List[Value], like: Value) -> bool:
        for choose in (lambda value: value.shape, self._other_shape):
            shapes = [choose(value) for value in values]
            rank = max(len(shape) for shape in shapes)
            result = [1] * rank
            for shape in shapes:
                for index, size in enumerate(shape):
                    place = rank - len(shape) + index
                    if size != 1:
                        result[place] = size
            if tuple(result) != choose(like):
                return False
        return True

    def _stated(self, value: Value, first: Optional[Source]) -> Tuple[Optional[Source], List[int]]:
        """Sizes that hold for every batch, and the source that gives those that follow it."""
        pairs = self._pairs(value)
        follows = [index for index, (size, other) in enumerate(pairs) if size != other]
        if any(size < 1 for size, _ in pairs):
            raise UnsupportedOperatorError(self._node.op if self._node else "constant", self._frame.path, "its output is empty")
        if len(pairs) > 8:
            raise UnsupportedOperatorError(self._node.op if self._node else "constant", self._frame.path,
                                           "its output has more than 8 dimensions")
        sizes = [size for size, _ in pairs] or [1]
        if not follows:
            return None, sizes
        candidates: List[Tuple[Source, List[Tuple[int, int]]]] = []
        assert self._node is not None
        for candidate in self._node.values() + self._node.outputs + list(self._graph_inputs):
            source = self._graph_inputs.get(candidate) or self._sources.get(candidate)
            if source is not None:
                candidates.append((source, self._pairs(candidate)))
        candidates.sort(key=lambda candidate: candidate[0] is not first)
        for source, have in candidates:
            if all(index < len(have) and have[index] == pairs[index] for index in follows):
                return source, [0 if index in follows else size for index, size in enumerate(sizes)]
        raise FixedBatchError(f"a size of {self._where()} follows the batch in a way that no layer can say")

    def _unsupported(self, node: Node, why: str) -> UnsupportedOperatorError:
        return UnsupportedOperatorError(node.op, node.frame.path, why)

    # Operators

    def _one(self, kind: str, fields: Dict[str, Any], node: Node) -> Layer:
        """A layer of the operator's first tensor."""
        return self._add(kind, fields, [self._source(node.values()[0])], node.outputs[0], node.outputs[0].shape, hint=kind)

    def _generic(self, node: Node, op: str) -> None:
        """Work without products, or a rearrangement, that has no layer of its own."""
        known = "::" not in op or op in TORCHVISION
        if not known:
            raise self._unsupported(node, "it is not one of torch's own, so what it costs is not known")
        if PRODUCTS.search(op):
            raise self._unsupported(node, "it multiplies matrices, and no layer says how")
        moves = op in DATA_MOVEMENT or node.op in DATA_MOVEMENT
        values = [value for value in node.values() if value.shape or value.kind == "result"]
        inputs = [self._source(value) for value in values]
        for index, output in enumerate(node.outputs):
            self._operation(op.rpartition("::")[2], list(inputs), output, output, flops=0 if moves or index > 0 else None,
                            broadcast=values if len(node.outputs) == 1 else None)
        if not moves and op not in ELEMENTWISE:
            self.uncosted[op] = self.uncosted.get(op, 0) + 1

    # Parameters

    def _parameter_under(self, value: Optional[Value]) -> Optional[Value]:
        """The parameter that a value is, or is a chain of views of."""
        while value is not None:
            if value.kind == "parameter":
                return value
            if value.kind != "result" or value.node is None or value.node.op not in VIEWS or value in self._sources:
                return None
            values = value.node.values()
            value = values[0] if values else None
        return None

    def _whole_parameter(self, value: Optional[Value]) -> Optional[Value]:
        """The parameter, if the value has all its elements."""
        parameter = self._parameter_under(value)
        if parameter is None or value is None or elements_of(parameter.shape) != elements_of(value.shape):
            return None
        return parameter


def bound_arguments(node: Node, names: Sequence[str]) -> List[Any]:
    """The arguments of a Python function by name, None for those that it was not given."""
    given = dict(zip(names, node.args))
    given.update(node.kwargs)
    return [given.get(name) for name in names]


def elements_of(shape: Shape) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def per_dimension(values: Any, dimensions: int) -> List[int]:
    sizes = list(values) if isinstance(values, (list, tuple)) else [values]
    return sizes * dimensions if len(sizes) == 1 else sizes
