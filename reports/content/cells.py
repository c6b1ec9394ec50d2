"""Cells of tables: a text to be read together with the raw numbers that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from costmodel.reports.content.blocks import literal

from costmodel.cli import numbers
from costmodel.cli.table import Column
from costmodel.targets.quantity import Interval


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


def bits(value: int) -> Cell:
    return Cell(numbers.bits(value), (value,))


def cost(metric: str, interval: Interval) -> Cell:
    """A value of a metric with its interval where it has one."""
    value = numbers.metric_value(metric, interval.value)
    if interval.low == interval.high:
        return Cell(value, (interval.value,))
    low, high = (numbers.metric_value(metric, v) for v in (interval.low, interval.high))
    low_number, _, low_unit = low.partition(" ")
    shared = low_unit == high.partition(" ")[2]
    return Cell(f"{value} ({low_number if shared else low} – {high})", (interval.value, interval.low, interval.high))


def amount(metric: str, value: float | None) -> Cell:
    """A value of a metric without interval; nothing for zero."""
    return Cell(numbers.metric_value(metric, value), (value,)) if value else EMPTY


def percent(share: float, digits: int = 1) -> Cell:
    """A share of one."""
    return Cell(f"{100 * share:.{digits}f} %", (share,))


def constant(value: float) -> Cell:
    return Cell(f"{value:.4g}", (value,))


def column(title: str, align: str = "right", *, prose: bool = False) -> Column:
    """A column of cells. Columns of prose share the room that is left and may break lines."""
    return Column(title, title, "left" if align == "left" else "right", prose=prose)
