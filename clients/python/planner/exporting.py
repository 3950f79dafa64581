"""TorchScript files for `plannerctl count --model net.pt`."""

import hashlib
import os
import warnings
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple, Union

import torch

from planner.errors import ExportError
from planner.example_inputs import Arguments, ExampleInputs, arguments_of, by_position, input_text, named_tensors

METHODS = ("auto", "script", "trace")


@dataclass(frozen=True)
class Export:
    """A file that was written."""

    path: str
    """Where it is."""
    method: str
    """"script" or "trace"."""
    sha256: str
    """Of the file's content, as the server's store names it."""
    inputs: Tuple[str, ...]
    """The values of plannerctl's --input, one for each tensor in forward's order."""
    warnings: Tuple[str, ...] = field(default=())
    """What torch warned of, and why scripting was given up if it was."""

    def command(self) -> str:
        """The command line that counts the file."""
        return " ".join(["plannerctl", "count", "--model", self.path] + [f"--input {text}" for text in self.inputs])


def export(
    model: torch.nn.Module,
    example_inputs: ExampleInputs,
    path: Union[str, "os.PathLike[str]"],
    *,
    method: str = "auto",
) -> Export:
    """Writes the model as a TorchScript file, in the train or eval state of each of its modules.

    method: "script" compiles forward with all its branches, "trace" records one run on the example inputs, "auto" scripts and,
    if that fails, traces. An example input is a tensor, a tuple or list of forward's arguments, or a dictionary of them by name.
    A file is written as a whole or not at all. Raises ExportError, which says what failed, and ValueError for another method.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}: method={method}")
    arguments = arguments_of(example_inputs)
    inputs = tuple(input_text(tensor) for _, tensor in named_tensors(model, arguments))
    notes: List[str] = []
    module: Optional[torch.jit.ScriptModule] = None
    used = method
    scripting: Optional[BaseException] = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if method in ("auto", "script"):
            try:
                module = _script(model)
                used = "script"
            except Exception as error:  # torch raises RuntimeError, NotSupportedError, OSError, TypeError, ...
                scripting = error
                if method == "script":
                    raise ExportError(f"scripting {_kind(model)} failed: {_first_lines(error)}", scripting=error) from error
                notes.append(f"scripting failed, so the file holds a trace of the example inputs: {_first_lines(error)}")
        if module is None:
            try:
                module = _trace(model, arguments)
                used = "trace"
            except Exception as error:
                before = f"scripting {_kind(model)} failed: {_first_lines(scripting)}; " if scripting is not None else ""
                message = f"{before}tracing {_kind(model)} failed: {_first_lines(error)}"
                raise ExportError(message, scripting=scripting, tracing=error) from error
    notes.extend(dict.fromkeys(str(warning.message) for warning in caught))
    target = os.fspath(path)
    _save(module, target)
    return Export(path=target, method=used, sha256=_sha256(target), inputs=inputs, warnings=tuple(notes))


def _kind(model: torch.nn.Module) -> str:
    return type(model).__name__


def _first_lines(error: Optional[BaseException]) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:4])}"


def _script(model: torch.nn.Module) -> torch.jit.ScriptModule:
    if isinstance(model, torch.jit.ScriptModule):
        return model
    return torch.jit.script(model)


def _trace(model: torch.nn.Module, arguments: Arguments) -> torch.jit.ScriptModule:
    args = by_position(model, arguments)
    # The recorded graph is checked by whoever runs it; running the model twice more to compare random numbers of dropout is no
    # check. A trace that returns a dictionary is one that torch takes only without strictness.
    options: Dict[str, Any] = {"check_trace": False, "strict": False}
    # Tracing runs batch norms, whose statistics must not change by it.
    kept = {name: buffer.detach().clone() for name, buffer in model.named_buffers() if not buffer.is_meta}
    try:
        try:
            # With gradients, so that the file holds operators that have a backward pass, not torch's fused ones for inference.
            with torch.enable_grad():
                return torch.jit.trace(model, args, **options)
        except RuntimeError as error:
            if "requires grad" not in str(error):
                raise
            with torch.no_grad():  # A tensor that forward makes of parameters and keeps cannot be a constant with a gradient.
                return torch.jit.trace(model, args, **options)
    finally:
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                if name in kept and kept[name].shape == buffer.shape:
                    buffer.copy_(kept[name])


def _save(module: torch.jit.ScriptModule, target: str) -> None:
    temporary = f"{target}.{os.getpid()}.partial"
    try:
        torch.jit.save(module, temporary)
        os.replace(temporary, target)
    except Exception as error:
        raise ExportError(f"writing {target} failed: {_first_lines(error)}") from error
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
