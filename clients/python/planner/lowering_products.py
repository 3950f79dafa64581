"""Rules of linear layers, matrix products, attention, convolutions and recurrent layers."""

from typing import Any, Dict, Optional

from torch import nn

from planner.errors import DescribeError
from planner.graph import Layer, Source
from planner.lowering_base import FixedBatchError, LoweringBase, bound_arguments, per_dimension
from planner.tracing import Node, Value


class ProductRules(LoweringBase):
    """Operators that multiply matrices."""

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
        x, weight, bias = bound_arguments(node, ("input", "weight", "bias"))
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
            "stride": per_dimension(stride, dimensions),
            "padding": per_dimension(padding, dimensions),
            "dilation": per_dimension(dilation, dimensions),
        }
        if transposed:
            fields["output_padding"] = per_dimension(output_padding, dimensions)
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
