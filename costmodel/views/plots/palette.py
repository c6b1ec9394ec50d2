"""The design system: colours that the colour-blind can tell apart, the same on screen and on paper, and metric names.

The categorical colours are those of Okabe and Ito (Color Universal Design, 2008), darkened where they would be too
faint on white. Where more categories are needed than colours, symbols and labels carry the difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Okabe and Ito's colours without black; yellow darkened to be legible on white.
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00", "#7F7F7F")
#: Series of a cycle of colours also differ in symbol, so that no figure depends on colour alone.
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "pentagon", "star", "hexagon")

#: Kinds of operations: what multiplies is warm, what is one bit is blue, what only wires is grey.
KIND_COLOURS = {
    "mul": "#D55E00",
    "add": "#0072B2",
    "compare": "#009E73",
    "xnor": "#56B4E9",
    "and": "#9AD0F5",
    "popcount": "#005A8C",
    "shift_const": "#B9B9B9",
    "shift_channel": "#8F8F8F",
    "shift_var": "#5F5F5F",
    "signflip": "#E69F00",
    "lut": "#CC79A7",
    "special": "#8A6D00",
    "unknown": "#7A0019",
}
ROLE_COLOURS = {"input": "#56B4E9", "output": "#0072B2", "weight": "#E69F00", "parameter": "#8A6D00"}


@dataclass(frozen=True, slots=True)
class Theme:
    """Ground, ink and lines of one mode. Ink on ground has a contrast of at least 7:1, muted of at least 4.5:1."""

    name: str
    ground: str
    panel: str
    ink: str
    muted: str
    line: str
    accent: str
    faded: str
    #: Sequential scale of densities, from few to many.
    density: tuple[str, ...]


LIGHT = Theme(
    "light", "#FFFFFF", "#F6F7F9", "#1B1F24", "#57606A", "#D5D9DF", "#00598C", "#A3AAB3",
    ("#EEF4F9", "#B7D3E6", "#6FA8CC", "#2C78A8", "#0B4468"),
)  # fmt: skip
DARK = Theme(
    "dark", "#14171C", "#1C2027", "#ECEFF3", "#A9B2BD", "#363D47", "#6CB8EA", "#59626E",
    ("#1C2732", "#27465E", "#34709A", "#5AA2D1", "#BFE2F8"),
)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK}


def colours(names: Iterable[str], fixed: dict[str, str] | None = None) -> dict[str, str]:
    """A colour for each name, in order of first appearance; those in ``fixed`` keep theirs."""
    table: dict[str, str] = {}
    used = 0
    for name in dict.fromkeys(names):
        if fixed and name in fixed:
            table[name] = fixed[name]
        else:
            table[name] = CYCLE[used % len(CYCLE)]
            used += 1
    return table


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity that an axis can show. ``unit`` is a base unit; ``better`` says which end one wants."""

    name: str
    title: str
    unit: str
    better: str = "low"
    #: Whether it is a property of the network alone, the same on all hardware.
    of_network: bool = False

    @property
    def maximised(self) -> bool:
        return self.better == "high"

    @property
    def word(self) -> str:
        """The title inside of a sentence: “energy an image”, but “LUTs”."""
        first = self.title.split()[0]
        return self.title if first[1:] != first[1:].lower() else self.title[0].lower() + self.title[1:]


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric("accuracy", "Top-1 accuracy", "%", "high", True),
        Metric("energy_J", "Energy an image", "J"),
        Metric("latency_s", "Latency", "s"),
        Metric("fps", "Images a second", "/s", "high"),
        Metric("power_W", "Power", "W"),
        Metric("area_mm2", "Area", "mm²"),
        Metric("lut", "LUTs", ""),
        Metric("ff", "Flip-flops", ""),
        Metric("bram18", "Block RAM (18 kbit)", ""),
        Metric("uram", "UltraRAM", ""),
        Metric("dsp", "DSP slices", ""),
        Metric("cycles", "Cycles an image", ""),
        Metric("tops_per_watt", "TOPS/W", "", "high"),
        Metric("seconds_per_image", "Time an image", "s"),
        Metric("clock_Hz", "Clock", "Hz"),
        Metric("mul", "Multiplications", "", "low", True),
        Metric("ops64", "OPs (FLOPs + BOPs/64)", "", "low", True),
        Metric("macs", "Multiply-accumulates", "", "low", True),
        Metric("weight_bits", "Weights", "bit", "low", True),
        Metric("parameters", "Parameters", "", "low", True),
    )
}


def metric(name: str) -> Metric:
    """The metric of that name; one that is not in the table stands for itself and is to be small."""
    return METRICS.get(name) or Metric(name, name.replace("_", " "), "")


_PREFIXES = (
    (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"),
)  # fmt: skip

#: Units that are used in thousandths; half an image a second is 0.5 /s and not 500 m/s.
_SMALL = ("J", "s", "W", "V", "A", "F", "m")


def show(value: float, unit: str = "") -> str:
    """Three digits with an SI prefix: 0.00657 J is ``6.57 mJ``. Percent and mm² take no prefix."""
    if value != value:
        return "not known"
    if unit in ("%", "mm²"):
        return f"{value:.4g} {unit}"
    size = abs(value)
    if size == 0:
        return f"0 {unit}".strip()
    if size < 1 and unit.partition("/")[0] not in _SMALL:
        return f"{value:.3g} {unit}".strip()
    factor, prefix = next((p for p in _PREFIXES if size >= p[0] * 0.9995), _PREFIXES[-1])
    return f"{value / factor:.3g} {prefix}{unit}".strip()


def between(low: float, high: float, unit: str = "") -> str:
    """An interval, its unit said once where both ends have the same prefix: ``173 to 493 µJ``."""
    a, b = show(low, unit), show(high, unit)
    (start, _, suffix), (_, _, other) = a.partition(" "), b.partition(" ")
    return f"{start} to {b}" if suffix == other else f"{a} to {b}"
