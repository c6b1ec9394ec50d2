"""Numbers as people read them: engineering notation, units with prefixes, shares, shapes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

_PREFIX = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}

#: metric of an estimate -> (title, unit, whether the unit takes prefixes)
METRICS = {
    "energy_J": ("energy", "J", True),
    "latency_s": ("latency", "s", True),
    "seconds_per_image": ("time an image", "s", True),
    "area_mm2": ("area", "mm²", False),
    "power_W": ("power", "W", True),
    "fps": ("rate", "fps", False),
    "lut": ("LUT", "", True),
    "ff": ("FF", "", True),
    "bram18": ("BRAM18", "", False),
    "bram36": ("BRAM36", "", False),
    "dsp": ("DSP", "", False),
    "uram": ("URAM", "", False),
    "carry": ("CARRY", "", False),
    "cycles": ("cycles", "", True),
    "tops": ("TOPS", "", False),
    "tops_per_watt": ("TOPS/W", "", False),
    "throughput_fps": ("throughput", "fps", False),
    "images_per_second": ("images per second", "", False),
    "inferences_per_s": ("inferences", "/s", False),
}

#: Units that a metric which is not in the table may end in.
_UNITS = {"_B_per_s": "B/s", "_per_s": "/s", "_J": "J", "_s": "s", "_W": "W", "_Hz": "Hz", "_bit": "bit", "_B": "B"}


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


def metric_title(metric: str) -> str:
    """Head of the column of a metric: ``energy_J`` is energy."""
    if metric in METRICS:
        return METRICS[metric][0]
    return _split(metric)[0].replace("_", " ")


def metric_value(metric: str, value: float | None, digits: int = 3) -> str:
    """A value of a metric with its unit: 0.000283 of ``latency_s`` is 283 µs."""
    if value is None:
        return ""
    if metric.startswith("utilisation"):
        return f"{100 * value:.{digits}g} %"
    _, unit, prefixed = METRICS.get(metric) or (*_split(metric), bool(_split(metric)[1]))
    if prefixed:
        return engineering(value, unit, digits) if unit or abs(value) >= 1000 else f"{value:.{digits}g}"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"
    return f"{text} {unit}".rstrip()


def one_unit(metric: str, most: float) -> tuple[float, str]:
    """The unit in which a column of values up to ``most`` is read, and what its values are divided by."""
    _, unit, prefixed = METRICS.get(metric) or (*_split(metric), bool(_split(metric)[1]))
    if not (unit and prefixed and most > 0):
        return 1.0, unit
    power = min(max(3 * math.floor(math.log10(most) / 3), -18), 15)
    return 10.0**power, _PREFIX[power] + unit


def _split(metric: str) -> tuple[str, str]:
    """The name of a metric and the unit it ends in."""
    for ending, unit in _UNITS.items():
        if metric.endswith(ending):
            return metric.removesuffix(ending), unit
    return metric, ""


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
