"""Gives PyTorch models to Planner, which answers how many GPUs their training takes.

    planner.export(model, example_inputs, "net.pt")         # TorchScript, counted exactly by the libtorch counter
    planner.describe(model, example_inputs, "net.json")     # a layer graph, traced without weights or data
    with planner.meta():                                    # builds a model of any size in no memory
        model = Llama(layers=80, ...)
"""

from planner.describing import Description, describe
from planner.errors import DescribeError, ExportError, PlannerError, UnsupportedOperatorError
from planner.exporting import Export, export
from planner.meta import meta

__all__ = [
    "DescribeError",
    "Description",
    "Export",
    "ExportError",
    "PlannerError",
    "UnsupportedOperatorError",
    "describe",
    "export",
    "meta",
]
