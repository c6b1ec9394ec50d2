"""Numbers as people read them: engineering notation, units with prefixes, shares, shapes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from costmodel.metrics import METRICS, metric

_PREFIX = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}

#: Units that take no prefix.
BARE = ("%", "mm²")


def plain(value: Any) -> str:
    """Anything as text; nothing for ``None``."""
    return "" if value is None else str(value)


def count(value: int | None) -> str:
    """A number of operations in engineering notation, four digits: 118.0M, 1.505M, 512.0k, 840; nothing for zero."""
    if not value:
        return ""
    return str(value) if abs(value) < 1000 else engineering(value)


def exact(value: int | None) -> str:
    """A number of operations with all its digits: 118,013,952; nothing for zero."""
    return f"{value:,}" if value else ""


def engineering(value: float, unit: str = "", digits: int = 4) -> str:
    """``value`` with ``digits`` significant digits and the SI prefix that leaves one to three before the point."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}{' ' + unit if unit else ''}"
    power = 3 * math.floor(math.log10(abs(value)) / 3)
    power = min(max(power, -18), 15)
    scaled = value / 10.0**power
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(scaled))))
    if round(abs(scaled), decimals) >= 1000 and power < 15:
        power, scaled, decimals = power + 3, scaled / 1000.0, digits - 1
    return f"{scaled:.{decimals}f}{' ' if unit else ''}{_PREFIX[power]}{unit}"


def metric_title(name: str) -> str:
    """Head of the column of a metric: ``energy_J`` is energy."""
    return metric(name).head


def metric_value(name: str, value: float | None, digits: int = 3) -> str:
    """A value of a metric with its unit: 0.000283 of ``latency_s`` is 283 µs."""
    if value is None:
        return ""
    row = metric(name)
    if row.form == "share":
        return f"{100 * value:.{digits}g} %"
    if row.form == "si":
        return engineering(value, row.unit, digits) if row.unit or abs(value) >= 1000 else f"{value:.{digits}g}"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"
    return f"{text} {row.unit}".rstrip()


def metric_unit(name: str, most: float) -> tuple[float, str]:
    """The unit in which a column of values of a metric up to ``most`` is read, and what its values are divided by."""
    row = metric(name)
    return one_unit(row.unit, most) if row.form == "si" and row.unit else (1.0, row.unit)


def one_unit(unit: str, most: float) -> tuple[float, str]:
    """The prefixed unit in which values up to ``most`` have one to three digits, and what they are divided by."""
    if most <= 0:
        return 1.0, unit
    power = min(max(3 * math.floor(math.log10(most) / 3), -18), 15)
    return 10.0**power, _PREFIX[power] + unit


def show(value: float, unit: str = "") -> str:
    """At most three digits with an SI prefix: 0.00657 J is ``6.57 mJ``. Percent and mm² take no prefix."""
    if value != value:
        return "not known"
    if unit in BARE:
        return f"{value:.4g} {unit}"
    size = abs(value)
    if size == 0:
        return f"0 {unit}".strip()
    if size < 1 and not _is_physical(unit.partition("/")[0]):
        return f"{value:.3g} {unit}".strip()
    power = next((p for p in sorted(_PREFIX, reverse=True) if -12 <= p <= 12 and size >= 10.0**p * 0.9995), -12)
    return f"{value / 10.0**power:.3g} {_PREFIX[power]}{unit}".strip()


def _is_physical(unit: str) -> bool:
    """Whether a unit is used in thousandths: half of a thing that is counted is 0.5 and not 500 m."""
    return unit in ("V", "A", "F", "m") or any(
        m.unit == unit != "" and m.form == "si" and m.kinds for m in METRICS.values()
    )


def between(low: float, high: float, unit: str = "") -> str:
    """An interval, its unit said once where both ends have the same prefix: ``173 to 493 µJ``."""
    a, b = show(low, unit), show(high, unit)
    (start, _, suffix), (_, _, other) = a.partition(" "), b.partition(" ")
    return f"{start} to {b}" if suffix == other else f"{a} to {b}"


def share(part: float | None, whole: float) -> str:
    """``part`` of ``whole`` in per cent; nothing where there is no part."""
    if not part or not whole:
        return ""
    percent = 100.0 * part / whole
    return "<0.1%" if percent < 0.05 else f"{percent:.1f}%"


def shape(dims: Iterable[int]) -> str:
    """Sizes joined by ×, without a batch of one: 64×112×112."""
    sizes = tuple(dims)
    if len(sizes) > 1 and sizes[0] == 1:
        sizes = sizes[1:]
    return "×".join(map(str, sizes))


def bits(value: float) -> str:
    """A number of bits as bytes with a binary prefix: 4.00 MiB."""
    size = value / 8
    for prefix in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or prefix == "TiB":
            return f"{size:.0f} B" if prefix == "B" else f"{size:.2f} {prefix}"
        size /= 1024
    raise AssertionError
