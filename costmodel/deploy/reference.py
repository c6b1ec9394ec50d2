r"""PyTorch's own run of a network with its binary sums in exact arithmetic: the reference where rounding decides.

A sum of :math:`\pm c` with one real :math:`c` is :math:`c P` with an integer :math:`P`. Added up in floating point, a
sum with :math:`P = 0` comes out as some :math:`\pm 10^{-17}`, by the order of its terms, and its sign is noise.
Here every convolution and matrix whose weights have one magnitude per channel is computed with the signs of these
weights, which is exact for activations of one magnitude, and multiplied by that magnitude, which rounds once. All else
runs as it was written, and :math:`sign(0)` is taken as +1, as a datapath of one bit takes it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from costmodel.deploy.constants import RESIDUE

_ATEN = torch.ops.aten


class ExactSums(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, sums over binary and ternary weights are exact; ``sign_of_zero`` replaces the 0 of ``torch.sign``."""

    def __init__(self, sign_of_zero: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sign_of_zero = sign_of_zero

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is _ATEN.convolution.default and not args[6]:
            return _with_bias(_sum(func, args[0], args[1], 0, args[3:]), args[2], args[1].dim() - 2)
        if func is _ATEN.mm.default:
            return _sum(func, args[0], args[1], 1, ())
        if func is _ATEN.addmm.default and not kwargs:
            return _with_bias(_sum(_ATEN.mm.default, args[1], args[2], 1, ()), args[0], 0)
        if func is _ATEN.sign.default and self.sign_of_zero:
            return torch.where(args[0] >= 0, 1.0, -1.0).to(args[0].dtype)
        return func(*args, **kwargs)


class ZeroSigns(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts how often the sign of an exact zero is taken within it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (_ATEN.sign.default, _ATEN.sign_.default, _ATEN.sgn.default):
            self.count += int((args[0] == 0).sum())
        return func(*args, **(kwargs or {}))


def _sum(func: Any, x: Tensor, weight: Tensor, axis: int, rest: tuple[Any, ...]) -> Tensor:
    """The sum without its bias. ``axis`` is the dimension of the output channels of ``weight``."""
    given = (x, weight) if axis else (x, weight, None)
    sizes = _sizes(weight.movedim(axis, 0).flatten(1))
    if sizes is None:
        return func(*given, *rest)  # type: ignore[no-any-return]
    one = _sizes(x.reshape(1, -1))  # activations of one magnitude are used as signs, too
    signs = _signs(x, one) if one is not None else x
    mask = weight.abs() > 0.5 * weight.abs().amax(tuple(k for k in range(weight.dim()) if k != axis), keepdim=True)
    result = func(*((signs, torch.sign(weight) * mask) if axis else (signs, torch.sign(weight) * mask, None)), *rest)
    spread = sizes if axis else sizes.reshape(-1, *(1 for _ in weight.shape[2:]))
    return result * (spread if one is None else spread * one)  # type: ignore[no-any-return]


def _sizes(rows: Tensor) -> Tensor | None:
    """The magnitude of each row, or None where the elements of a row differ in it; zeros are left out."""
    magnitude = rows.abs()
    top = magnitude.amax(1, keepdim=True)
    if rows.numel() == 0 or not bool((top > 0).all()):
        return None
    large = magnitude > 0.5 * top
    mean = (magnitude * large).sum(1, keepdim=True) / large.sum(1, keepdim=True)
    near = (magnitude - mean).abs() <= 10 * RESIDUE * mean
    return mean[:, 0] if bool((near | (magnitude <= 10 * RESIDUE * mean)).all()) else None


def _signs(x: Tensor, size: Tensor) -> Tensor:
    return torch.sign(x) * (x.abs() > 0.5 * size)


def _with_bias(result: Tensor, bias: Tensor | None, maps: int) -> Tensor:
    if bias is None:
        return result
    return result + (bias.reshape(-1, *(1 for _ in range(maps))) if maps else bias)
