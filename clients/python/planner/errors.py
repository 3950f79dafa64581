"""What goes wrong, by kind. Every message says which module or operator, and what torch said."""

from typing import Optional


class PlannerError(Exception):
    """Any failure of this package."""


class ExportError(PlannerError):
    """No TorchScript file could be made. `scripting` and `tracing` are what torch said, None where it was not tried."""

    def __init__(self, message: str, scripting: Optional[BaseException] = None, tracing: Optional[BaseException] = None):
        super().__init__(message)
        self.scripting = scripting
        self.tracing = tracing


class DescribeError(PlannerError):
    """The model could not be traced or described. `module` is the path of the module that was running, "" for the model itself."""

    def __init__(self, message: str, module: str = ""):
        super().__init__(message)
        self.module = module


class UnsupportedOperatorError(DescribeError):
    """An operator whose work a layer graph cannot express. It is named rather than counted as nothing."""

    def __init__(self, operator: str, module: str, why: str):
        at = f" in module \"{module}\"" if module else ""
        super().__init__(f"operator {operator}{at} cannot be described: {why}", module)
        self.operator = operator
