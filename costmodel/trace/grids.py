"""Which few levels the weights of each output channel lie on, where every channel has levels of its own.

A channel is a row. Two levels ``a, b`` are one bit, ``-p, 0, n`` are two, more of them at equal distances are integers
with a step: :math:`w = s_o k + b_o`. Levels that lie on no grid through zero, nor half way between the numbers of one,
are ``asymmetric``: they take a second constant a channel.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from costmodel.graph.domain import BINARY, FLOAT, TERNARY, Domain, Scale

#: Relative deviation below which two magnitudes are one: a few units in the last place of single precision.
TOLERANCE = 3e-6
#: More levels than this are not a quantisation grid.
MAX_LEVELS = 256
#: Share of a step by which single precision moves a level of a grid.
_OFF_GRID = 2e-3
#: Elements of a row that show its step; the others only have to lie on it.
_LOOK = 64
#: Elements that show real numbers: one of 255 grids holds fourteen of them by chance once in 10^30.
_GLANCE = 16
#: Elements beyond three a row that have to lie on its levels: real numbers do so once in 10^14.
_WITNESSES = 6
_SEEN = (replace(BINARY, evidence="observed"), replace(TERNARY, evidence="observed"))


def grid_of_rows(rows: Tensor) -> Domain:
    """The kind of weights ``[channels, terms]`` that are real numbers as a whole; ``FLOAT`` if they stay it."""
    rows = rows.float() if rows.dtype != torch.float64 else rows
    if _shows_real_numbers(rows[0]):
        return FLOAT
    low, high = rows.aminmax(dim=1)
    size = torch.maximum(low.abs(), high.abs())
    alive = high - low > TOLERANCE * size  # a filter of one number shows no levels
    if not bool(alive.any()) or _shows_real_numbers(rows[int(alive.int().argmax())]):
        return FLOAT
    rows, low, high, size = rows[alive], low[alive], high[alive], size[alive]
    if int(((rows != 0).sum(1) - 3).clamp(min=0).sum()) < _WITNESSES:
        return FLOAT
    return _two_or_three(rows, low, high, size) or _integers(rows, low, high) or FLOAT


def _shows_real_numbers(row: Tensor) -> bool:
    """Whether a few elements of a channel are more than three numbers and lie on no grid: then all of it does not."""
    few = row[:_GLANCE]
    return len(set(few.tolist()) - {0.0}) > 2 and _steps(few[None]) is None


def with_levels(kind: Domain, values: Tensor, axis: int) -> Domain | None:
    """Weights of this kind by rule, with the scale that their values show.

    None where these contradict it: where the scale differs along the terms of a sum.
    """
    several = values.dim() > 1 and 1 < values.shape[axis] < values.numel()
    rows = values.movedim(axis, 0).reshape(values.shape[axis], -1) if several else values.reshape(1, -1)
    rows = rows.double()
    if kind.kind == "int" or kind.asymmetric:
        low, high = rows.aminmax(dim=1)
        alive = high - low > TOLERANCE * torch.maximum(low.abs(), high.abs())
        if not bool(alive.any()):  # rows of one number each show no step
            return kind
        steps = _steps(rows[alive]) if kind.kind == "int" else (high - low)[alive] / 2
        return None if steps is None else _kind(kind, steps, low[alive], kind.asymmetric)
    size = rows.abs().amax(1, keepdim=True)
    alive = size[:, 0] > 0
    if not bool(alive.any()):
        return kind
    magnitude, size = rows[alive].abs(), size[alive]
    if not bool(((magnitude >= size * (1 - TOLERANCE)) | (magnitude <= size * TOLERANCE)).all()):
        return None
    return _kind(kind, size[:, 0], size[:, 0], asymmetric=False)


def _two_or_three(rows: Tensor, low: Tensor, high: Tensor, size: Tensor) -> Domain | None:
    near = TOLERANCE * size[:, None]
    ends = ((rows - low[:, None]).abs() <= near) | ((rows - high[:, None]).abs() <= near)
    if bool(ends.all()):
        return _kind(_SEEN[0], (high - low) / 2, low, asymmetric=True)
    if bool((ends | (rows.abs() <= near)).all()) and bool((low <= 0).all()) and bool((high >= 0).all()):
        return _kind(_SEEN[1], (high - low) / 2, low, asymmetric=True)
    return None


def _integers(rows: Tensor, low: Tensor, high: Tensor) -> Domain | None:
    steps = steps_of_rows(rows)
    if steps is None:
        return None
    count = ((high - low) / steps).round() + 1
    first = low / steps
    off = (first - first.round()).abs() > _OFF_GRID * count
    half = (first * 2 - (first * 2).round()).abs() > 2 * _OFF_GRID * count
    if bool(off.any()) and bool(half.any()):
        # A row that happens to show every other level only has a step that is too large.
        for factor in range(2, 5):
            fits = off & (count * factor <= float(count.max()))
            finer = first * factor
            fits &= (finer - finer.round()).abs() <= _OFF_GRID * count * factor
            steps, first = torch.where(fits, steps / factor, steps), torch.where(fits, finer, first)
            off = off & ~fits
        count = ((high - low) / steps).round() + 1
    multiples = not bool(off.any())
    # Odd halves are bits of weight ±1, if as many of them lie below zero as above.
    aside = half | (off & ((low + high).abs() > _OFF_GRID * count * steps))
    asymmetric = not multiples and bool(aside.any())
    bits = max(1, math.ceil(math.log2(float(count.max()))))
    if multiples:  # in two's complement; a zero point that is far from the middle is a second constant
        top = max(int((high / steps).round().max()), -int((low / steps).round().min()) - 1, 0)
        signed = bool((low < -_OFF_GRID * steps).any())
        asymmetric = top.bit_length() + signed > bits
    if bits > int(math.log2(MAX_LEVELS)):
        return None
    kind = Domain("int", bits, evidence="observed", signed=bool((low < 0).any()) and not asymmetric)
    return _kind(kind, steps, low, asymmetric)


def steps_of_rows(rows: Tensor) -> Tensor | None:
    """The largest step of each row that all differences of its elements are multiples of; None if one has none."""
    steps = _steps(rows[:, :_LOOK])
    if steps is None or rows.shape[1] <= _LOOK:
        return steps
    off = ~_fits(rows, steps)
    if bool(off.any()):  # what a part of a row shows is a multiple of its step
        more = _steps(rows[off])
        if more is None:
            return None
        steps[off] = more
    return steps


def _steps(rows: Tensor) -> Tensor | None:
    """The span of a row is a whole number of steps: the smallest that puts all elements on the grid."""
    rows = rows.double()
    low = rows.amin(1, keepdim=True)
    span = rows.amax(1, keepdim=True) - low
    numbers = torch.arange(1.0, MAX_LEVELS, dtype=torch.float64)[:, None]
    steps = []
    for part, width in zip(torch.split((rows - low) / span, 16), torch.split(span, 16), strict=True):
        places = part[:, None, :] * numbers
        fits = ((places - places.round()).abs() <= _OFF_GRID).all(2)
        if not bool(fits.any(1).all()):
            return None
        steps.append(width[:, 0] / (fits.int().argmax(1) + 1))
    return torch.cat(steps)


def _fits(rows: Tensor, steps: Tensor) -> Tensor:
    """Which rows lie on their grids."""
    places = (rows - rows[:, :1]) / steps[:, None].to(rows.dtype)
    return ((places - places.round()).abs() <= _OFF_GRID).all(1)


def merge_close(levels: Tensor) -> Tensor:
    """Values that differ only by rounding are one level."""
    span = (levels[-1] - levels[0]).item()
    keep = torch.ones(len(levels), dtype=torch.bool)
    keep[1:] = levels.diff() > span * TOLERANCE
    return levels[keep]


def common_step(gaps: Tensor) -> float | None:
    """The largest number that all gaps are multiples of, if it is not small against them."""
    step = float(gaps.min())
    span = float(gaps.sum())
    for _ in range(8):  # Euclid: what is left of the division by a step that is too large is a multiple of the true one
        if step * MAX_LEVELS < span * (1 - 1e-3):
            return None
        rest = gaps / step
        rest = (rest - rest.round()).abs()
        wrong = rest > 1e-3
        if not bool(wrong.any()):
            return span / round(span / step)
        step = float(rest[wrong].min()) * step
    return None


def _kind(kind: Domain, steps: Tensor, origins: Tensor, asymmetric: bool) -> Domain:
    scale = scale_of(steps)
    same = float(steps.max()) <= float(steps.min()) * (1 + TOLERANCE) and (
        not asymmetric or float(origins.max() - origins.min()) <= TOLERANCE * float(origins.abs().max())
    )
    per_channel = not same and (scale != "one" or asymmetric)
    return replace(kind, scale=scale, per_channel=per_channel, asymmetric=asymmetric)


def scale_of(sizes: Tensor) -> Scale:
    """What multiplying by these sizes takes."""
    if bool(((sizes - 1).abs() <= TOLERANCE).all()):
        return "one"
    mantissa, _ = torch.frexp(sizes)
    return "pow2" if bool((mantissa == 0.5).all()) else "real"
