"""Read what kind of operand a tensor is from its values.

Tolerances only decide kinds, never identity of values: a straight-through estimator leaves ``±s`` weights that differ
from ``s`` in the last bits, and these are binary weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from costmodel.graph.domain import BINARY, BINARY01, FLOAT, POW2_BITS, TERNARY, Domain, DomainKind, Scale, integer
from costmodel.trace.grids import MAX_LEVELS, TOLERANCE, common_step, grid_of_rows, merge_close, scale_of

#: Elements of a large constant that are looked at together.
_CHUNK = 1 << 18


def classify(values: Tensor | None, axis: int | None = None) -> Domain:
    """The domain of a sample. ``axis`` is that of the channels of weights, each of which may have levels of its own.

    Empty, complex or unseen values are ``float``.
    """
    if values is None or values.numel() == 0:
        return FLOAT
    if values.dtype == torch.bool:
        return Domain("binary01", 1, evidence="observed", signed=False)
    if not values.is_floating_point():
        return _classify_integers(values)
    values = values.float()
    rows = _rows(values, axis)
    if _all_different(values):
        return grid_of_rows(rows) if axis is not None else FLOAT
    if not torch.isfinite(values).all():
        return FLOAT
    if axis is not None and _are_equal(rows):
        return _scaled("binary", 1, rows.abs().amax(1, keepdim=True), len(rows) > 1)
    # powers of two that differ by channel are a scale, not a kind
    by_channel = _per_channel(rows) if len(rows) > 1 else FLOAT
    found = by_channel if not by_channel.is_float else _classify_rows(values.reshape(1, -1))
    return grid_of_rows(rows) if found.is_float and axis is not None else found


def _are_equal(rows: Tensor) -> bool:
    """Whether each channel is one number, as a box filter is: its sum is one of its operands, and one product."""
    first = rows[:, :1]
    several = rows.shape[1] >= 4 and bool((first != 0).all())
    return several and bool(((rows - first).abs() <= first.abs() * TOLERANCE).all())


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


def confirm(tensor: Tensor, sample: Tensor, axis: int | None = None) -> Domain:
    """The domain of a large constant, all of it.

    Real numbers show in a sample; what looks quantised there is looked at in full. ``torch.sign(0)`` is 0, so a latent
    weight that is exactly zero leaves a zero among ±1: one in a thousand at most is taken for such a tie.
    """
    seen = classify(sample, axis)
    if seen.is_float or tensor.dtype == torch.bool:
        return seen
    if not tensor.is_floating_point():
        return classify(tensor, axis)
    rows = _rows(tensor, axis)
    if seen.asymmetric or (seen.kind == "int" and seen.per_channel):
        return grid_of_rows(rows)
    low, top = _magnitudes(rows)
    if bool((low >= top * (1 - TOLERANCE)).all()):
        return _scaled(seen.kind, seen.bits, top, top.shape[0] > 1)
    magnitude = rows.abs().float()
    zero = magnitude <= top * TOLERANCE
    if bool(((magnitude >= top * (1 - TOLERANCE)) | zero).all()):
        alive = top.flatten() > 0  # a filter of zeros has no magnitude of its own
        zeros = int(zero[alive].sum())
        if seen.kind == "binary" and zeros * 1000 <= zero.numel():
            return _scaled("binary", 1, top[alive], len(top) > 1)
        return _one_magnitude(rows[alive], top[alive], zeros > 0, len(top) > 1)
    if seen.kind == "pow2":
        return seen if _all_powers_of_two(magnitude[~zero]) else FLOAT
    found = _confirm_grid(rows, sample)
    return grid_of_rows(rows) if found.is_float and axis is not None else found


def _magnitudes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest and the largest magnitude of each row, a few rows at a time: what fits a cache is read once."""
    step = max(1, _CHUNK // max(1, rows.shape[1]))
    buffer = torch.empty(step, rows.shape[1], dtype=rows.dtype)
    low, top = [], []
    for part in torch.split(rows, step):
        magnitude = torch.abs(part, out=buffer[: len(part)])
        low.append(magnitude.amin(1, keepdim=True))
        top.append(magnitude.amax(1, keepdim=True))
    return torch.cat(low).float(), torch.cat(top).float()


def _rows(values: Tensor, axis: int | None) -> Tensor:
    if axis is not None and values.dim() > 1 and 1 < values.shape[axis] < values.numel():
        return values.movedim(axis, 0).reshape(values.shape[axis], -1)
    return values.reshape(1, -1)


def _per_channel(rows: Tensor) -> Domain:
    if rows.shape[1] < 2:
        return FLOAT
    domain = _classify_rows(rows[rows.abs().amax(1) > 0])  # a filter of zeros has no magnitude of its own
    # One magnitude per row proves nothing when a row holds too few values to show a second one.
    return domain if rows.shape[1] >= 4 or not domain.is_one_bit else FLOAT


def _classify_rows(rows: Tensor) -> Domain:
    """Kind of a matrix whose rows may each have their own magnitude."""
    if rows.numel() == 0:
        return FLOAT
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
    if positive and negative:
        kind = TERNARY if has_zero else BINARY
    elif has_zero:
        # A single number among zeros is what any rectifier can leave; only if it is one does it say something.
        if int((rows != 0).sum()) == 1 and scale_of(top) != "one":
            return FLOAT
        kind = BINARY01
    else:  # a constant: no information at all, but its size matters to a multiplication
        real = scale_of(top) == "real"
        return FLOAT if real else Domain("pow2", POW2_BITS, evidence="observed")
    return _scaled(kind.kind, kind.bits, top, per_channel)


def _scaled(kind: DomainKind, bits: int, top: Tensor, per_channel: bool) -> Domain:
    """The kind with the scale that the magnitudes ``top`` of its rows show."""
    if per_channel and float(top.max()) <= float(top.min()) * (1 + TOLERANCE):
        per_channel = False
    scale = scale_of(top)
    return Domain(kind, bits, scale, per_channel and scale != "one", "observed", signed=kind != "binary01")


def _all_powers_of_two(magnitude: Tensor) -> bool:
    if magnitude.numel() == 0:
        return False
    mantissa, _ = torch.frexp(magnitude)
    return bool((mantissa == 0.5).all())


def _grid(row: Tensor) -> Domain:
    """A uniform grid of few levels (DoReFa, fixed point), possibly offset by half a step."""
    if row.numel() < 16:
        return FLOAT
    if row.numel() > 4 * MAX_LEVELS and len(torch.unique(row[: 2 * MAX_LEVELS])) > MAX_LEVELS:
        return FLOAT
    levels = merge_close(torch.unique(row))
    # A handful of real numbers can lie on some grid by chance; seven do not, nor do numbers that keep coming back.
    if len(levels) < 3 or len(levels) > MAX_LEVELS or (len(levels) < 7 and len(levels) * 4 > row.numel()):
        return FLOAT
    step = common_step(levels.diff())
    return FLOAT if step is None else _integers(levels[0].item(), levels[-1].item(), step)


def _integers(low: float, high: float, step: float) -> Domain:
    """The kind of a grid that reaches from ``low`` to ``high``."""
    bits = max(1, math.ceil(math.log2(round((high - low) / step) + 1)))
    if bits > 8:
        return FLOAT
    mantissa, _ = math.frexp(step)
    scale: Scale = "one" if abs(step - 1) < TOLERANCE else "pow2" if abs(mantissa - 0.5) < TOLERANCE else "real"
    return Domain("int", bits, scale, evidence="observed", signed=low < 0)


def _confirm_grid(rows: Tensor, sample: Tensor) -> Domain:
    levels = merge_close(torch.unique(sample.float()))
    step = common_step(levels.diff()) if len(levels) > 2 else None
    if step is None:
        return FLOAT
    places = (rows.float() - levels[0]) / step
    if bool(((places - places.round()).abs() > 2e-3).any()):
        return FLOAT
    return _integers(float(rows.min()), float(rows.max()), step)


def _classify_integers(values: Tensor) -> Domain:
    values = values.long()  # torch finds no extremes of some unsigned types
    low, high = int(values.min()), int(values.max())
    if (low, high) == (0, 1):
        return Domain("binary01", 1, evidence="observed", signed=False)
    bits = max(high, -low - 1).bit_length() + (1 if low < 0 else 0)  # two's complement: eight bits hold -128
    return integer(max(1, bits), signed=low < 0)
