"""The kind of a value by the range of its levels."""

from __future__ import annotations

import math
from dataclasses import replace

from costmodel.graph.domain import BINARY, BINARY01, TERNARY, Domain, Scale
from costmodel.trace.ranges import MOST_BITS, Range, is_on


def domain_of_range(x: Range, weights: bool = False) -> Domain | None:
    """The kind of a value that takes exactly the levels of a range; None where these are not a few.

    Levels that are neither multiples of their step nor symmetric about zero, as odd halves are, lie around no zero; so
    do those of ``weights`` that take more bits than there are levels, whose zero point costs a second sum.
    """
    count = x.levels
    if count < 2 or (count > 1 << MOST_BITS and not x.sums):
        return None
    if x.sums:
        return _domain_of_sums(x)
    size = max(abs(x.low), abs(x.high))
    step = x.step
    mantissa, _ = math.frexp(step)
    scale: Scale = x.scale if x.scale != "one" else "one" if step == 1.0 else "pow2" if mantissa == 0.5 else "real"
    aside = x.offset or (count > 2 and abs(x.low + x.high) > 1e-6 * size and _is_aside(x, weights))
    if aside:
        kind = BINARY if count == 2 else Domain("int", max(1, math.ceil(math.log2(count))), signed=False)
        scale = _scale(step / 2, x.scale) if count == 2 else scale
    elif count == 2 and abs(x.low + x.high) <= 1e-6 * size:
        kind, scale = BINARY, _scale(size, x.scale)
    elif count == 2 and min(abs(x.low), abs(x.high)) == 0.0:
        kind, scale = BINARY01, _scale(size, x.scale)
    elif count == 2:
        return replace(BINARY, scale=_scale(step / 2, x.scale), per_channel=x.per_channel, asymmetric=True)
    elif count == 3 and abs(x.low + x.high) <= 1e-6 * size:
        kind = TERNARY
    else:
        kind = Domain("int", max(1, math.ceil(math.log2(count))), signed=x.low < 0)
    per_channel = x.per_channel and (scale != "one" or x.offset)
    return replace(kind, scale=scale, per_channel=per_channel, evidence="rule", asymmetric=aside)


def _is_aside(x: Range, weights: bool) -> bool:
    """Whether the levels are no multiples of their step, or those of weights are far from zero."""
    if not is_on(x.low, 0.0, x.step):
        return True
    top = max(round(x.high / x.step), -round(x.low / x.step) - 1, 0)
    return weights and top.bit_length() + (x.low < 0) > math.ceil(math.log2(x.levels))


def _domain_of_sums(x: Range) -> Domain | None:
    """Integers of any width, as long as shifts are all that moves them; None for anything else."""
    mantissa, _ = math.frexp(x.step)
    if mantissa != 0.5 or not x.plain or not is_on(x.low, 0.0, x.step):
        return None
    low, high = round(x.low / x.step), round(x.high / x.step)
    bits = max(high, -low - 1).bit_length() + (low < 0)
    return Domain("int", max(1, bits), "one" if x.step == 1.0 else "pow2", signed=low < 0)


def _scale(size: float, scale: Scale) -> Scale:
    if scale != "one":
        return scale
    mantissa, _ = math.frexp(size)
    return "one" if size == 1.0 else "pow2" if mantissa == 0.5 else "real"
