"""The numbers that a value can be: an interval, and equally spaced levels in it where a quantiser put it on such.

Everything follows from numbers that stand in the program: ``round(clamp(3 x, 0, 3))`` is one of 0, 1, 2, 3, whatever
``x`` is. A parameter scales and shifts by numbers that are not known, and what it acts on is any number again, but for
bounds: what was clamped between 0 and a parameter ``a`` and then divided by ``a`` lies between 0 and 1, as in PACT
(arXiv:1805.06085).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from costmodel.graph.affine import Step
from costmodel.graph.operands import Constant, Powers, multiplied

#: Two numbers of the program that differ by less than this part of a step are one: 0.1 + 0.2 is 0.3.
_NEAR = 1e-9
_ROUNDED: dict[str, Callable[[float], float]] = {
    "round": round, "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc,
}  # fmt: skip


class Bound(NamedTuple):
    """A number, or a number times parameters to their powers."""

    number: float
    of: Powers = ()


@dataclass(frozen=True, slots=True)
class Levels:
    """``low`` to ``high``: all real numbers for ``step`` 0, else those ``step`` apart, ``origin`` among them.

    An end is multiplied by the parameters ``low_of`` or ``high_of`` where there are any. Their signs are not known: the
    numbers then lie between both ends in either order.
    """

    low: float = -math.inf
    high: float = math.inf
    step: float = 0.0
    origin: float = 0.0
    low_of: Powers = ()
    high_of: Powers = ()

    @property
    def plain(self) -> bool:
        """Whether both ends are numbers."""
        return not (self.low_of or self.high_of)

    @property
    def count(self) -> int:
        """How many numbers these are; 0 for no end of them."""
        if not self.plain or not self.step or not math.isfinite(self.high - self.low):
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
    if not x.plain:
        return Levels(step=1.0)
    if x.step and _whole(x.step) and _whole(x.origin):
        return x
    low, high = (float(_ROUNDED[fn](end)) if math.isfinite(end) else end for end in (x.low, x.high))
    return Levels(low, high, 1.0)


def clamped(x: Levels, low: float | None, high: float | None) -> Levels:
    """``x`` between two numbers; a bound between two levels of ``x`` is no level of it."""
    if not x.plain:
        return ANY
    bottom = max(x.low, -math.inf if low is None else low)
    top = min(x.high, math.inf if high is None else high)
    if bottom > top:  # everything is cut off
        return Levels(bottom, bottom) if low is not None and bottom == low else Levels(top, top)
    return Levels(bottom, top, x.step if x.holds(bottom) and x.holds(top) else 0.0, x.origin)


def bounded(x: Levels, low: Bound | None, high: Bound | None) -> Levels:
    """``x`` between two bounds, of which one at least is a parameter's: the ends that ``x`` has none of yet.

    Where a parameter's sign puts the lower bound above the higher, all that is left is one of both.
    """
    ends = []
    for own, of, bound in ((x.low, x.low_of, low), (x.high, x.high_of, high)):
        if bound is None:
            ends.append(Bound(own, of))
        elif math.isinf(own) and not of:
            ends.append(bound)
        elif (own, of) == (0.0, ()) and bound.number == 0.0:
            ends.append(Bound(0.0))
        else:
            return ANY
    return Levels(ends[0].number, ends[1].number, low_of=ends[0].of, high_of=ends[1].of)


def chained(x: Levels, steps: Sequence[Step]) -> Levels:
    """``x`` behind a chain of scales and biases."""
    for step in steps:
        constant = step.constants[0] if step.constants else None
        bound = bound_of(constant)
        if step.fn in ("mul", "div"):
            x = _scaled(x, bound, -1 if step.fn == "div" else 1)
        elif step.fn in ("add", "sub", "rsub"):
            x = times(x, -1.0) if step.fn == "rsub" else x
            if bound is not None and not bound.of and x.plain:
                x = shifted(x, -bound.number if step.fn == "sub" else bound.number)
            elif bound is not None and (bound.of or not x.plain):
                x = _moved(x, bound._replace(number=-bound.number) if step.fn == "sub" else bound)
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


def _scaled(x: Levels, bound: Bound | None, power: int) -> Levels:
    """``x`` times a bound, or divided by it."""
    if bound is None or not bound.number:
        return ANY
    x = times(x, bound.number**power)
    if not bound.of:
        return x
    if not math.isfinite(x.low) or not math.isfinite(x.high):
        return ANY  # a sign that is not known turns the end that there is into the other
    of = tuple((name, own * power) for name, own in bound.of)
    low, high = (_product(end, each, of) for end, each in ((x.low, x.low_of), (x.high, x.high_of)))
    if not low.of and not high.of:
        return Levels(min(low.number, high.number), max(low.number, high.number))
    return Levels(low.number, high.number, low_of=low.of, high_of=high.of)


def _product(number: float, *powers: Powers) -> Bound:
    """A number times parameters; zero is zero."""
    return Bound(number, multiplied(*powers) if number else ())


def _moved(x: Levels, by: Bound) -> Levels:
    """``x`` and a bound added, where both ends stay numbers of one parameter each."""
    ends = []
    for end, of in ((x.low, x.low_of), (x.high, x.high_of)):
        if end and by.number and of != by.of:
            return ANY
        ends.append(Bound(end + by.number, of or by.of) if end + by.number else Bound(0.0))
    return Levels(ends[0].number, ends[1].number, low_of=ends[0].of, high_of=ends[1].of)


def bound_of(constant: Constant | None) -> Bound | None:
    """What a constant is, as far as it is known: a number, or one times parameters."""
    number = number_of(constant)
    if number is not None:
        return Bound(number)
    if constant is None or constant.product is None:
        return None
    return Bound(constant.product[0] * constant.factor, constant.product[1])


def number_of(constant: Constant | None) -> float | None:
    """The number that a constant is: of the program, or the integer that all of it was read to be."""
    if constant is None or constant.literal is not None:
        return None if constant is None else constant.literal
    return None if constant.number is None else constant.number * constant.factor


def times(x: Levels, factor: float) -> Levels:
    ends = [(x.low * factor, x.low_of), (x.high * factor, x.high_of)]
    (low, low_of), (high, high_of) = ends if factor >= 0 else ends[::-1]
    return Levels(low, high, x.step * abs(factor), x.origin * factor, low_of, high_of)


def shifted(x: Levels, number: float) -> Levels:
    return Levels(x.low + number, x.high + number, x.step, x.origin + number)


def added(x: Levels, y: Levels) -> Levels:
    """Sums of one of each: levels of one distance stay so."""
    if not (x.plain and y.plain):
        return ANY
    step = x.step if x.step and y.step and _whole(x.step / y.step) and _whole(y.step / x.step) else 0.0
    return Levels(x.low + y.low, x.high + y.high, step, x.origin + y.origin)


def either(x: Levels, y: Levels) -> Levels:
    """One of the two."""
    if not (x.plain and y.plain):
        return ANY
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
    if not x.plain:
        return ANY
    if not x.count or x.low != -x.high:
        return Levels(min(x.low, 0.0), max(x.high, 0.0))
    return x if x.holds(0.0) else Levels(x.low, x.high, x.high) if x.count == 2 else Levels(x.low, x.high)
