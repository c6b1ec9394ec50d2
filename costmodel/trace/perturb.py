"""Move parameters away from the special values that untrained networks start from.

Initial values look like structure: all-positive weights make ``sign(w)`` constant, a PReLU slope of 0.25 is a power of
two, a fresh batch norm multiplies by one. None of that survives training, so it must not decide what an operation
costs. Values that are structure stay: a tensor that is not constant keeps its set of magnitudes, so that stored ±1 or
2^k weights are still seen as such. Buffers are no initial values, except for those that statistics start from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from costmodel.trace.values import sample

_PATTERN = 16381  # prime, so that no layer's rows line up with it


def perturb(model: nn.Module, seed: int = 0) -> None:
    """Change the floating-point parameters and buffers of ``model`` in place."""
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (_PATTERN,), generator=generator).float().mul_(2).sub_(1)
    jitter = torch.rand(_PATTERN, generator=generator).mul_(0.5).add_(0.75)  # 0.75 ... 1.25
    seen: set[int] = set()
    with torch.no_grad():
        for parameter in model.parameters():
            if id(parameter) not in seen and parameter.is_floating_point() and _has_values(parameter):
                seen.add(id(parameter))
                kind = parameter.dtype
                _perturb_parameter(parameter.data, signs.to(kind), jitter.to(kind))
        for name, tensor in model.named_buffers():
            if id(tensor) not in seen and tensor.is_floating_point() and _has_values(tensor):
                seen.add(id(tensor))
                _perturb_buffer(name, tensor.data, jitter.to(tensor.dtype))


def _has_values(tensor: Tensor) -> bool:
    return tensor.numel() > 0 and tensor.device.type != "meta"


def _perturb_parameter(tensor: Tensor, signs: Tensor, jitter: Tensor) -> None:
    part = sample(tensor)
    if part is not None:
        least, most = part.aminmax()
        if float(least) < 0.0 < float(most):
            return  # a few values show it: neither constant nor of one sign
    low, high = (bound.item() for bound in tensor.aminmax())
    if low == high:
        _jitter(tensor, low, jitter)
    elif tensor.dim() >= 2 and low >= 0.0:
        if int((tensor != 0).sum()) <= max(tensor.shape[:2]):  # an identity, as eye_ and dirac_ leave it
            _jitter(tensor, 0.0, jitter)
        else:
            _multiply_tiled(tensor, signs)


def _perturb_buffer(name: str, tensor: Tensor, jitter: Tensor) -> None:
    """Running statistics start from zero and one. Any other buffer is meant: a step of 1, a zero point of 0."""
    if name.endswith("running_var"):
        tensor.mul_(_tile(jitter, tensor))
    elif name.endswith("running_mean") and not bool(tensor.any()):
        _jitter(tensor, 0.0, jitter)


def _jitter(tensor: Tensor, value: float, jitter: Tensor) -> None:
    if value == 0.0:
        tensor.add_(_tile(jitter, tensor).sub_(1.0).mul_(0.2))
    else:
        tensor.mul_(_tile(jitter, tensor))


def _tile(pattern: Tensor, like: Tensor) -> Tensor:
    count = like.numel()
    if count <= len(pattern):
        return pattern[:count].reshape(like.shape).clone()
    return pattern.repeat(-(-count // len(pattern)))[:count].reshape(like.shape).clone()


def _multiply_tiled(tensor: Tensor, pattern: Tensor) -> None:
    """Multiply by a repeated pattern, in place and without a temporary of the tensor's size."""
    if not tensor.is_contiguous():
        tensor.mul_(_tile(pattern, tensor))
        return
    flat, step = tensor.view(-1), len(pattern)
    whole = flat.numel() // step * step
    if whole:
        flat[:whole].view(-1, step).mul_(pattern)
    flat[whole:].mul_(pattern[: flat.numel() - whole])
