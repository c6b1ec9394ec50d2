"""Integer modules of ``torch.ao``: their operators take packed weights, and are recorded as what they compute.

A tensor in integer form holds the same value as its numbers. So an operator is run as it is for its result, and a
second time on numbers for the record: a sum over weights that are on their grid, then a quantiser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_BOUNDS = {torch.qint8: (-128, 127), torch.quint8: (0, 255), torch.qint32: (-(2**31), 2**31 - 1)}
#: Operator -> how it is computed on numbers; the result takes the place of its own.
NUMBERS: dict[str, Callable[..., Tensor]] = {}


def _numbers(*names: str) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    def register(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        NUMBERS.update(dict.fromkeys(names, function))
        return function

    return register


def _levels(x: Tensor, scale: Any, zero: Any, dtype: torch.dtype = torch.quint8) -> Tensor:
    low, high = _BOUNDS[dtype]
    return torch.fake_quantize_per_tensor_affine(x, float(scale), int(zero), low, high)


@_numbers("aten.quantize_per_tensor")
def _quantize(x: Tensor, scale: Any, zero_point: Any, dtype: torch.dtype) -> Tensor:
    return x if dtype not in (torch.qint8, torch.quint8) else _levels(x, scale, zero_point, dtype)


@_numbers("aten.dequantize")
def _dequantize(x: Tensor) -> Tensor:
    return x


def _convolution(count: int, rectified: bool) -> Callable[..., Tensor]:
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[count]

    def run(x: Tensor, packed: Any, scale: Any, zero_point: Any) -> Tensor:
        weight, bias = packed.unpack()
        made = function(
            x, weight.dequantize(), bias, list(packed.stride()), list(packed.padding()), list(packed.dilation()),
            packed.groups(),
        )  # fmt: skip
        return _levels(torch.relu(made) if rectified else made, scale, zero_point)

    return run


def _linear(rectified: bool) -> Callable[..., Tensor]:
    def run(x: Tensor, packed: Any, scale: Any, zero_point: Any) -> Tensor:
        weight, bias = packed.unpack()
        made = F.linear(x, weight.dequantize(), bias)
        return _levels(torch.relu(made) if rectified else made, scale, zero_point)

    return run


for _count in (1, 2, 3):
    NUMBERS[f"quantized.conv{_count}d"] = _convolution(_count, False)
    NUMBERS[f"quantized.conv{_count}d_relu"] = _convolution(_count, True)
NUMBERS["quantized.linear"], NUMBERS["quantized.linear_relu"] = _linear(False), _linear(True)


@_numbers("quantized.linear_dynamic", "quantized.linear_relu_dynamic")
def _dynamic(x: Tensor, packed: Any, reduce_range: bool = False) -> Tensor:
    """Bounds of the input, its levels, the sum."""
    low, high = torch.clamp(x.amin(), max=0.0), torch.clamp(x.amax(), min=0.0)
    most = 127.0 if reduce_range else 255.0
    step = (high - low) / most
    levels = torch.clamp(torch.round((x - low) / step), 0.0, most) * step + low
    weight, bias = packed.unpack()
    return F.linear(levels, weight.dequantize(), bias)


@_numbers("quantized.add", "quantized.add_relu")
def _add(a: Tensor, b: Tensor, scale: Any, zero_point: Any) -> Tensor:
    return _levels(a + b, scale, zero_point)


@_numbers("quantized.mul")
def _mul(a: Tensor, b: Tensor, scale: Any, zero_point: Any) -> Tensor:
    return _levels(a * b, scale, zero_point)
