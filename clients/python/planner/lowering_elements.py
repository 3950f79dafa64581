"""Rules of norms, element-wise operators, reductions, pooling, resampling and embeddings."""

import re
from typing import Any, Dict, Optional

from planner.graph import Layer
from planner.lowering_base import LoweringBase, bound_arguments, elements_of, per_dimension
from planner.tracing import Node, Value


class ElementRules(LoweringBase):
    """Operators that work element by element, or on windows and rows of elements."""

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
        x, _, _, weight, bias = bound_arguments(node, ("input", "running_mean", "running_var", "weight", "bias"))
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
        self._add("activation", {"kind": "PRELU", "prelu_parameters": elements_of(parameter.shape)}, [self._source(x)], out, out.shape,
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
        fields: Dict[str, Any] = {"kind": "MAX" if maximum else "AVERAGE", "kernel": per_dimension(given["kernel"], spatial)}
        if given.get("stride"):
            fields["stride"] = per_dimension(given["stride"], spatial)
        for name, usual in (("padding", 0), ("dilation", 1)):
            sizes = per_dimension(given.get(name, usual), spatial)
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
