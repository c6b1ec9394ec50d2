"""Quantisers: ONNX's linear ones and those of QONNX (fastmachinelearning/qonnx, docs/qonnx-custom-ops).

They are written out in the operations that they stand for, so that rules and rewrites see them: a rounding between
literal bounds has a known width; a scale of one and a zero point of zero cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from costmodel.load.onnx.table import Call, number, op, tensor


def _is(value: Any, literal: float) -> bool:
    if isinstance(value, Tensor):
        return bool((value == literal).all())
    return bool(value == literal)


def _literal(value: Any) -> Any:
    """A number where a tensor holds a single one."""
    return number(value) if isinstance(value, Tensor) and value.numel() == 1 else value


_ROUND: dict[str, Callable[[Tensor], Tensor]] = {
    "ROUND": torch.round, "HALF_EVEN": torch.round, "FLOOR": torch.floor, "CEIL": torch.ceil,
    "ROUND_TO_ZERO": torch.trunc, "DOWN": torch.trunc, "HALF_UP": lambda x: torch.floor(x + 0.5),
    "HALF_DOWN": lambda x: torch.ceil(x - 0.5),
}  # fmt: skip


def _rounded(call: Call, x: Tensor, mode: str) -> Tensor:
    function = _ROUND.get(mode.upper() or "ROUND")
    if function is None:
        call.refuse(f"rounding mode {mode!r} is not covered")
    return function(x)


def _scaled(x: Any, scale: Any, zero: Any) -> Any:
    x = x if _is(zero, 0.0) else x - zero
    return x if _is(scale, 1.0) else x * scale


def _steps(x: Any, scale: Any, zero: Any) -> Any:
    x = tensor(x)
    x = x if _is(scale, 1.0) else x / scale
    return x if _is(zero, 0.0) else x + zero


@op("Quant", "IntQuant", custom=True, keep=(0,))
def _quant(call: Call, x: Any, scale: Any, zero: Any, width: Any) -> Any:
    """``(clamp(round(x / scale + zero), low, high) - zero) * scale`` with ``width`` bits."""
    signed, narrow, bits = bool(call.get("signed", 1)), bool(call.get("narrow", 0)), round(number(width))
    scale, zero = _literal(scale), _literal(zero)
    if signed and bits == 1:
        return _bipolar(call, x, scale)
    low, high = _bounds(bits, signed, narrow)
    levels = _rounded(call, _steps(x, scale, zero), call.get("rounding_mode", "ROUND"))
    return _scaled(torch.clamp(levels, low, high), scale, zero)


@op("BipolarQuant", custom=True, keep=(0,))
def _bipolar(call: Call, x: Any, scale: Any) -> Any:
    x, scale = tensor(x), _literal(scale)
    signs = torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
    return signs if _is(scale, 1.0) else signs * scale


@op("Trunc", custom=True, keep=(0,))
def _trunc(call: Call, x: Any, scale: Any, zero: Any, width_in: Any, *given: Any) -> Any:
    """The upper of ``width_in`` bits: ``width`` of them, or, in the second version, those above ``scale_out``, bounded
    to ``width``."""
    scale, zero = _literal(scale), _literal(zero)
    levels = torch.round(_steps(x, scale, zero))
    mode = call.get("rounding_mode", "FLOOR")
    if len(given) == 1:
        dropped = 2.0 ** (number(width_in) - number(given[0]))
        return _scaled(_rounded(call, levels / dropped, mode), scale, zero)
    scale_out, bits = number(given[0]), round(number(given[1]))
    signed, narrow = bool(call.get("signed", 1)), bool(call.get("narrow", 0))
    dropped = 2.0 ** round(math.log2(scale_out / number(scale)))
    low, high = _bounds(bits, signed, narrow)
    kept = _rounded(call, torch.clamp(levels / dropped, low, high), mode)
    return _scaled(kept, scale_out, zero if _is(zero, 0.0) else zero / dropped)


def _bounds(bits: int, signed: bool, narrow: bool) -> tuple[float, float]:
    if signed:
        return float(-(2 ** (bits - 1)) + narrow), float(2 ** (bits - 1) - 1)
    return 0.0, float(2**bits - 1 - narrow)


@op("MultiThreshold", custom=True, keep=(0, 1))
def _multi_threshold(call: Call, x: Tensor, thresholds: Tensor) -> Any:
    """``out_scale * (number of thresholds that are reached) + out_bias``, thresholds ``[channels or 1, levels]``."""
    layout = call.get("data_layout", "NCHW") or "NCHW"
    axis = layout.index("C") if "C" in layout else 1
    shape = [1] * x.dim()
    if thresholds.shape[0] > 1 and x.dim() > 1:
        shape[min(axis, x.dim() - 1)] = thresholds.shape[0]
    factor, offset = float(call.get("out_scale", 1.0)), float(call.get("out_bias", 0.0))
    limits = [column.reshape(shape) for column in thresholds.unbind(1)]
    if len(limits) == 1:
        return torch.where(x >= limits[0], factor + offset, offset).to(x.dtype)
    reached = sum(((x >= limit).to(x.dtype) for limit in limits[1:]), (x >= limits[0]).to(x.dtype))
    reached = reached if factor == 1.0 else reached * factor
    return reached if offset == 0.0 else reached + offset


# -- ONNX's own -------------------------------------------------------------------------------------------------------

_BOUNDS = {torch.int8: (-128, 127), torch.uint8: (0, 255), torch.int16: (-(2**15), 2**15 - 1), torch.int32: None}


def _along(value: Any, x: Tensor, axis: int) -> Any:
    """A scale per channel in the place of its dimension."""
    if not isinstance(value, Tensor) or value.numel() == 1:
        return _literal(value)
    shape = [1] * x.dim()
    shape[axis % x.dim()] = value.numel()
    return value.reshape(shape)


@op("QuantizeLinear", keep=(0,))
def _quantize(call: Call, x: Any, scale: Any, zero: Any = None) -> Any:
    """Levels as integers in the number format of ``x``, because that is how PyTorch computes with them."""
    x, axis = tensor(x), call.get("axis", 1)
    kind = zero.dtype if isinstance(zero, Tensor) else torch.int8 if isinstance(zero, int) and zero < 0 else torch.uint8
    bounds = _BOUNDS.get(kind)
    if bounds is None:
        call.refuse(f"levels of type {kind} are not covered")
    scale = _along(scale, x, axis)
    zero = 0.0 if zero is None else _along(zero.to(x.dtype) if isinstance(zero, Tensor) else float(zero), x, axis)
    levels = torch.round(x if _is(scale, 1.0) else x / scale)
    return torch.clamp(levels if _is(zero, 0.0) else levels + zero, float(bounds[0]), float(bounds[1]))


@op("DequantizeLinear", keep=(0,))
def _dequantize(call: Call, x: Any, scale: Any, zero: Any = None) -> Any:
    x, axis = tensor(x), call.get("axis", 1)
    kind = scale.dtype if isinstance(scale, Tensor) else torch.float32
    x = x if x.is_floating_point() else x.to(kind)
    zero = 0.0 if zero is None else _along(zero.to(kind) if isinstance(zero, Tensor) else float(zero), x, axis)
    return _scaled(x, _along(scale, x, axis), zero)


@op("DynamicQuantizeLinear", keep=(0,))
def _dynamic(call: Call, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = torch.clamp(x.amin(), max=0.0), torch.clamp(x.amax(), min=0.0)
    scale = (high - low) / 255.0
    zero = torch.clamp(torch.round(-low / scale), 0.0, 255.0)
    return torch.clamp(torch.round(x / scale) + zero, 0.0, 255.0), scale, zero


def _whole(x: Any, zero: Any) -> Any:
    x = tensor(x).to(torch.float32)
    return x if zero is None or _is(zero, 0.0) else x - (zero.to(x.dtype) if isinstance(zero, Tensor) else float(zero))


@op("MatMulInteger", keep=(0, 1))
def _matmul_integer(call: Call, a: Tensor, b: Tensor, zero_a: Any = None, zero_b: Any = None) -> Tensor:
    return torch.matmul(_whole(a, zero_a), _whole(b, zero_b))


@op("ConvInteger", keep=(0, 1))
def _conv_integer(call: Call, x: Tensor, w: Tensor, zero_x: Any = None, zero_w: Any = None) -> Tensor:
    from costmodel.load.onnx.windows import _conv

    made: Tensor = _conv(call, _whole(x, zero_x), _whole(w, zero_w))
    return made


@op("QLinearConv", keep=(0, 3, 8))
def _qlinear_conv(
    call: Call, x: Tensor, sx: Any, zx: Any, w: Tensor, sw: Any, zw: Any, sy: Any, zy: Any, bias: Any = None
) -> Any:
    from costmodel.load.onnx.windows import _conv

    sums: Tensor = _conv(call, _whole(x, zx), _whole(w, zw), None if bias is None else tensor(bias).to(torch.float32))
    return _requantised(sums, sx, _along(sw, sums, 1), sy, zy)


@op("QLinearMatMul", keep=(0, 3))
def _qlinear_matmul(call: Call, a: Tensor, sa: Any, za: Any, b: Tensor, sb: Any, zb: Any, sy: Any, zy: Any) -> Any:
    return _requantised(torch.matmul(_whole(a, za), _whole(b, zb)), sa, _literal(sb), sy, zy)


def _requantised(sums: Tensor, sa: Any, sb: Any, sy: Any, zero: Any) -> Any:
    factor = _literal(sa) * sb / _literal(sy)
    signed = (zero.dtype if isinstance(zero, Tensor) else torch.uint8) == torch.int8
    shift = number(zero)
    levels = torch.round(sums * factor)
    low, high = (-128.0, 127.0) if signed else (0.0, 255.0)
    return torch.clamp(levels if shift == 0.0 else levels + shift, low, high)
