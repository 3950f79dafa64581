"""Counts what a PyTorch module does on real tensors, independently of Planner: every matrix product and convolution that reaches
the dispatcher, 2 FLOPs a MAC, forward and backward of the sum of all floating outputs (the contract's counting rules)."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def _product(sizes):
    result = 1
    for size in sizes:
        result *= size
    return result


def _matrix(left, right):
    return _product(left.shape) * right.shape[-1]


def _convolution(positions, weight):
    return positions.shape[0] * _product(positions.shape[2:]) * _product(weight.shape)


class _Counter(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.macs = {}

    def _add(self, name, macs):
        self.macs[name] = self.macs.get(name, 0) + macs

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func._schema.name
        if name in ("aten::mm", "aten::bmm"):
            self._add(name, _matrix(args[0], args[1]))
        elif name in ("aten::addmm", "aten::baddbmm", "aten::addbmm", "aten::_addmm_activation"):
            self._add(name, _matrix(args[1], args[2]))
        elif name in ("aten::mv", "aten::dot", "aten::vdot"):
            self._add(name, _product(args[0].shape))
        elif name == "aten::addmv":
            self._add(name, _product(args[1].shape))
        elif name in ("aten::convolution", "aten::_convolution"):
            self._add(name, _convolution(args[0] if args[6] else out, args[1]))
        elif name == "aten::convolution_backward":
            grad, inputs, weight, _, _, _, _, transposed, _, _, mask = args
            once = _convolution(inputs if transposed else grad, weight)
            self._add(name, once * (int(mask[0]) + int(mask[1])))
        elif name in ("aten::_transformer_encoder_layer_fwd", "aten::_native_multi_head_attention"):
            raise RuntimeError("the reference must not take the fused path: " + name)
        return out


def _floating(value, found):
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and value.requires_grad:
            found.append(value)
    elif isinstance(value, dict):
        for element in value.values():
            _floating(element, found)
    elif isinstance(value, (list, tuple)):
        for element in value:
            _floating(element, found)
    return found


def reference_count(module, args, kwargs=None):
    """{"params", "forward_macs", "backward_flops"} of `module` in the state it is in."""
    forward = _Counter()
    with forward:
        out = module(*args, **(kwargs or {}))
    backward = _Counter()
    outputs = _floating(out, [])
    if outputs:
        loss = sum(output.sum() for output in outputs)
        with backward:
            loss.backward()
    return {
        "params": sum(p.numel() for p in module.parameters()),
        "forward_macs": sum(forward.macs.values()),
        "backward_flops": 2 * sum(backward.macs.values()),
        "forward_by_operator": forward.macs,
        "backward_by_operator": backward.macs,
    }
