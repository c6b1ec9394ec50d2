"""A number that knows its unit, its uncertainty and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

#: P primary text read, T third-party transcription of a named primary, A abstract only, C computed or measured with
#: open tools from stated inputs, F fitted to stated calibration rows.
Confidence = Literal["P", "T", "A", "C", "F"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the bounds it is believed to lie in; ``low <= value <= high``."""

    value: float
    low: float
    high: float

    def __add__(self, other: Interval) -> Interval:
        """Sum of independent quantities: half-widths add in quadrature."""
        value = self.value + other.value
        down = math.hypot(self.value - self.low, other.value - other.low)
        up = math.hypot(self.high - self.value, other.high - other.value)
        return Interval(value, value - down, value + up)

    def scaled(self, factor: float) -> Interval:
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    @staticmethod
    def exact(value: float) -> Interval:
        return Interval(value, value, value)


@dataclass(frozen=True, slots=True)
class Quantity:
    """One hardware constant: SI or counted unit, bounds, citation keys of ``sources.bib``, and confidence."""

    value: float
    unit: str
    low: float
    high: float
    source: str
    confidence: Confidence
    note: str = ""
    #: Identifiers of the ground-truth rows that set the value or a bound; a fitted constant (confidence F) has some.
    fitted_to: tuple[str, ...] = ()

    def interval(self) -> Interval:
        return Interval(self.value, self.low, self.high)


def spread(values: Iterable[float]) -> Interval:
    """Interval of several measurements of one thing: median, minimum, maximum."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Interval(median, ordered[0], ordered[-1])
