"""One run of a model over tensors without data, written down operator by operator.

The run is torch's own Python and C++, on fake tensors (sizes and types on the meta device); what is recorded are the operators that
reach the dispatcher, and, one level above, the few composite functions that have a layer of their own.
"""

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from planner.errors import DescribeError

Shape = Tuple[int, ...]


@dataclass(eq=False)
class Value:
    """A tensor of the run."""

    shape: Shape
    kind: str
    """"input", "parameter", "constant" (a buffer or another tensor of the model) or "result" (of a node)."""
    name: str = ""
    """Of an input or a parameter."""
    node: Optional["Node"] = None
    """What made a result."""
    index: int = 0
    """Which of the node's outputs it is."""


@dataclass(eq=False)
class Node:
    """An operator that ran."""

    op: str
    """"mm", "linear"; with its namespace where that is not aten: "torchvision::nms"."""
    args: Tuple[Any, ...]
    """As it was called, with a Value for each tensor."""
    kwargs: Dict[str, Any]
    outputs: List[Value]
    frame: "Frame"

    def values(self) -> List[Value]:
        """The tensors that it read, in order."""
        return list(_values_in((self.args, tuple(self.kwargs.values()))))


@dataclass(eq=False)
class Frame:
    """A module that ran: what happened in it, in order."""

    path: str
    """The module's, from the model: "layer1.0.conv1", "" for the model itself."""
    name: str
    """The part of the path below the frame around it."""
    items: List[Union[Node, "Frame"]] = field(default_factory=list)


@dataclass(eq=False)
class Trace:
    """A whole run."""

    root: Frame
    inputs: List[Value]
    outputs: List[Value]
    nodes: List[Node]
    parameters: List[Value]


def _values_in(structure: Any) -> Iterator[Value]:
    if isinstance(structure, Value):
        yield structure
    elif isinstance(structure, (tuple, list)):
        for part in structure:
            yield from _values_in(part)
    elif isinstance(structure, dict):
        for part in structure.values():
            yield from _values_in(part)


def _tensors_in(structure: Any) -> Iterator[torch.Tensor]:
    if isinstance(structure, torch.Tensor):
        yield structure
    elif isinstance(structure, (tuple, list)):
        for part in structure:
            yield from _tensors_in(part)
    elif isinstance(structure, dict):
        for part in structure.values():
            yield from _tensors_in(part)
    elif hasattr(structure, "__dataclass_fields__"):  # Outputs of transformers and diffusers.
        yield from _tensors_in(list(vars(structure).values()))


# Composite functions that are one layer; all others are seen as the operators that they are made of.
_COMPOSITES: Dict[Callable[..., Any], str] = {
    F.linear: "linear",
    torch.matmul: "matmul",
    torch.Tensor.matmul: "matmul",
    torch.Tensor.__matmul__: "matmul",
    torch.Tensor.__rmatmul__: "rmatmul",
    F.instance_norm: "instance_norm",
    F.dropout: "dropout",
    F.dropout1d: "dropout",
    F.dropout2d: "dropout",
    F.dropout3d: "dropout",
    F.alpha_dropout: "dropout",
    F.feature_alpha_dropout: "dropout",
    torch.dropout: "dropout",
}
if hasattr(F, "scaled_dot_product_attention"):
    _COMPOSITES[F.scaled_dot_product_attention] = "scaled_dot_product_attention"

_RECURRENT = (nn.RNNBase, nn.RNNCellBase)

# Operators that give the tensor itself, as far as sizes and work go.
_ALIASES = {"detach", "alias", "clone", "contiguous", "_to_copy", "lift_fresh", "lift_fresh_copy", "lift", "to", "_conj", "detach_"}


