"""Read what kind of operand a tensor is from its values.

Tolerances only decide kinds, never identity of values: a straight-through estimator leaves ``±s`` weights that differ
from ``s`` in the last bits, and these are binary weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from costmodel.domain import BINARY, BINARY01, FLOAT, POW2_BITS, TERNARY, Domain, Scale, integer

#: Relative deviation below which two magnitudes are one: a few units in the last place of single precision.
TOLERANCE = 3e-6
#: More distinct values than this are not a quantisation grid.
_MAX_LEVELS = 256


def classify(values: Tensor | None, axis: int | None = None) -> Domain:
    """The domain of a sample. ``axis`` is the dimension along which a scale may differ (channels).

    Empty, complex or unseen values are ``float``.
    """
    if values is None or values.numel() == 0:
        return FLOAT
    if values.dtype == torch.bool:
        return Domain("binary01", 1, evidence="observed")
    if not values.is_floating_point():
        return _classify_integers(values)
    values = values.float()
    if _all_different(values):
        return FLOAT
    if not torch.isfinite(values).all():
        return FLOAT
    if axis is not None and values.dim() > 1 and 1 < values.shape[axis] < values.numel():
        rows = values.movedim(axis, 0).reshape(values.shape[axis], -1)
        whole = _classify_rows(values.reshape(1, -1))
        if whole.kind in ("binary", "binary01", "ternary"):
            return whole
        by_channel = _per_channel(rows)  # powers of two that differ by channel are a scale, not a kind
        return whole if by_channel.is_float else by_channel
    return _classify_rows(values.reshape(1, -1))


def _all_different(values: Tensor) -> bool:
    """Whether a few values already show that there is no grid: real numbers hardly ever repeat.

    Of 128 draws from 256 levels, 101 are expected to differ; 122 do not happen.
    """
    flat = values.reshape(-1)
    for count in (144, 400):  # a second look where many are zero
        seen = [v for v in flat[:: max(1, flat.numel() // count)][:count].abs().tolist() if v]
        if len(seen) >= 128:
            return len(set(seen)) > 0.95 * len(seen)
    return False


def _per_channel(rows: Tensor) -> Domain:
    if rows.shape[1] < 2:
        return FLOAT
    domain = _classify_rows(rows)
    # One magnitude a row proves nothing when a row holds too few values to show a second one.
    return domain if rows.shape[1] >= 4 or not domain.is_one_bit else FLOAT


def _classify_rows(rows: Tensor) -> Domain:
    """Kind of a matrix whose rows may each have their own magnitude."""
    per_channel = rows.shape[0] > 1
    magnitude = rows.abs()
    top = magnitude.amax(1, keepdim=True)
    if not bool((top > 0).all()):
        return FLOAT
    at_top = magnitude >= top * (1 - TOLERANCE)
    zero = magnitude <= top * TOLERANCE
    if bool((at_top | zero).all()):
        return _one_magnitude(rows, top, bool(zero.any()), per_channel)
    if per_channel:
        return FLOAT
    if _all_powers_of_two(magnitude[~zero]):
        # -2, -1, 0, 1 are powers of two as well, but two bits hold them
        few = _grid(rows[0]) if bool(zero.any()) and bool((rows < 0).any()) else FLOAT
        return few if few.bits <= 2 else Domain("pow2", POW2_BITS, evidence="observed")
    return _grid(rows[0])


def _one_magnitude(rows: Tensor, top: Tensor, has_zero: bool, per_channel: bool) -> Domain:
    positive, negative = bool((rows > 0.5 * top).any()), bool((rows < -0.5 * top).any())
    unit = bool(((top - 1).abs() <= TOLERANCE).all())
    scale: Scale = "one" if unit else "pow2" if _all_powers_of_two(top) else "real"
    if positive and negative:
        kind = TERNARY if has_zero else BINARY
    elif has_zero:
        kind = BINARY01
    else:  # a constant: no information at all, but its size matters to a multiplication
        if scale == "real" and not per_channel:
            return FLOAT
        return Domain("pow2", POW2_BITS, evidence="observed") if scale != "real" else FLOAT
    return Domain(kind.kind, kind.bits, scale, per_channel and scale != "one", "observed")


def _all_powers_of_two(magnitude: Tensor) -> bool:
    if magnitude.numel() == 0:
        return False
    mantissa, _ = torch.frexp(magnitude)
    return bool((mantissa == 0.5).all())


def _grid(row: Tensor) -> Domain:
    """A uniform grid of few levels (DoReFa, fixed point), possibly offset by half a step."""
    if row.numel() < 16:
        return FLOAT
    if row.numel() > 4 * _MAX_LEVELS and len(torch.unique(row[: 2 * _MAX_LEVELS])) > _MAX_LEVELS:
        return FLOAT
    levels = torch.unique(row)
    if len(levels) < 3 or len(levels) > _MAX_LEVELS or len(levels) * 4 > row.numel():
        return FLOAT
    levels = _merge_close(levels)
    gaps = levels.diff()
    step = gaps.min().item()
    multiples = gaps / step
    if step <= 0 or bool(((multiples - multiples.round()).abs() > 1e-3).any()):
        return FLOAT
    count = round((levels[-1] - levels[0]).item() / step) + 1
    bits = max(1, math.ceil(math.log2(count)))
    if bits > 8:
        return FLOAT
    mantissa, _ = math.frexp(step)
    scale: Scale = "one" if abs(step - 1) < TOLERANCE else "pow2" if abs(mantissa - 0.5) < TOLERANCE else "real"
    return Domain("int", bits, scale, evidence="observed")


def _merge_close(levels: Tensor) -> Tensor:
    """Values that differ only by rounding are one level."""
    span = (levels[-1] - levels[0]).item()
    keep = torch.ones(len(levels), dtype=torch.bool)
    keep[1:] = levels.diff() > span * TOLERANCE
    return levels[keep]


def _classify_integers(values: Tensor) -> Domain:
    low, high = int(values.min()), int(values.max())
    if (low, high) == (0, 1):
        return Domain("binary01", 1, evidence="observed")
    bits = max(high, -low - 1).bit_length() + (1 if low < 0 else 0)  # two's complement: eight bits hold -128
    return integer(max(1, bits))


def classify_literal(number: float) -> Domain:
    """The domain of a number written in the program: exact, so powers of two are what they say."""
    magnitude = abs(number)
    if magnitude == 0 or not math.isfinite(magnitude):
        return Domain("float", 32, evidence="literal")
    mantissa, _ = math.frexp(magnitude)
    if magnitude == 1.0:
        return Domain("pow2", POW2_BITS, "one", evidence="literal")
    if mantissa == 0.5:
        return Domain("pow2", POW2_BITS, "pow2", evidence="literal")
    return Domain("float", 32, "real", evidence="literal")
