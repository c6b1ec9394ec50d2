"""The numbers that a value can be: an interval, and equally spaced levels in it where a quantiser put it on such.

Everything follows from numbers that stand in the program; a parameter scales and shifts by numbers that are not known,
and what it acts on is any number again. ``round(clamp(3 x, 0, 3))`` is one of 0, 1, 2, 3, whatever ``x`` is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from costmodel.graph.affine import Step
from costmodel.graph.operands import Constant

#: Two numbers of the program that differ by less than this part of a step are one: 0.1 + 0.2 is 0.3.
_NEAR = 1e-9
_ROUNDED: dict[str, Callable[[float], float]] = {
    "round": round, "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Levels:
    """``low`` to ``high``: all real numbers for ``step`` 0, else those ``step`` apart, ``origin`` among them."""

    low: float = -math.inf
    high: float = math.inf
    step: float = 0.0
    origin: float = 0.0

    @property
    def count(self) -> int:
        """How many numbers these are; 0 for no end of them."""
        if not self.step or not math.isfinite(self.high - self.low):
            return 0
        return round((self.high - self.low) / self.step) + 1

    def holds(self, number: float) -> bool:
        """Whether a number is one of the levels, or would be if they went on."""
        return not self.step or not math.isfinite(number) or _whole((number - self.origin) / self.step)

    @property
    def is_truth(self) -> bool:
        return (self.low, self.high, self.step) == (0.0, 1.0, 1.0)

    @property
    def units(self) -> tuple[float, int, int] | None:
        """(u, first, stride): the levels are ``first * u``, ``(first + stride) * u``, … in integers; None if not."""
        if not self.count:
            return None
        first = self.low / self.step
        if _whole(first):
            return self.step, round(first), 1
        return (self.step / 2, round(2 * first), 2) if _whole(2 * first) else None


ANY = Levels()
TRUTH = Levels(0.0, 1.0, 1.0)


def _whole(number: float) -> bool:
    return abs(number - round(number)) <= _NEAR * max(1.0, abs(number))


def rounded(x: Levels, fn: str) -> Levels:
    """``x`` rounded to integers."""
    if fn not in _ROUNDED:
        return ANY
    if x.step and _whole(x.step) and _whole(x.origin):
        return x
    low, high = (float(_ROUNDED[fn](end)) if math.isfinite(end) else end for end in (x.low, x.high))
    return Levels(low, high, 1.0)


def clamped(x: Levels, low: float | None, high: float | None) -> Levels:
    """``x`` between two numbers; a bound between two levels of ``x`` is no level of it."""
    bottom = max(x.low, -math.inf if low is None else low)
    top = min(x.high, math.inf if high is None else high)
    if bottom > top:  # everything is cut off
        return Levels(bottom, bottom) if low is not None and bottom == low else Levels(top, top)
    return Levels(bottom, top, x.step if x.holds(bottom) and x.holds(top) else 0.0, x.origin)


def chained(x: Levels, steps: Sequence[Step]) -> Levels:
    """``x`` behind a chain of scales and biases."""
    for step in steps:
        constant = step.constants[0] if step.constants else None
        number = number_of(constant)
        if step.fn in ("mul", "div"):
            x = times(x, number if step.fn == "mul" else 1.0 / number) if number else ANY
        elif step.fn in ("add", "sub", "rsub"):
            x = times(x, -1.0) if step.fn == "rsub" else x
            if number is not None:
                x = shifted(x, -number if step.fn == "sub" else number)
            elif (
                constant is not None
                and constant.whole
                and constant.factor == 1.0
                and x.step == 1.0
                and _whole(x.origin)
            ):
                x = Levels(step=1.0)
            else:
                x = ANY
        else:
            x = ANY
    return x


def number_of(constant: Constant | None) -> float | None:
    """The number that a constant is: of the program, or the integer that all of it was read to be."""
    if constant is None or constant.literal is not None:
        return None if constant is None else constant.literal
    return None if constant.number is None else constant.number * constant.factor


def times(x: Levels, factor: float) -> Levels:
    low, high = sorted((x.low * factor, x.high * factor))
    return Levels(low, high, x.step * abs(factor), x.origin * factor)


def shifted(x: Levels, number: float) -> Levels:
    return Levels(x.low + number, x.high + number, x.step, x.origin + number)


def added(x: Levels, y: Levels) -> Levels:
    """Sums of one of each: levels of one distance stay so."""
    step = x.step if x.step and y.step and _whole(x.step / y.step) and _whole(y.step / x.step) else 0.0
    return Levels(x.low + y.low, x.high + y.high, step, x.origin + y.origin)


def either(x: Levels, y: Levels) -> Levels:
    """One of the two."""
    low, high = min(x.low, y.low), max(x.high, y.high)
    ends = [end for each in (x, y) for end in (each.low, each.high)]
    known = [each for each in (x, y) if each.step]
    gaps = [abs(a - b) for a in ends for b in ends if math.isfinite(a - b) and a != b]
    step = min([each.step for each in known] + gaps, default=0.0)
    found = Levels(low, high, step, known[0].origin if known else low)
    single = all(each.step or each.low == each.high for each in (x, y))
    return found if step and single and all(found.holds(end) for end in ends) else Levels(low, high)


def gated(x: Levels) -> Levels:
    """``x``, which is as far below zero as above, times zero or one."""
    if not x.count or x.low != -x.high:
        return Levels(min(x.low, 0.0), max(x.high, 0.0))
    return x if x.holds(0.0) else Levels(x.low, x.high, x.high) if x.count == 2 else Levels(x.low, x.high)
