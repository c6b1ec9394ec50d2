"""Units of a target at the chosen node and supply, as named constants with intervals and sources."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from costmodel.errors import CostmodelError
from costmodel.graph.domain import FLOAT_BITS
from costmodel.targets import arith, scaling
from costmodel.targets.arrays import each, is_array
from costmodel.targets.asic.limits import check_supply
from costmodel.targets.asic.memory import sram_rows
from costmodel.targets.asic.units import Column, column
from costmodel.targets.asic.work import Widths
from costmodel.targets.bits import LayerWidths
from costmodel.targets.quantity import Quantity
from costmodel.targets.spec import Target

REAL_BITS = {"int8": 8, "int12": 12, "int16": 16, "int24": 24, "int32": 32, "fp16": 16, "fp32": 32}


#: Stands for a column: floating point by the integer units of the same library.
FLOAT_BY_INT = "float"
NOT_BY_KIND = LayerWidths()
INTEGER_OF = {"fadd": "add", "fmul": "mul"}


class Technology:
    """Units of a target at the chosen node and voltage, as named constants.

    ``structure.units`` says which column prices which unit (``default`` for the rest). A pair of columns stands for the
    nodes between them: the switched capacitance ``E / V^2`` is interpolated log-log in the node.
    """

    def __init__(self, target: Target, settings: Mapping[str, Any], own: LayerWidths = NOT_BY_KIND) -> None:
        self.target = target
        self.settings = settings
        self.real_format: str = settings["real_format"]
        self.real_bits = REAL_BITS[self.real_format]
        self.is_float = self.real_format.startswith("fp")
        weight, image = (0 if self.is_float else settings[name] for name in ("weight_bits", "input_bits"))
        if (own.weights or own.values) and self.is_float:
            raise CostmodelError(
                f"option kind_bits={settings['kind_bits']!r}: with real_format={self.real_format} numbers are "
                "floating point; choose an integer format, such as real_format=int16"
            )
        self.widths = Widths(self.real_bits, weight or self.real_bits, image or self.real_bits, own.weights, own.values)
        home_node = target.value("node")
        self.node: Any = arith.either(settings["node"], home_node)
        self.notes: list[str] = []
        #: What no energy, and what no area is known of.
        self.unpriced: list[str] = []
        self.unbuilt: list[str] = []
        home_voltage = target.value("vdd")
        self.voltage: Any = each(
            lambda node, asked: asked or (home_voltage if node == home_node else scaling.nominal_voltage(target, node)),
            self.node, settings["voltage"],
        )  # fmt: skip
        self.units: Mapping[str, Any] = target.structure["units"]
        if not arith.all_of(self.node == home_node):
            table = settings["sram_table"]
            self.notes.append(
                f"buffers are priced by {table} whatever the node of the logic; sram_table chooses another"
            )
        self.notes += check_supply(target, self.voltage, each(_home_supply(target), self.node), settings["clock"])
        #: The column whose costs these are; what it lacks is borrowed, and by which units.
        self.own: str = target.structure.get("own", "")
        self.borrowed: dict[str, list[str]] = {}
        self.columns: dict[str, Column] = {}
        self.constants: dict[str, Quantity] = {}
        self._factors: dict[tuple[str, Any, str], tuple[str, ...]] = {}
        self._labels: dict[int, tuple[str, Any]] = {}
        #: Bits that each buffer delivers in a cycle.
        sram_rows(target, settings["sram_table"])
        self.port = int(target.value(f"{settings['sram_table']}_word")) * settings["sram_banks"]
        self._uncertain_supply()

    def _uncertain_supply(self) -> None:
        """Where the supply of a chip is only known within bounds, its square multiplies every energy of the logic."""
        vdd = self.target.constant("vdd")
        self.supply: tuple[str, ...] = ()
        if vdd.low < vdd.high and not arith.all_of(self.voltage != vdd.value):
            low, high = (vdd.low / vdd.value) ** 2, (vdd.high / vdd.value) ** 2
            self.constants["supply"] = Quantity(1.0, "1", low, high, vdd.source, vdd.confidence, "supply squared")
            self.supply = ("supply",)

    def width(self, bits: int) -> int:
        """Width of the datapath for operands of ``bits`` bits: real numbers take that of the chosen arithmetic."""
        return self.real_bits if bits == FLOAT_BITS else bits

    def is_real(self, bits: int) -> bool:
        return bits == FLOAT_BITS

    def factors(self, unit: str, width: Any, what: str = "energy") -> tuple[str, ...]:
        """Names of the constants whose product is the energy, area or leakage of a unit of that width."""
        key = (unit, self.label(width), what)
        if key not in self._factors:
            chosen = self._chosen(unit, what)
            if chosen == FLOAT_BY_INT:
                found = self._floating(unit, width, what)
            elif isinstance(chosen, str):
                found = self._single(chosen, unit, width, what)
                if what == "energy" and self.own not in ("", chosen):
                    self.borrowed.setdefault(chosen, []).append(unit)
                    self.constants["borrowed_energy"] = self.target.constant("borrowed_energy")
                    found = (*found, "borrowed_energy")
            else:
                found = self._between(chosen, unit, width, what)
            self._factors[key] = found
        return self._factors[key]

    def _floating(self, unit: str, width: Any, what: str) -> tuple[str, ...]:
        """Floating point that a library was not characterised for: its integer unit of the same width, times the ratio
        that published tables have between the two."""
        cell = "energy" if what == "energy" else "area"
        name = f"float_over_int.{unit}{int(width)}.{cell}"
        self.constants[name] = self.target.constant(name)
        return (*self.factors(INTEGER_OF[unit], width, what), name)

    def borrowing(self) -> list[str]:
        """What a column without those units took from another, in words."""
        return [
            f"{', '.join(sorted(set(units)))}: units of {name}, since {self.own} has none; its adders cost up to "
            f"{1 / self.target.constant('borrowed_energy').low:.1f} times those of {self.own}, which the interval holds"
            for name, units in self.borrowed.items()
        ]

    def label(self, width: Any) -> Any:
        """A width as part of a name; an array of widths, which is known by identity, gets a number."""
        if not is_array(width):
            return width
        held = self._labels.setdefault(id(width), (f"[{len(self._labels)}]", width))
        return held[0]

    def _chosen(self, unit: str, what: str) -> Any:
        """Column, or pair of columns, for ``unit.what``, for the unit, or for all that are not named."""
        return self.units.get(f"{unit}.{what}") or self.units.get(unit) or self.units["default"]

    def has(self, unit: str, what: str = "energy") -> bool:
        chosen = self._chosen(unit, what)
        if chosen == FLOAT_BY_INT:
            return self.has(INTEGER_OF[unit], what)
        names = [chosen] if isinstance(chosen, str) else chosen
        if what == "leakage" and len(names) > 1:  # libraries differ by orders of magnitude: nothing lies between
            return False
        return all((unit, what) in self.column(name).cells for name in names)

    def value(self, names: tuple[str, ...]) -> Any:
        return math.prod(self.constants[name].value for name in names)

    def column(self, name: str) -> Column:
        if name not in self.columns:
            self.columns[name] = column(self.target, name)
        return self.columns[name]

    def _single(self, name: str, unit: str, width: Any, what: str) -> tuple[str, ...]:
        col = self.column(name)
        label = f"{name}.{unit}{_text(self.label(width))}" + ("" if what == "energy" else f".{what}")
        self.constants[label] = each(lambda n: col.quantity(unit, n, what), width)
        scale = self._scale(col, what)
        return (label, scale) if scale else (label,)

    def _scale(self, col: Column, what: str) -> str:
        """Constant that brings a column to the chosen node and voltage; empty where it is there already."""
        same = self.node == col.node
        if what != "area":
            same = same & (self.voltage == col.voltage)
        if arith.all_of(same):
            return ""
        name = f"{col.name}.scale.{what}"
        if name not in self.constants:
            self.constants[name] = each(lambda node, v: self._scaled(col, what, node, v), self.node, self.voltage)
        return name

    def _scaled(self, col: Column, what: str, node: float, voltage: float) -> Quantity:
        source = "stillmaker2017, scaling equations; stillmaker_corrigendum, 32 and 65 nm"
        if what == "energy":
            value, low, high = scaling.energy_scale(self.target, col.node, col.voltage, node, voltage)
            note = f"{col.node:g} nm at {col.voltage:g} V to {node:g} nm at {voltage:g} V"
        else:
            value, low, high = scaling.area_scale(self.target, col.node, node)
            note = f"{col.node:g} nm to {node:g} nm"
            if what == "leakage":
                ratio = voltage / col.voltage
                value, low, high = value * ratio, low * ratio, high * ratio
        return Quantity(value, "1", low, high, source, "C", note)

    def _between(self, pair: list[str], unit: str, width: Any, what: str) -> tuple[str, ...]:
        label = f"{'-'.join(pair)}.{unit}{_text(self.label(width))}" + ("" if what == "energy" else f".{what}")
        self.constants[label] = each(
            lambda n, node, v: self._mixed(pair, unit, n, what, node, v), width, self.node, self.voltage
        )
        error = "interpolation_error" if what == "energy" else "interpolation_area_error"
        self.constants[error] = self.target.constant(error)
        return (label, error)

    def _mixed(self, pair: list[str], unit: str, width: float, what: str, node: float, voltage: float) -> Quantity:
        """A unit between two libraries."""
        first, second = (self.column(name) for name in pair)
        share = math.log(node / first.node) / math.log(second.node / first.node)
        a, b = (col.quantity(unit, width, what) for col in (first, second))

        def at(bound: str) -> float:
            x, y = getattr(a, bound), getattr(b, bound)
            if what == "energy":
                x, y = x / first.voltage**2, y / second.voltage**2
            if x <= 0 or y <= 0:  # a tree of one bit has no adders
                return 0.0
            mixed = math.exp((1 - share) * math.log(x) + share * math.log(y))
            return mixed * voltage**2 if what == "energy" else mixed

        note = f"between {first.node:g} nm and {second.node:g} nm at {node:g} nm"
        note += f", {voltage:g} V" if what == "energy" else ""
        return Quantity(at("value"), a.unit, at("low"), at("high"), _join(a, b), "C", note)


def _home_supply(target: Target) -> Callable[[float], float]:
    """The supply at which a node of this technology is at home: the nominal one, or that of the file where unknown."""

    def supply(node: float) -> float:
        if node == target.value("node"):
            return target.value("vdd")
        try:
            return scaling.nominal_voltage(target, node)
        except CostmodelError:
            return target.value("vdd")

    return supply


def _text(width: Any) -> str:
    return width if isinstance(width, str) else f"{width:g}"


def _join(a: Quantity, b: Quantity) -> str:
    return a.source if a.source == b.source else f"{a.source}; {b.source}"
