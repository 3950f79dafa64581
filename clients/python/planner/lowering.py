"""Operators of a trace, as layers of planner.v1.LayerGraph.

A graph holds for every batch if it was traced with two: sizes that differ between them are those that follow the batch.
"""

from typing import Callable, Dict, List, Tuple

from planner.graph import Region, Source
from planner.lowering_base import VIEWS, FixedBatchError
from planner.lowering_elements import ElementRules
from planner.lowering_products import ProductRules
from planner.lowering_shapes import ShapeRules
from planner.operators import ACTIVATIONS, REDUCTIONS, SHAPE_ONLY
from planner.tracing import Frame, Node

__all__ = ["FixedBatchError", "Lowering"]


class Lowering(ProductRules, ElementRules, ShapeRules):
    """Turns one trace into layers."""

    def run(self) -> Tuple[Region, List[Source]]:
        """The model's layers, and the sources of its outputs."""
        root = self._region
        for parameter in self.unused:
            self._claim(parameter)
            self._add("parameter", {"shape": list(parameter.shape) or [1]}, [], None, parameter.shape, hint=parameter.name)
        self._lower_frame(self._trace.root, root)
        self._region = root
        return root, [self._source(output) for output in self._trace.outputs if output.kind == "result"]

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

    def _lower(self, node: Node) -> None:
        self._frame = node.frame
        op = node.op
        in_place = op[:-1] if op.endswith("_") and not op.endswith("__") else op
        if not node.outputs or op in SHAPE_ONLY:
            return
        if 0 in node.outputs[0].shape:
            return  # Room that torch keeps for something: an error only where it is read.
        if in_place in VIEWS:
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