class Tracer:
    """Runs a model once. Not reusable, not thread-safe (it replaces nn.Module.__call__ while it runs)."""

    def __init__(self, model: nn.Module):
        self._model = model
        self._fake = FakeTensorMode()
        self._values: Dict[int, Value] = {}
        self._fakes: Dict[int, torch.Tensor] = {}
        self._alive: List[torch.Tensor] = []  # Identities are those of tensors that live.
        self._nodes: List[Node] = []
        self._recording = True
        self._module_names: Dict[int, str] = {}
        for name, module in model.named_modules():
            self._module_names.setdefault(id(module), name)
        self._root = Frame(path="", name="")
        self._frame = self._root
        self._failed_in: Optional[str] = None
        self._parameters: List[Value] = []
        for name, parameter in model.named_parameters():
            value = Value(tuple(parameter.shape), "parameter", name=name)
            self._parameters.append(value)
            self._know(parameter, value)

    def run(self, args: Tuple[Any, ...], kwargs: Dict[str, Any], inputs: Sequence[Tuple[str, torch.Tensor, Shape]]) -> Trace:
        """forward(*args, **kwargs), with each of `inputs` (name, tensor of the arguments, sizes to run with) by one of those sizes."""
        values = []
        replaced: Dict[int, torch.Tensor] = {}
        for name, tensor, shape in inputs:
            value = Value(shape, "input", name=name)
            fake = self._fake_of(shape, tensor.dtype)
            self._know(fake, value)
            replaced[id(tensor)] = fake
            values.append(value)
        args, kwargs = _replace_tensors((args, kwargs), replaced)
        states = [_ModuleState(module) for module in self._model.modules()]
        call = nn.Module.__call__
        tracer = self

        def traced_call(module: nn.Module, *call_args: Any, **call_kwargs: Any) -> Any:
            return tracer._call(call, module, call_args, call_kwargs)

        nn.Module.__call__ = traced_call  # type: ignore[method-assign]
        try:
            with torch.no_grad(), self._fake, _DispatchRecorder(self), _FunctionRecorder(self):
                output = self._model(*args, **kwargs)
        except DescribeError:
            raise
        except Exception as error:
            path = self._failed_in or ""
            at = f"module \"{path}\" ({type(self._model.get_submodule(path)).__name__})" if path else type(self._model).__name__
            raise DescribeError(f"running {at} without data failed: {_reason(error)}", path) from error
        finally:
            nn.Module.__call__ = call  # type: ignore[method-assign]
            for state in states:
                state.restore()
        outputs = [self.value_of(tensor) for tensor in _tensors_in(output)]
        return Trace(root=self._root, inputs=values, outputs=outputs, nodes=self._nodes, parameters=self._parameters)

    def _call(self, call: Callable[..., Any], module: nn.Module, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        path = self._module_names.get(id(module))
        if path is None or not self._recording:
            return call(module, *args, **kwargs)
        outer = self._frame
        if path == outer.path:
            frame = outer
        else:
            prefix = f"{outer.path}." if outer.path else ""
            name = path[len(prefix):] if path.startswith(prefix) else path
            frame = Frame(path=path, name=name)
            outer.items.append(frame)
        self._frame = frame
        try:
            if isinstance(module, _RECURRENT):
                return self._recurrent(module, args, kwargs)
            return call(module, *args, **kwargs)
        except Exception:
            if self._failed_in is None:
                self._failed_in = path
            raise
        finally:
            self._frame = outer

    def _recurrent(self, module: nn.Module, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        """What a recurrent module gives, by its sizes: its steps are not run one by one."""
        data = args[0] if args else kwargs["input"]
        if not isinstance(data, torch.Tensor):
            raise DescribeError("a recurrent module takes a tensor here, not a packed sequence", self._frame.path)
        lstm = isinstance(module, (nn.LSTM, nn.LSTMCell))
        parameters = [self.value_of(parameter) for parameter in module.parameters(recurse=False)]
        with self.paused():
            if isinstance(module, nn.RNNCellBase):
                outputs = [data.new_empty(data.shape[:-1] + (module.hidden_size,)) for _ in range(2 if lstm else 1)]
                result = tuple(outputs) if lstm else outputs[0]
            else:
                directions = 2 if module.bidirectional else 1
                state = module.proj_size or module.hidden_size
                batch = () if data.dim() == 2 else (data.shape[0 if module.batch_first else 1],)
                outputs = [data.new_empty(data.shape[:-1] + (directions * state,))]
                outputs.append(data.new_empty((directions * module.num_layers,) + batch + (state,)))
                if lstm:
                    outputs.append(data.new_empty((directions * module.num_layers,) + batch + (module.hidden_size,)))
                result = (outputs[0], tuple(outputs[1:])) if lstm else (outputs[0], outputs[1])
        self.record("recurrent", (self.value_of(data), module, parameters), {}, outputs)
        return result

    # What follows is for the recorders.

    def paused(self) -> "_Paused":
        """Within it nothing is recorded."""
        return _Paused(self)

    @property
    def recording(self) -> bool:
        return self._recording

    def fake(self, tensor: torch.Tensor) -> torch.Tensor:
        """The fake tensor that stands for this one; itself if it is one."""
        if isinstance(tensor, FakeTensor):
            return tensor
        if id(tensor) not in self._fakes:
            self._alive.append(tensor)
            self._fakes[id(tensor)] = self._fake_of(tuple(tensor.shape), tensor.dtype)
            self._know(self._fakes[id(tensor)], self.value_of(tensor))
        return self._fakes[id(tensor)]

    def value_of(self, tensor: torch.Tensor) -> Value:
        if id(tensor) not in self._values:
            self._know(tensor, Value(tuple(tensor.shape), "constant"))
        return self._values[id(tensor)]

    def record(self, op: str, args: Any, kwargs: Any, result: Any) -> None:
        # Arguments first: an operator in place gives its argument back, as a new value.
        args, kwargs = _to_values((args, kwargs), self)
        tensors = list(_tensors_in(result))
        if op in _ALIASES and len(tensors) == 1:
            source = next(_values_in(args), None)
            if source is not None:
                self._know(tensors[0], source)
                return
        node = Node(op=op, args=args, kwargs=kwargs, outputs=[], frame=self._frame)
        for index, tensor in enumerate(tensors):
            value = Value(tuple(tensor.shape), "result", node=node, index=index)
            node.outputs.append(value)
            self._know(tensor, value)
        self._nodes.append(node)
        self._frame.items.append(node)

    @property
    def frame(self) -> Frame:
        return self._frame

    def _know(self, tensor: torch.Tensor, value: Value) -> None:
        self._alive.append(tensor)
        self._values[id(tensor)] = value

    def _fake_of(self, shape: Shape, dtype: torch.dtype) -> torch.Tensor:
        # Everything is on one device, wherever the model is: what is planned is not where it is described.
        with no_dispatch():
            without_data = torch.empty(shape, dtype=dtype, device="meta")
            return FakeTensor(self._fake, without_data, torch.device("cpu"))


class _ModuleState:
    """The attributes of a module, to undo what forward keeps in it: here, tensors without data."""

    _TABLES = ("_parameters", "_buffers", "_modules")

    def __init__(self, module: nn.Module):
        self._module = module
        self._attributes = dict(module.__dict__)
        self._tables = {name: dict(module.__dict__[name]) for name in self._TABLES}

    def restore(self) -> None:
        self._module.__dict__.clear()
        self._module.__dict__.update(self._attributes)
        for name, entries in self._tables.items():
            table = self._module.__dict__[name]
            if list(table) != list(entries) or any(table[key] is not entry for key, entry in entries.items()):
                table.clear()
                table.update(entries)


class _Paused:
    def __init__(self, tracer: Tracer):
        self._tracer = tracer

    def __enter__(self) -> None:
        self._before = self._tracer._recording
        self._tracer._recording = False

    def __exit__(self, *error: Any) -> None:
        self._tracer._recording = self._before


class _FunctionRecorder(TorchFunctionMode):
    """Sees calls of Python's functions: records the composite ones as one node."""

    def __init__(self, tracer: Tracer):
        super().__init__()
        self._tracer = tracer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        op = _COMPOSITES.get(func) if self._tracer.recording and _is_hashable(func) else None
        if op is None or (op in ("matmul", "rmatmul") and any(tensor.dim() < 2 for tensor in _tensors_in(args))):
            return func(*args, **kwargs)
        with self._tracer.paused():
            result = func(*args, **kwargs)
        if op == "dropout" and any(result is tensor for tensor in _tensors_in(args)):
            return result  # In inference it is nothing at all.
        if op == "rmatmul":
            args = (args[1], args[0])
            op = "matmul"
        self._tracer.record(op, args, kwargs, result)
        return result


class _DispatchRecorder(TorchDispatchMode):
    """Sees every operator that torch runs, on fake tensors only."""

    def __init__(self, tracer: Tracer):
        super().__init__()
        self._tracer = tracer

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        namespace, _, name = func._schema.name.partition("::")
        if namespace == "prim":
            return func(*args, **kwargs)
        if name == "_local_scalar_dense" and not isinstance(args[0], FakeTensor) and not args[0].is_meta:
            return args[0].detach().numpy().item() if args[0].dtype != torch.bfloat16 else float(args[0].float())
        if name in ("lift", "lift_fresh", "lift_fresh_copy") and not isinstance(args[0], FakeTensor):
            return func(*args, **kwargs)  # torch.tensor(...): the mode below keeps its values, so that they can be read back.
        if kwargs.get("device") is not None:
            kwargs["device"] = torch.device("cpu")
        args, kwargs = tree_map(lambda part: self._tracer.fake(part) if isinstance(part, torch.Tensor) else part, (args, kwargs))
        if name == "_local_scalar_dense" and getattr(args[0], "constant", None) is None:
            raise DescribeError(
                f"module \"{self._tracer.frame.path}\" reads the value of a tensor (a branch, a size or an index that depends on data), "
                "and a description has no data: give what it depends on as a number, or use planner.export",
                self._tracer.frame.path,
            )
        result = func(*args, **kwargs)
        if self._tracer.recording:
            self._tracer.record(name if namespace == "aten" else f"{namespace}::{name}", args, kwargs, result)
        return result


def _is_hashable(func: Any) -> bool:
    try:
        hash(func)
    except TypeError:
        return False
    return True


def _to_values(structure: Any, tracer: Tracer) -> Any:
    if isinstance(structure, torch.Tensor):
        return tracer.value_of(structure)
    if isinstance(structure, (tuple, list)):
        return type(structure)(_to_values(part, tracer) for part in structure) if type(structure) in (tuple, list) else tuple(
            _to_values(part, tracer) for part in structure)
    if isinstance(structure, dict):
        return {key: _to_values(part, tracer) for key, part in structure.items()}
    return structure


def _replace_tensors(structure: Any, replaced: Dict[int, torch.Tensor]) -> Any:
    if isinstance(structure, torch.Tensor):
        return replaced.get(id(structure), structure)
    if isinstance(structure, (tuple, list)) and type(structure) in (tuple, list):
        return type(structure)(_replace_tensors(part, replaced) for part in structure)
    if isinstance(structure, dict):
        return {key: _replace_tensors(part, replaced) for key, part in structure.items()}
    return structure


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:3])}"
