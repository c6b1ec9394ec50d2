"""Cells of tables: a text to be read together with the raw numbers that it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from costmodel.reports.content.blocks import literal
from costmodel.targets.quantity import Interval
from costmodel.views import numbers
from costmodel.views.table import Column


@dataclass(frozen=True, slots=True)
class Cell:
    """``values`` are what the API answers, ``text`` is how the report prints them."""

    text: str
    values: tuple[float, ...] = ()

    def __str__(self) -> str:
        return self.text


EMPTY = Cell("")


def text(value: str) -> Cell:
    """Text from outside."""
    return Cell(literal(value))


def count(value: int | Fraction) -> Cell:
    """A number of operations: all digits where it is whole."""
    if isinstance(value, Fraction) and value.denominator != 1:
        return Cell(f"{float(value):,.1f}", (float(value),))
    return Cell(f"{int(value):,}", (int(value),))


def many(value: int) -> str:
    """A number of designs: all digits up to a million millions, else three and a power of ten."""
    if value < 10**12:
        return f"{value:,}"
    digits, power = f"{value:.2e}".split("e+")
    return f"{digits} × 10{power.translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def bits(value: int) -> Cell:
    return Cell(numbers.bits(value), (value,))


def interval(metric: str, given: Interval) -> tuple[Cell, Cell]:
    """A value of a metric and, to stand next to it, its interval where it has one."""
    value, low, high = (numbers.metric_value(metric, v) for v in (given.value, given.low, given.high))
    nominal = Cell(value, (given.value,))
    if given.low == given.high:
        return nominal, EMPTY
    if low.partition(" ")[2] == high.partition(" ")[2]:
        low = low.partition(" ")[0]
    return nominal, Cell(f"{low} – {high}", (given.low, given.high))


def amounts(metric: str, values: Sequence[float | None], digits: int = 0) -> tuple[str, list[Cell]]:
    """A column of values of one metric in one unit, which is the first answer; nothing for zero.

    The largest has four digits or more, and all have as many decimals, so that they can be compared at a glance; with
    ``digits``, each has that many digits, for values of very different sizes.
    """
    most = max((abs(v) for v in values if v), default=1.0)
    factor, unit = numbers.metric_unit(metric, most)
    whole = not unit and all(float(v).is_integer() for v in values if v)
    decimals = 0 if whole else max(0, 3 - math.floor(math.log10(most / factor)))
    made = []
    for v in values:
        if v and digits and not whole:
            decimals = max(0, digits - 1 - math.floor(math.log10(abs(v) / factor)))
        text = f"{v / factor:,.{decimals}f}" if v else ""
        if v and not text.strip("-0.,"):
            text = f"< {10.0**-decimals:.{decimals}f}"
        made.append(Cell(text.replace("-", "−"), (v,)) if v else EMPTY)
    return unit, made


def percent(share: float, digits: int = 1) -> Cell:
    """A share of one."""
    return Cell(f"{100 * share:.{digits}f} %", (share,))


#: Units that the values of constants may take prefixes of; of an area the prefix is squared.
_SCALABLE = ("J", "W", "s", "Hz", "B", "mm2")


def constants(unit: str, values: Sequence[float]) -> tuple[str, list[Cell]]:
    """A value of a constant with its bounds, all in the unit that is the first answer.

    The prefix goes before a unit that stands alone or over another (J/bit); tiny areas are in µm².
    """
    base, slash, per = unit.partition("/")
    size = abs(values[0]) or max(map(abs, values))
    factor, shown = 1.0, "" if unit == "1" else unit
    if base in _SCALABLE and size and not 1e-3 <= size < 1e4:
        if base == "mm2":
            factor, base = (1e-6, "µm²") if size < 1e-3 else (1.0, "mm²")
        else:
            factor, base = numbers.one_unit(base, size)
        shown = base + slash + per
    return shown.replace("mm2", "mm²"), [Cell(f"{v / factor:.4g}".replace("-", "−"), (v,)) for v in values]


def plain(value: object) -> str:
    """A setting or fact in words: whole numbers with all digits, others with four."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and abs(value) < 10_000:
        return f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)


def column(title: str, align: str = "right", *, prose: bool = False) -> Column:
    """A column of cells. Columns of prose share the room that is left and may break lines.

    A title may have lines of its own where what stands below is narrow.
    """
    return Column(title, title, "left" if align == "left" else "right", prose=prose)
