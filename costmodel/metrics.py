"""The one home of a metric: what it is called, in which unit, whether more is better, and how its values are written.

Every floor reads this table: the hardware models, whose bills state metrics by name; the explorer, which judges designs
by them; tables, figures, the dashboard and the reports, which show them. A new metric is one row here and whoever
computes it. A name says its unit: ``energy_J``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from costmodel.errors import UnknownNameError

#: ``si``: the unit takes prefixes (283 µs, 21.1k). ``plain``: it does not (1,648; 0.802 mm²). ``share``: a part of one,
#: written in per cent.
Form = Literal["si", "plain", "share"]
TargetKind = Literal["fpga", "asic", "arm", "cpu"]
ALL: tuple[TargetKind, ...] = ("fpga", "asic", "arm", "cpu")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``head`` is its short title, which heads columns; ``title`` the long one, which labels axes.

    ``kinds`` are the kinds of target that have it; a metric of none is one of the network alone, the same everywhere.
    ``better`` is the end that one wants, empty where neither is. ``headline`` metrics are the first that a design is
    shown by, in the order of the table; by an ``objective`` explored designs can be judged. ``also`` are other words
    that are understood.
    """

    name: str
    head: str
    title: str
    unit: str = ""
    form: Form = "si"
    better: Literal["low", "high", ""] = "low"
    kinds: tuple[TargetKind, ...] = ()
    headline: bool = False
    objective: bool = False
    also: tuple[str, ...] = ()

    @property
    def maximised(self) -> bool:
        return self.better == "high"

    @property
    def scoped(self) -> bool:
        """Whether it is that of a chip's core on one target, of the whole board on another: not to be compared then."""
        return self.name in OF_ENERGY

    @property
    def of_network(self) -> bool:
        return not self.kinds

    @property
    def prefixed(self) -> bool:
        """Whether an axis counts it in thousands: all but units that take no prefix, such as mm² and %."""
        return self.form == "si" or (self.form == "plain" and not self.unit)

    @property
    def label(self) -> str:
        """The title with the unit of its values, for an axis."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title

    @property
    def word(self) -> str:
        """The title inside of a sentence: “energy per image”, but “LUTs”."""
        first = self.title.split()[0]
        return self.title if first[1:] != first[1:].lower() else self.title[0].lower() + self.title[1:]

    @property
    def names(self) -> tuple[str, ...]:
        """Every way to write it."""
        return (self.name, self.head, self.title, *self.also)


#: Kinds whose power and clock are known; times that were measured on a machine say nothing of them.
_SHIPPED: tuple[TargetKind, ...] = ("fpga", "asic", "arm")
_FPGA: tuple[TargetKind, ...] = ("fpga",)
_ASIC: tuple[TargetKind, ...] = ("asic",)

_ROWS = (
    Metric("accuracy", "top-1", "Top-1 accuracy", "%", "plain", "high", objective=True, also=("top1",)),
    Metric("energy_J", "energy", "Energy per image", "J", kinds=_SHIPPED, headline=True, objective=True),
    Metric("latency_s", "latency", "Latency", "s", kinds=ALL, headline=True, objective=True, also=("time",)),
    # Over `batch` images in a row, the filling of a pipeline included.
    Metric("images_per_second", "images per second", "Images per second", "", "plain", "high", ALL, True,
           also=("fps", "rate", "/s", "1/s")),
    # Of a pipeline that stays full: clock / initiation interval; what `fps` asks for. `throughput_fps` in old scripts.
    Metric("steady_images_per_second", "steady rate", "Images per second, steady", "", "plain", "high", _FPGA, True,
           also=("throughput_fps",)),
    # Of a pipeline that stays full; elsewhere the latency.
    Metric("seconds_per_image", "time per image", "Time per image", "s", kinds=ALL, objective=True),
    Metric("power_W", "power", "Power", "W", kinds=_ASIC, headline=True),
    Metric("area_mm2", "area", "Area", "mm²", "plain", kinds=_ASIC, headline=True, objective=True),
    Metric("tops_per_watt", "TOPS/W", "TOPS/W", "", "plain", "high", _ASIC, True),
    Metric("tops", "TOPS", "TOPS", "", "plain", "high", _ASIC),
    Metric("cycles", "cycles", "Cycles per image", kinds=_FPGA),
    Metric("lut", "LUT", "LUTs", kinds=_FPGA, headline=True, objective=True),
    Metric("ff", "FF", "Flip-flops", kinds=_FPGA, headline=True, objective=True, also=("ffs",)),
    Metric("bram18", "BRAM18", "Block RAM (18 kbit)", "", "plain", kinds=_FPGA, headline=True, objective=True,
           also=("bram",)),
    Metric("uram", "URAM", "UltraRAM", "", "plain", kinds=_FPGA, headline=True, objective=True),
    Metric("dsp", "DSP", "DSP slices", "", "plain", kinds=_FPGA, headline=True, objective=True, also=("dsps",)),
    Metric("carry", "CARRY", "Carry blocks", "", "plain", kinds=_FPGA),
    Metric("clock_Hz", "clock", "Clock", "Hz", kinds=_SHIPPED, objective=True),
    Metric("memory_bandwidth_B_per_s", "memory bandwidth", "Memory bandwidth", "B/s", kinds=_FPGA),
    Metric("available_bandwidth_B_per_s", "available bandwidth", "Available memory bandwidth", "B/s", better="high",
           kinds=_FPGA),
    Metric("mul", "mul", "Multiplications", also=("muls",)),
    Metric("ops64", "OPs", "OPs (FLOPs + BOPs/64)"),
    Metric("macs", "MACs", "Multiply-accumulates"),
    Metric("weight_bits", "weights", "Weights", "bit", objective=True),
    Metric("parameters", "parameters", "Parameters", also=("params",)),
)  # fmt: skip

#: Energy, and what is made of it: figures of a scope (chip core, chip + DRAM, board).
OF_ENERGY = ("energy_J", "power_W", "tops_per_watt")
#: What a device has a number of, and of which a design takes a share.
RESOURCES = ("lut", "ff", "bram18", "uram", "dsp")

METRICS: dict[str, Metric] = {row.name: row for row in _ROWS}
for _of in map(METRICS.__getitem__, RESOURCES):
    _name = f"utilisation_{_of.name}"
    METRICS[_name] = Metric(_name, f"utilisation {_of.head}", f"{_of.title} in use", "", "share", kinds=_FPGA)


def metric(name: str, advice: str = "") -> Metric:
    """The metric that a name, the head of a printed column or another word of the table means.

    Raises :class:`UnknownNameError` with the nearest names and ``advice``.
    """
    if name in METRICS:
        return METRICS[name]
    given = name.casefold()
    for row in METRICS.values():
        if any(given == word.casefold() for word in row.names):
            return row
    raise UnknownNameError("metric", name, (word for row in METRICS.values() for word in (row.name, row.head)), advice)


def headlines() -> list[str]:
    """The metrics that a design is shown by first, in order."""
    return [name for name, row in METRICS.items() if row.headline]


def costs() -> list[str]:
    """The headline metrics of which less is better."""
    return [name for name in headlines() if METRICS[name].better == "low"]


def objective_names(kind: str = "") -> tuple[str, ...]:
    """The metrics by which designs on a ``kind`` of target can be judged; without one, those of the network alone."""
    return tuple(
        name for name, row in METRICS.items() if row.objective and (kind in row.kinds if kind else row.of_network)
    )


def maximised(name: str) -> bool:
    """Whether more of a metric is better."""
    return metric(name).maximised


def leading(names: Iterable[str]) -> str:
    """Of some metrics the one that an answer is about: energy where it is priced, else time, else the next of the
    table. Empty where there is none."""
    found = set(names)
    return next((name for name in METRICS if name in found), "")
