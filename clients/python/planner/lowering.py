"""Operators of a trace, as layers of planner.v1.LayerGraph.

A graph holds for every batch if it was traced with two: sizes that differ between them are those that follow the batch.
"""

import re
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from torch import nn

from planner.errors import DescribeError, UnsupportedOperatorError
from planner.graph import GraphInput, Layer, Region, Source
from planner.operators import (
    ACTIVATIONS,
    DATA_MOVEMENT,
    PRODUCTS,
    REDUCTIONS,
    SHAPE_ONLY,
    TORCHVISION,
    ELEMENTWISE,
)
from planner.tracing import Frame, Node, Shape, Trace, Value


class FixedBatchError(Exception):
    """The graph cannot say how a size follows the batch; it can be written for one batch only."""


class Lowering:
    """Turns one trace into layers. `other` is a trace of the same run with another batch, or None for a graph of one batch."""

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

    def run(self) -> Tuple[Region, List[Source]]:
        """The model's layers, and the sources of its outputs."""
        root = self._region
        for parameter in self.unused:
            self._claim(parameter)
            self._add("parameter", {"shape": list(parameter.shape) or [1]}, [], None, parameter.shape, hint=parameter.name)
        self._lower_frame(self._trace.root, root)
        self._region = root
        return root, [self._source(output) for output in self._trace.outputs if output.kind == "result"]

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

    def _lower_frame(self, frame: Frame, region: Region) -> None:
        for item in frame.items:
            self._region = region
            if isinstance(item, Frame):
                inner = Region(hint=item.name)
                region.items.append(inner)
                self._lower_frame(item, inner)
            else:
                self._node = item
                self._lower(item)
        self._region = region

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
        if value.node.op not in _VIEWS:
            raise self._unsupported(value.node, "its output is empty, and is read")
        self._lower_view(value.node)
        self._node = before
        return self._sources.pop(value)

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

    def _lower(self, node: Node) -> None:
        self._frame = node.frame
        op = node.op
        in_place = op[:-1] if op.endswith("_") and not op.endswith("__") else op
        if not node.outputs or op in SHAPE_ONLY:
            return
        if 0 in node.outputs[0].shape:
            return  # Room that torch keeps for something: an error only where it is read.
        if in_place in _VIEWS:
            if self._parameter_under(node.outputs[0]) is None:  # Views of parameters wait for who reads them.
                self._lower_view(node)
            return
        rule = _RULES.get(in_place)
        if rule is not None:
            rule(self, node)
            return
        if in_place in ACTIVATIONS:
            self._one("activation", {"kind": ACTIVATIONS[in_place]}, node)
        elif in_place in REDUCTIONS:
            self._reduce(node, REDUCTIONS[in_place])
        else:
            self._generic(node, in_place)

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

    # Products

    def _parameter_under(self, value: Optional[Value]) -> Optional[Value]:
        """The parameter that a value is, or is a chain of views of."""
        while value is not None:
            if value.kind == "parameter":
                return value
            if value.kind != "result" or value.node is None or value.node.op not in _VIEWS or value in self._sources:
                return None
            values = value.node.values()
            value = values[0] if values else None
        return None

    def _whole_parameter(self, value: Optional[Value]) -> Optional[Value]:
        """The parameter, if the value has all its elements."""
        parameter = self._parameter_under(value)
        if parameter is None or value is None or _elements(parameter.shape) != _elements(value.shape):
            return None
        return parameter

    def _linear(self, x: Value, weight: Value, bias: Optional[Value], out: Value, *, transposed: bool) -> None:
        """x times the weight, [out, in] if transposed, plus the bias."""
        parameter = self._whole_parameter(weight) if len(weight.shape) == 2 else None
        if parameter is None or len(parameter.shape) != 2:
            self._matmul(x, weight, out if bias is None else None, out, transposed=transposed)
            if bias is not None:
                self._add_bias(self._last_layer(), bias, out)
            return
        inner, outer = (weight.shape[1], weight.shape[0]) if transposed else weight.shape
        fields: Dict[str, Any] = {"in_features": inner, "out_features": outer}
        fresh = self._claim(parameter)
        table = None if fresh else self._tables.get(parameter)
        owns_bias = self._is_fresh(bias) and (fresh or table is not None) and bias is not None and len(bias.shape) == 1
        fields["bias"] = owns_bias
        if owns_bias and bias is not None:
            self._claim(bias)
        hint = parameter.name.rpartition(".")[0].rpartition(".")[2] or "linear"
        layer = self._add("linear", fields, [self._source(x)], out, out.shape, hint=hint, shared=not fresh and table is None)
        layer.tied_to = table
        if bias is not None and not owns_bias:
            self._add_bias(layer, bias, out)

    def _last_layer(self) -> Layer:
        layer = self._region.items[-1]
        assert isinstance(layer, Layer)
        return layer

    def _add_bias(self, layer: Layer, bias: Value, out: Value) -> None:
        self._add("add", {}, [layer, self._source(bias)], out, out.shape, hint="bias")

    def _matmul(self, a: Value, b: Value, out: Optional[Value], like: Value, *, transposed: bool = False) -> None:
        fields: Dict[str, Any] = {"transpose_second": True} if transposed else {}
        self._add("matmul", fields, [self._source(a), self._source(b)], out, like.shape)

    def _product(self, node: Node, a: Value, b: Value, out: Optional[Value] = None) -> None:
        """Of two matrices, or batches of them."""
        out = out or node.outputs[0]
        if len(b.shape) == 2 and self._whole_parameter(b) is not None:
            # As a linear layer, whose weight may be seen through transpositions.
            self._linear(a, b, None, out, transposed=False)
        else:
            self._matmul(a, b, out, out)

    def _rule_linear(self, node: Node) -> None:
        x, weight, bias = _bound(node, ("input", "weight", "bias"))
        self._linear(x, weight, bias, node.outputs[0], transposed=True)

    def _rule_mm(self, node: Node) -> None:
        a, b = node.values()[:2]
        self._product(node, a, b)

    def _rule_addmm(self, node: Node) -> None:
        added, a, b = node.values()[:3]
        out = node.outputs[0]
        if len(b.shape) == 2 and self._whole_parameter(b) is not None:
            self._linear(a, b, added, out, transposed=False)
            return
        if node.op.startswith("addbmm"):
            raise self._unsupported(node, "sums of batches of products have no layer")
        self._matmul(a, b, None, out)
        self._add("add", {}, [self._last_layer(), self._source(added)], out, out.shape)

    def _rule_vector(self, node: Node) -> None:
        """mv and dot: products with vectors, as matrices of one row or column."""
        values = node.values()
        added = values[0] if node.op.startswith("addmv") else None
        a, b = values[-2:]
        for value in (a, b):
            self._fixed(value)
        rows = a.shape[0] if len(a.shape) == 2 else 1
        inner = b.shape[0]
        left = self._source(a)
        if len(a.shape) == 1:
            left = self._add("reshape", {"shape": [1, inner]}, [left], None, (1, inner))
        right = self._add("reshape", {"shape": [inner, 1]}, [self._source(b)], None, (inner, 1))
        product = self._add("matmul", {}, [left, right], None, (rows, 1))
        out = node.outputs[0]
        flat = self._add("reshape", {"shape": [rows]}, [product], out, (rows,))
        if added is not None:
            self._add("add", {}, [flat, self._source(added)], out, out.shape)

    def _rule_attention(self, node: Node) -> None:
        """Both products of scaled dot-product attention and the softmax between them."""
        query, key, value = node.values()[:3]
        out = node.outputs[0]
        if len(query.shape) != len(key.shape) or query.shape[:-2] != key.shape[:-2]:
            raise self._unsupported(node, "its keys have fewer heads than its queries: repeat them before")
        scores = query.shape[:-1] + (key.shape[-2],)
        product = self._add("matmul", {"transpose_second": True}, [self._source(query), self._source(key)], None, scores,
                            hint="scores")
        softmax = self._add("softmax", {}, [product], None, scores)
        self._add("matmul", {}, [softmax, self._source(value)], out, out.shape, hint="values")

    def _rule_convolution(self, node: Node) -> None:
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = node.args[:9]
        out = node.outputs[0]
        if len(x.shape) < 3:
            raise self._unsupported(node, "its input has no spatial dimensions")
        parameter = self._whole_parameter(weight)
        dimensions = len(weight.shape) - 2
        channels = weight.shape[1] * groups if transposed else weight.shape[0]
        fields: Dict[str, Any] = {
            "in_channels": x.shape[1],
            "out_channels": channels,
            "kernel": list(weight.shape[2:]),
            "stride": _per_dimension(stride, dimensions),
            "padding": _per_dimension(padding, dimensions),
            "dilation": _per_dimension(dilation, dimensions),
        }
        if transposed:
            fields["output_padding"] = _per_dimension(output_padding, dimensions)
        for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1), ("output_padding", 0)):
            if name in fields and all(value == usual for value in fields[name]):
                del fields[name]
        if groups != 1:
            fields["groups"] = groups
        if parameter is None:
            self._source(weight)  # A weight that is computed: what it is computed from has its own layers.
        fresh = parameter is not None and self._claim(parameter)
        owns_bias = fresh and self._is_fresh(bias)
        if owns_bias:
            self._claim(bias)
        fields["bias"] = owns_bias
        name = parameter.name.rpartition(".")[0].rpartition(".")[2] if parameter is not None else ""
        kind = "conv_transpose" if transposed else "conv"
        layer = self._add(kind, fields, [self._source(x)], out, out.shape, hint=name or kind, shared=not fresh)
        if bias is not None and not owns_bias:
            column = [channels] + [1] * dimensions
            shaped = self._add("reshape", {"shape": column}, [self._source(bias)], None, tuple(column))
            self._add("add", {}, [layer, shaped], out, out.shape, hint="bias")

    def _rule_recurrent(self, node: Node) -> None:
        data, module, parameters = node.args
        fresh = [parameter not in self._claimed for parameter in parameters]
        if any(fresh) and not all(fresh):
            raise DescribeError(f"module \"{node.frame.path}\" shares some of its parameters and not others", node.frame.path)
        self._claimed.update(parameters)
        cell = isinstance(module, nn.RNNCellBase)
        name = type(module).__name__
        kinds = [kind for kind in ("LSTM", "GRU", "RNN") if any(kind in base.__name__ for base in type(module).__mro__)]
        fields: Dict[str, Any] = {"cell": kinds[0], "input_size": module.input_size, "hidden_size": module.hidden_size,
                                  "bias": bool(module.bias)}
        if not cell:
            fields["layers"] = module.num_layers
            if module.bidirectional:
                fields["bidirectional"] = True
            if module.proj_size:
                fields["projection"] = module.proj_size
            if not module.batch_first:
                fields["batch_first"] = False
        source = self._source(data)
        first = node.outputs[0]
        unbatched = not cell and len(data.shape) == 2 or cell and len(data.shape) == 1
        if unbatched:
            fields.pop("batch_first", None)
            source = self._add("reshape", {"shape": [1] + list(self._fixed(data))}, [source], None, (1,) + data.shape)
        layer = self._add("recurrent", fields, [source], first, first.shape, hint=name.lower(), shared=not all(fresh))
        if unbatched:
            self._add("reshape", {"shape": list(first.shape)}, [layer], first, first.shape)
        if not cell and not unbatched:
            self._last_states(layer, module, node)
        else:
            for state in node.outputs[1:]:
                self._operation("last_state", [self._sources[first]], state, state, flops=0)

    def _last_states(self, layer: Layer, module: nn.RNNBase, node: Node) -> None:
        """The states that a recurrent module ends with, [layers x directions, batch, width], by their sizes: those of the last step,
        once for every layer. They are only moved, never computed again."""
        out, hidden = node.outputs[:2]
        time, batch = (1, 0) if module.batch_first else (0, 1)
        steps = self._pairs(out)[time]
        if steps[0] != steps[1]:
            raise FixedBatchError(f"the steps of {self._where()} follow the batch")
        directions = 2 if module.bidirectional else 1
        width = hidden.shape[2]
        last: Source = layer
        if steps[0] > 1:
            last = self._add("slice", {"dimension": time, "start": steps[0] - 1, "end": 0}, [last], None, ())
        sizes = [1, 1, directions, width]
        sizes[batch] = 0 if self._pairs(out)[batch][0] != self._pairs(out)[batch][1] else out.shape[batch]
        last = self._add("reshape", {"shape": sizes}, [last], None, ())
        last = self._add("permute", {"dimensions": [time, 2, batch, 3]}, [last], None, ())
        last = self._add("reshape", {"shape": [directions, -1, width]}, [last], None, ())
        if module.num_layers > 1:
            last = self._add("concat", {"dimension": 0}, [last] * module.num_layers, None, ())
        self._sources[hidden] = last
        for state in node.outputs[2:]:  # An LSTM's cell, which a projection makes wider than its output.
            if state.shape == hidden.shape:
                self._sources[state] = last
            else:
                self._operation("last_state", [last], state, state, flops=0)

    # Norms

    def _norm(self, kind: str, x: Value, weight: Optional[Value], bias: Optional[Value], out: Value, extra: Dict[str, Any]) -> None:
        fields: Dict[str, Any] = {"kind": kind, **extra}
        own_weight = self._is_fresh(weight)
        own_bias = own_weight and self._is_fresh(bias)
        for owned, value in ((own_weight, weight), (own_bias, bias)):
            if owned and value is not None:
                self._claim(value)
        both_shared = all(value is not None and value.kind == "parameter" and value in self._claimed and not owned
                          for owned, value in ((own_weight, weight), (own_bias, bias)))
        fields["affine"] = own_weight or both_shared
        fields["bias"] = own_bias or both_shared
        layer = self._add("norm", fields, [self._source(x)], out, out.shape, shared=both_shared)
        if both_shared:
            return
        last: Layer = layer
        for owned, value, how in ((own_weight, weight, "multiply"), (own_bias, bias, "add")):
            if value is None or owned:
                continue
            factor = self._source(value)
            if kind != "LAYER_NORM":
                column = [value.shape[0]] + [1] * (len(x.shape) - 2)
                factor = self._add("reshape", {"shape": column}, [factor], None, tuple(column))
            last = self._add(how, {}, [last, factor], out, out.shape)

    def _rule_batch_norm(self, node: Node) -> None:
        x, weight, bias = node.args[:3]
        self._norm("BATCH_NORM", x, weight, bias, node.outputs[0], {})

    def _rule_layer_norm(self, node: Node) -> None:
        x, shape, weight, bias = node.args[:4]
        extra = {} if len(shape) == 1 else {"normalized_dimensions": len(shape)}
        self._norm("LAYER_NORM", x, weight, bias, node.outputs[0], extra)

    def _rule_group_norm(self, node: Node) -> None:
        x, weight, bias = node.args[:3]
        self._norm("GROUP_NORM", x, weight, bias, node.outputs[0], {"groups": node.args[6]})

    def _rule_instance_norm(self, node: Node) -> None:
        x, _, _, weight, bias = _bound(node, ("input", "running_mean", "running_var", "weight", "bias"))
        self._norm("INSTANCE_NORM", x, weight, bias, node.outputs[0], {})

    # Element by element

    def _rule_add(self, node: Node) -> None:
        self._binary(node, "add", "add")

    def _rule_mul(self, node: Node) -> None:
        self._binary(node, "multiply", "scale")

    def _binary(self, node: Node, kind: str, scalar: str) -> None:
        values = [value for value in node.values() if value.shape]
        out = node.outputs[0]
        if len(values) == 2 and self._broadcasts(values, out):
            self._add(kind, {}, [self._source(value) for value in values], out, out.shape)
        elif values:
            self._operation(scalar, [self._source(value) for value in values], out, out, broadcast=values)
        else:
            self._operation(scalar, [self._source(value) for value in node.values()], out, out)

    def _rule_hardtanh(self, node: Node) -> None:
        low, high = (list(node.args[1:3]) + [-1, 1][len(node.args) - 1:])[:2] if len(node.args) < 3 else node.args[1:3]
        if (low, high) == (0, 6):
            self._one("activation", {"kind": "RELU6"}, node)
        else:
            self._generic(node, "hardtanh")

    def _rule_gelu(self, node: Node) -> None:
        approximate = node.kwargs.get("approximate", "none")
        self._one("activation", {"kind": "GELU_TANH" if approximate == "tanh" else "GELU"}, node)

    def _rule_glu(self, node: Node) -> None:
        dimension = node.args[1] if len(node.args) > 1 else -1
        self._one("activation", {"kind": "GLU", "dimension": dimension}, node)

    def _rule_prelu(self, node: Node) -> None:
        x, weight = node.values()[:2]
        parameter = self._whole_parameter(weight)
        if parameter is None:
            self._generic(node, "prelu")
            return
        shared = not self._claim(parameter)
        out = node.outputs[0]
        self._add("activation", {"kind": "PRELU", "prelu_parameters": _elements(parameter.shape)}, [self._source(x)], out, out.shape,
                  shared=shared)

    def _rule_softmax(self, node: Node) -> None:
        dimension = self._same_in_both(lambda each: each.args[1] if len(each.args) > 1 else each.kwargs["dim"])
        self._one("softmax", {} if dimension in (-1, len(node.outputs[0].shape) - 1) else {"dimension": dimension}, node)

    def _rule_dropout(self, node: Node) -> None:
        self._one("dropout", {}, node)

    def _reduce(self, node: Node, kind: str) -> None:
        x = node.values()[0]
        out = node.outputs[0]
        rest = [arg for arg in node.args[1:] if not isinstance(arg, Value)]
        dimensions = rest[0] if rest and isinstance(rest[0], (list, tuple)) else [rest[0]] if rest and type(rest[0]) is int else None
        if "dim" in node.kwargs:
            given = node.kwargs["dim"]
            dimensions = list(given) if isinstance(given, (list, tuple)) else [given]
        if not x.shape:
            self._sources[out] = self._source(x)
            return
        fields: Dict[str, Any] = {"kind": kind, "dimensions": list(dimensions) if dimensions else list(range(len(x.shape)))}
        if out.shape and len(out.shape) == len(x.shape):
            fields["keep_dimensions"] = True
        layer = self._one("reduce", fields, node)
        for index in node.outputs[1:]:  # Where a maximum was found.
            self._operation("indices", [layer], index, index, flops=0)

    # Windows

    def _rule_pool(self, node: Node) -> None:
        x = node.values()[0]
        spatial = int(re.search(r"(\d)d", node.op).group(1))  # type: ignore[union-attr]
        if len(x.shape) != spatial + 2:
            self._generic(node, node.op)
            return
        maximum = node.op.startswith("max")
        names = ("kernel", "stride", "padding", "dilation", "ceil_mode") if maximum else ("kernel", "stride", "padding", "ceil_mode")
        given = dict(zip(names, node.args[1:]))
        fields: Dict[str, Any] = {"kind": "MAX" if maximum else "AVERAGE", "kernel": _per_dimension(given["kernel"], spatial)}
        if given.get("stride"):
            fields["stride"] = _per_dimension(given["stride"], spatial)
        for name, usual in (("padding", 0), ("dilation", 1)):
            sizes = _per_dimension(given.get(name, usual), spatial)
            if any(size != usual for size in sizes):
                fields[name] = sizes
        if given.get("ceil_mode"):
            fields["ceil_mode"] = True
        layer = self._one("pool", fields, node)
        for index in node.outputs[1:]:
            self._operation("indices", [layer], index, index, flops=0)

    def _rule_adaptive_pool(self, node: Node) -> None:
        x, out = node.values()[0], node.outputs[0]
        spatial = int(re.search(r"(\d)d", node.op).group(1))  # type: ignore[union-attr]
        if len(x.shape) != spatial + 2:
            self._generic(node, node.op.strip("_"))
            return
        sizes = [pair[0] for pair in self._pairs(out)[2:]]
        layer = self._one("adaptive_pool", {"kind": "MAX" if "max" in node.op else "AVERAGE", "output_size": sizes}, node)
        for index in node.outputs[1:]:
            self._operation("indices", [layer], index, index, flops=0)

    def _rule_upsample(self, node: Node) -> None:
        out = node.outputs[0]
        modes = (("nearest", "NEAREST"), ("linear", "LINEAR"), ("bicubic", "BICUBIC"))
        mode = next(name for text, name in modes if text in node.op)
        self._one("upsample", {"size": list(out.shape[2:]), "mode": mode}, node)

    def _rule_embedding(self, node: Node) -> None:
        weight, indices = node.args[:2]
        out = node.outputs[0]
        parameter = self._whole_parameter(weight)
        if parameter is None or len(parameter.shape) != 2:
            self._operation("embedding", [self._source(indices), self._source(weight)], out, out, flops=0)
            return
        shared = not self._claim(parameter)
        fields = {"entries": weight.shape[0], "width": weight.shape[1]}
        hint = parameter.name.rpartition(".")[0].rpartition(".")[2] or "embedding"
        layer = self._add("embedding", fields, [self._source(indices)], out, out.shape, hint=hint, shared=shared)
        self._tables.setdefault(parameter, layer)

    # Rearrangements

    def _rule_cat(self, node: Node) -> None:
        out = node.outputs[0]
        parts = [part for part in node.args[0] if _elements(part.shape) > 0]
        dimension = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        if len(parts) == 1:
            self._sources[out] = self._source(parts[0])
        else:
            self._add("concat", {"dimension": dimension}, [self._source(part) for part in parts], out, out.shape)

    def _rule_stack(self, node: Node) -> None:
        out = node.outputs[0]
        dimension = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        dimension %= len(out.shape)
        parts: List[Source] = []
        for part in node.args[0]:
            one = Value(part.shape[:dimension] + (1,) + part.shape[dimension:], "result")
            other = self._other_shape(part)
            self._others[one] = Value(other[:dimension] + (1,) + other[dimension:], "result")
            parts.append(self._add("reshape", {"shape": self._reshape_sizes(part, one)}, [self._source(part)], None, one.shape))
        if len(parts) == 1:
            self._sources[out] = parts[0]
        else:
            self._add("concat", {"dimension": dimension}, parts, out, out.shape)

    def _rule_split(self, node: Node) -> None:
        """split, split_with_sizes, chunk: parts of one dimension."""
        x = node.values()[0]
        dimension = node.args[2] if len(node.args) > 2 else node.kwargs.get("dim", 0)
        dimension %= len(x.shape)
        start = other_start = 0
        for output in node.outputs:
            size, other = self._pairs(output)[dimension]
            self._slice(x, output, dimension, (start, start + size), (other_start, other_start + other))
            start, other_start = start + size, other_start + other

    def _rule_unbind(self, node: Node) -> None:
        dimension = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        for index, output in enumerate(node.outputs):
            self._add("select", {"dimension": dimension, "index": index}, [self._source(node.values()[0])], output, output.shape)

    def _slice(self, x: Value, out: Value, dimension: int, taken: Tuple[int, int], other: Tuple[int, int]) -> None:
        size, other_size = self._pairs(x)[dimension]
        if taken == (0, size) and other == (0, other_size):
            self._sources[out] = self._source(x)
            return
        end = 0 if (taken[1], other[1]) == (size, other_size) else taken[1]
        if taken[0] != other[0] or (end != 0 and taken[1] != other[1]):
            self._operation("slice", [self._source(x)], out, out, flops=0)
            return
        fields = {"dimension": dimension, "start": taken[0], "end": end}
        self._add("slice", fields, [self._source(x)], out, out.shape)

    def _lower_view(self, node: Node) -> None:
        x = node.values()[0]
        out = node.outputs[0]
        if x.shape == out.shape and self._other_shape(x) == self._other_shape(out) and node.op not in _PERMUTATIONS:
            self._sources[out] = self._source(x)
        elif node.op in _PERMUTATIONS:
            order = _order(node, len(x.shape))
            if order == list(range(len(x.shape))):
                self._sources[out] = self._source(x)
            else:
                self._add("permute", {"dimensions": order}, [self._source(x)], out, out.shape)
        elif node.op in ("expand", "expand_as"):
            self._operation("expand", [self._source(x)], out, out, flops=0)
        elif node.op == "slice":
            self._lower_slice(node, x, out)
        elif node.op == "select":
            dimension, index = self._same_in_both(lambda each: (each.args[1], each.args[2]))
            self._add("select", {"dimension": dimension, "index": index}, [self._source(x)], out, out.shape)
        elif _elements(x.shape) != _elements(out.shape):
            self._operation(node.op, [self._source(x)], out, out, flops=0)
        elif not out.shape:
            self._sources[out] = self._source(x)
        else:
            self._add("reshape", {"shape": self._reshape_sizes(x, out)}, [self._source(x)], out, out.shape)

    def _lower_slice(self, node: Node, x: Value, out: Value) -> None:
        def bounds(each: Node) -> Tuple[int, int, int, int]:
            shape = each.values()[0].shape
            given = list(each.args[1:]) + [None] * 4
            dimension = (given[0] or 0) % len(shape)
            size = shape[dimension]
            start, end, step = given[1] or 0, size if given[2] is None else given[2], given[3] or 1
            start = max(start + size, 0) if start < 0 else min(start, size)
            end = max(end + size, 0) if end < 0 else min(end, size)
            return dimension, start, end, step

        dimension, start, end, step = bounds(node)
        twin = self._other_nodes.get(node, node)
        if step != 1:
            self._operation("slice", [self._source(x)], out, out, flops=0)
            return
        self._slice(x, out, dimension, (start, end), bounds(twin)[1:3])

    def _reshape_sizes(self, x: Value, out: Value) -> List[int]:
        """The sizes of a reshape that holds for every batch: 0 where it keeps the input's, one -1 for what remains."""
        before, after = self._pairs(x), self._pairs(out)
        sizes = []
        for index, (size, other) in enumerate(after):
            if size == other:
                sizes.append(size)
            elif index < len(before) and before[index] == (size, other):
                sizes.append(0)
            else:
                sizes.append(-1)
        if sizes.count(-1) > 1:
            raise FixedBatchError(f"a size of {self._where()} follows the batch in a way that no layer can say")
        if len(sizes) > 8:
            raise UnsupportedOperatorError(self._node.op if self._node else "view", self._frame.path, "it makes more than 8 dimensions")
        return sizes


