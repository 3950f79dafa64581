"""Models of any size in no memory."""

from contextlib import contextmanager
from typing import Any, Iterator

import torch
from torch.overrides import TorchFunctionMode

# Smaller tensors stay real: models read values of them while they are built (rates of stochastic depth, indices of windows).
LARGEST_REAL_TENSOR_ELEMENTS = 1 << 20

_FACTORIES = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full, torch.randint}


class _LargeFactoriesOnMeta(TorchFunctionMode):
    """Makes tensors of sizes on the meta device if they are large."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in _FACTORIES and kwargs.get("out") is None:
            described = {name: value for name, value in kwargs.items() if name not in ("generator", "pin_memory")}
            without_values = func(*args, **{**described, "device": "meta"})
            if without_values.numel() > LARGEST_REAL_TENSOR_ELEMENTS:
                return without_values
        return func(*args, **kwargs)


@contextmanager
def meta() -> Iterator[None]:
    """Within it, the parameters of modules that are built are on the meta device (sizes and types without values), and so are other
    large tensors: a model of 70 billion parameters is built in seconds and in no memory, to be given to `describe`.

    Not thread-safe: modules that other threads build meanwhile are on the meta device as well.
    """
    register = torch.nn.Module.register_parameter

    def register_on_meta(self: torch.nn.Module, name: str, parameter: Any) -> None:
        if parameter is not None and not parameter.is_meta:
            parameter = _on_meta(parameter)
        register(self, name, parameter)

    torch.nn.Module.register_parameter = register_on_meta  # type: ignore[method-assign]
    try:
        with _LargeFactoriesOnMeta():
            yield
    finally:
        torch.nn.Module.register_parameter = register  # type: ignore[method-assign]


def _on_meta(parameter: torch.nn.Parameter) -> torch.nn.Parameter:
    """The parameter without values. One that is registered twice, because it is shared, stays one."""
    twin = getattr(parameter, "_planner_meta_twin", None)
    if twin is None:
        if isinstance(parameter, torch.nn.parameter.UninitializedTensorMixin):
            return parameter
        twin = torch.nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)
        parameter._planner_meta_twin = twin  # type: ignore[attr-defined]
    return twin
