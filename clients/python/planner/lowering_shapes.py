"""Rules of what rearranges elements: concatenation, splits, views, slices."""

from typing import List, Tuple

from planner.errors import UnsupportedOperatorError
from planner.graph import Source
from planner.lowering_base import PERMUTATIONS, FixedBatchError, LoweringBase, elements_of
from planner.tracing import Node, Value


class ShapeRules(LoweringBase):
    """Operators that compute nothing."""

    def _rule_cat(self, node: Node) -> None:
        out = node.outputs[0]
        parts = [part for part in node.args[0] if elements_of(part.shape) > 0]
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
        if x.shape == out.shape and self._other_shape(x) == self._other_shape(out) and node.op not in PERMUTATIONS:
            self._sources[out] = self._source(x)
        elif node.op in PERMUTATIONS:
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
        elif elements_of(x.shape) != elements_of(out.shape):
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