_PERMUTATIONS = {"permute", "transpose", "t", "numpy_T", "movedim", "swapaxes"}
_VIEWS = _PERMUTATIONS | {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze", "flatten", "unflatten", "expand", "expand_as", "slice",
    "select", "view_as_real", "view_as_complex", "view_as", "unsafe_view",
}

_RULES: Dict[str, Callable[[Lowering, Node], None]] = {
    "linear": Lowering._rule_linear,
    "matmul": Lowering._rule_mm,
    "mm": Lowering._rule_mm,
    "bmm": Lowering._rule_mm,
    "addmm": Lowering._rule_addmm,
    "baddbmm": Lowering._rule_addmm,
    "addbmm": Lowering._rule_addmm,
    "mv": Lowering._rule_vector,
    "addmv": Lowering._rule_vector,
    "dot": Lowering._rule_vector,
    "scaled_dot_product_attention": Lowering._rule_attention,
    "convolution": Lowering._rule_convolution,
    "recurrent": Lowering._rule_recurrent,
    "native_batch_norm": Lowering._rule_batch_norm,
    "_native_batch_norm_legit_no_training": Lowering._rule_batch_norm,
    "_native_batch_norm_legit": Lowering._rule_batch_norm,
    "cudnn_batch_norm": Lowering._rule_batch_norm,
    "native_layer_norm": Lowering._rule_layer_norm,
    "native_group_norm": Lowering._rule_group_norm,
    "instance_norm": Lowering._rule_instance_norm,
    "add": Lowering._rule_add,
    "mul": Lowering._rule_mul,
    "hardtanh": Lowering._rule_hardtanh,
    "gelu": Lowering._rule_gelu,
    "glu": Lowering._rule_glu,
    "prelu": Lowering._rule_prelu,
    "_prelu_kernel": Lowering._rule_prelu,
    "_softmax": Lowering._rule_softmax,
    "dropout": Lowering._rule_dropout,
    "native_dropout": Lowering._rule_dropout,
    "max_pool1d": Lowering._rule_pool,
    "max_pool2d": Lowering._rule_pool,
    "max_pool3d": Lowering._rule_pool,
    "max_pool2d_with_indices": Lowering._rule_pool,
    "max_pool3d_with_indices": Lowering._rule_pool,
    "avg_pool2d": Lowering._rule_pool,
    "avg_pool3d": Lowering._rule_pool,
    "_adaptive_avg_pool2d": Lowering._rule_adaptive_pool,
    "_adaptive_avg_pool3d": Lowering._rule_adaptive_pool,
    "adaptive_max_pool2d": Lowering._rule_adaptive_pool,
    "adaptive_max_pool3d": Lowering._rule_adaptive_pool,
    "upsample_nearest1d": Lowering._rule_upsample,
    "upsample_nearest2d": Lowering._rule_upsample,
    "upsample_nearest3d": Lowering._rule_upsample,
    "upsample_linear1d": Lowering._rule_upsample,
    "upsample_bilinear2d": Lowering._rule_upsample,
    "upsample_trilinear3d": Lowering._rule_upsample,
    "upsample_bicubic2d": Lowering._rule_upsample,
    "embedding": Lowering._rule_embedding,
    "cat": Lowering._rule_cat,
    "stack": Lowering._rule_stack,
    "split": Lowering._rule_split,
    "split_with_sizes": Lowering._rule_split,
    "unbind": Lowering._rule_unbind,
}


def _bound(node: Node, names: Sequence[str]) -> List[Any]:
    """The arguments of a Python function by name, None for those that it was not given."""
    given = dict(zip(names, node.args))
    given.update(node.kwargs)
    return [given.get(name) for name in names]


def _elements(shape: Shape) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def _per_dimension(values: Any, dimensions: int) -> List[int]:
    sizes = list(values) if isinstance(values, (list, tuple)) else [values]
    return sizes * dimensions if len(sizes) == 1 else sizes


def _order(node: Node, rank: int) -> List[int]:
    if node.op == "permute":
        return [dimension % rank for dimension in node.args[1]]
    order = list(range(rank))
    if node.op == "transpose" or node.op == "swapaxes":
        first, second = node.args[1] % rank if rank else 0, node.args[2] % rank if rank else 0
        if rank:
            order[first], order[second] = order[second], order[first]
        return order
    return order[::-1]
