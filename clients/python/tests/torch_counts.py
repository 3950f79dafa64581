"""What torch itself runs, counted operator by operator on real tensors: the truth that descriptions are held to. Nothing of the
planner package is used here."""

import math
from typing import Any, Tuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class _Products(TorchDispatchMode):
    """Sums the MACs of the products of matrices and convolutions that reach the dispatcher."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2].rstrip("_")
        if name in ("mm", "bmm"):
            self.macs += args[0].numel() * args[1].shape[-1]
        elif name in ("addmm", "baddbmm"):
            self.macs += args[1].numel() * args[2].shape[-1]
        elif name in ("mv", "dot"):
            self.macs += args[0].numel()
        elif name in ("convolution", "_convolution"):
            weight, transposed = args[1], args[6]
            channels_last = args[0].shape if transposed else result.shape
            positions = channels_last[0] * math.prod(channels_last[2:])
            self.macs += positions * weight.numel()
        elif "attention" in name or "lstm" in name or name in ("gru", "rnn_tanh", "_trilinear", "addbmm", "linear", "matmul"):
            raise AssertionError(f"{name} reached the dispatcher in one piece: its products cannot be seen")
        return result


def parameters_and_macs(model: torch.nn.Module, *args: Any, **kwargs: Any) -> Tuple[int, int]:
    """Elements of the parameters, each once, and MACs of one run."""
    with torch.enable_grad(), _Products() as products:
        model(*args, **kwargs)
    return sum(parameter.numel() for parameter in model.parameters()), products.macs
