"""The bill of an accelerator: lines of exact counts times the constants of a technology."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from costmodel.domain import FLOAT_BITS
from costmodel.ledger.ledger import Charge
from costmodel.targets import arith, scaling
from costmodel.targets.asic_array import Tiling
from costmodel.targets.asic_memory import sram_cost
from costmodel.targets.asic_units import Column, column
from costmodel.targets.estimate import Line
from costmodel.targets.quantity import Quantity
from costmodel.targets.spec import Target

REAL_BITS = {"int8": 8, "int16": 16, "int32": 32, "fp16": 16, "fp32": 32}
#: Adding to an exponent is how a floating-point number is shifted.
EXPONENT_BITS = 8


class Technology:
    """Units of a target at the chosen node and voltage, as named constants.

    ``structure.units`` says which column prices which unit (``default`` for the rest). A pair of columns stands for the
    nodes between them: the switched capacitance ``E / V^2`` is interpolated log-log in the node.
    """

    def __init__(self, target: Target, settings: Mapping[str, Any]) -> None:
        self.target = target
        self.settings = settings
        self.real_format: str = settings["real_format"]
        self.real_bits = REAL_BITS[self.real_format]
        self.is_float = self.real_format.startswith("fp")
        home_node = target.value("node")
        self.node: float = settings["node"] or home_node
        home_voltage = target.value("vdd")
        self.voltage: float = settings["voltage"] or (
            home_voltage if self.node == home_node else scaling.nominal_voltage(target, self.node)
        )
        self.units: Mapping[str, Any] = target.structure["units"]
        self.columns: dict[str, Column] = {}
        self.constants: dict[str, Quantity] = {}
        self.notes: list[str] = []
        self._factors: dict[tuple[str, float, str], tuple[str, ...]] = {}
        #: Bits that each buffer delivers in a cycle.
        self.port = int(target.value(f"{settings['sram_table']}_word")) * settings["sram_banks"]
        self._uncertain_supply()

    def _uncertain_supply(self) -> None:
        """Where the supply of a chip is only known within bounds, its square multiplies every energy of the logic."""
        vdd = self.target.constant("vdd")
        self.supply: tuple[str, ...] = ()
        if vdd.low < vdd.high and self.voltage == vdd.value:
            low, high = (vdd.low / vdd.value) ** 2, (vdd.high / vdd.value) ** 2
            self.constants["supply"] = Quantity(1.0, "1", low, high, vdd.source, vdd.confidence, "supply squared")
            self.supply = ("supply",)

    def width(self, bits: int) -> int:
        """Width of the datapath for operands of ``bits`` bits: real numbers take that of the chosen arithmetic."""
        return self.real_bits if bits == FLOAT_BITS else bits

    def is_real(self, bits: int) -> bool:
        return bits == FLOAT_BITS

    def factors(self, unit: str, width: float, what: str = "energy") -> tuple[str, ...]:
        """Names of the constants whose product is the energy, area or leakage of a unit of that width."""
        key = (unit, width, what)
        if key not in self._factors:
            chosen = self._chosen(unit, what)
            make = self._single if isinstance(chosen, str) else self._between
            self._factors[key] = make(chosen, unit, width, what)
        return self._factors[key]

    def _chosen(self, unit: str, what: str) -> Any:
        """Column, or pair of columns, for ``unit.what``, for the unit, or for all that are not named."""
        return self.units.get(f"{unit}.{what}") or self.units.get(unit) or self.units["default"]

    def has(self, unit: str, what: str = "energy") -> bool:
        chosen = self._chosen(unit, what)
        names = [chosen] if isinstance(chosen, str) else chosen
        return all((unit, what) in self.column(name).cells for name in names)

    def value(self, names: tuple[str, ...]) -> float:
        return math.prod(self.constants[name].value for name in names)

    def column(self, name: str) -> Column:
        if name not in self.columns:
            self.columns[name] = column(self.target, name)
        return self.columns[name]

    def _single(self, name: str, unit: str, width: float, what: str) -> tuple[str, ...]:
        col = self.column(name)
        label = f"{name}.{unit}{width:g}" + ("" if what == "energy" else f".{what}")
        self.constants[label] = col.quantity(unit, width, what)
        scale = self._scale(col, what)
        return (label, scale) if scale else (label,)

    def _scale(self, col: Column, what: str) -> str:
        """Constant that brings a column to the chosen node and voltage; empty where it is there already."""
        if (col.node, col.voltage) == (self.node, self.voltage) or (what == "area" and col.node == self.node):
            return ""
        name = f"{col.name}.scale.{what}"
        if name not in self.constants:
            source = "stillmaker2017, scaling equations; stillmaker_corrigendum, 32 and 65 nm"
            if what == "energy":
                value, low, high = scaling.energy_scale(self.target, col.node, col.voltage, self.node, self.voltage)
                note = f"{col.node:g} nm at {col.voltage:g} V to {self.node:g} nm at {self.voltage:g} V"
            else:
                value, low, high = scaling.area_scale(self.target, col.node, self.node)
                note = f"{col.node:g} nm to {self.node:g} nm"
                if what == "leakage":
                    ratio = self.voltage / col.voltage
                    value, low, high = value * ratio, low * ratio, high * ratio
            self.constants[name] = Quantity(value, "1", low, high, source, "C", note)
        return name

    def _between(self, pair: list[str], unit: str, width: float, what: str) -> tuple[str, ...]:
        first, second = (self.column(name) for name in pair)
        share = math.log(self.node / first.node) / math.log(second.node / first.node)
        a, b = (col.quantity(unit, width, what) for col in (first, second))

        def at(bound: str) -> float:
            x, y = getattr(a, bound), getattr(b, bound)
            if what == "energy":
                x, y = x / first.voltage**2, y / second.voltage**2
            mixed = math.exp((1 - share) * math.log(x) + share * math.log(y))
            return mixed * self.voltage**2 if what == "energy" else mixed

        label = f"{'-'.join(pair)}.{unit}{width:g}" + ("" if what == "energy" else f".{what}")
        note = f"between {first.node:g} nm and {second.node:g} nm at {self.node:g} nm"
        note += f", {self.voltage:g} V" if what == "energy" else ""
        self.constants[label] = Quantity(at("value"), a.unit, at("low"), at("high"), _join(a, b), "C", note)
        self.constants["interpolation_error"] = self.target.constant("interpolation_error")
        return (label, "interpolation_error")


class Bill:
    """Collects lines; one method a component."""

    def __init__(self, technology: Technology) -> None:
        self.technology = technology
        self.target = technology.target
        self.constants = technology.constants
        self.lines: list[Line] = []
        self.unpriced: dict[str, int] = {}
        self.wired = 0
        self.interface_bits: Any = 0
        self.total_cycles: Any = 0
        self.cycles: dict[str, Any] = {"array": 0}
        self.seconds: Any = 0.0
        self.leaks: list[tuple[str, float, tuple[str, ...]]] = []
        self.clock = technology.settings["clock"]
        self._constant("system_factor", self.target.constant("system_factor"))
        self._sram: dict[tuple[str, str], tuple[str, ...]] = {}
        self._moving: tuple[float, ...] | None = None

    def _constant(self, name: str, quantity: Quantity) -> str:
        self.constants.setdefault(name, quantity)
        return name

    def unit(self, layer: int, kind: str, unit: str, count: Any, width: float, component: str = "compute") -> None:
        """``count`` operations of a unit of ``width`` bits."""
        factors = (*self.technology.factors(unit, width), *self.technology.supply, "system_factor")
        self.lines.append(Line(layer, "energy_J", component, kind, count, factors))

    def tree(self, charge: Charge, terms: int) -> None:
        """``charge.count`` bits summed by popcount trees that take ``terms`` bits at once."""
        self.unit(charge.layer, charge.kind, "popcount", charge.count / terms, terms)

    def registers(self, layer: int, bits: Any) -> None:
        """``bits`` register bits clocked, half of which change."""
        self.unit(layer, "register", "register", bits, 1, "register")

    def element(self, charge: Charge) -> None:
        """The unit that carries out a charge, at its width."""
        t, layer, count = self.technology, charge.layer, charge.count
        wide = t.width(max(charge.bits_a, charge.bits_b))
        acc = t.width(charge.bits_acc) if charge.bits_acc else 0
        real = t.is_float and t.is_real(max(charge.bits_a, charge.bits_b, charge.bits_acc))
        match charge.kind:
            case "mul":
                a, b = t.width(charge.bits_a), t.width(max(charge.bits_b, 1))
                width = a if a == b else math.sqrt(a * b)
                self.unit(layer, "mul", "fmul" if real else "mul", count, width)
            case "add":
                self.unit(layer, "add", "fadd" if real else "add", count, max(wide, acc))
            case "compare":  # against zero the sign bit selects
                self.unit(layer, "compare", "compare" if charge.bits_b else "mux", count, wide)
            case "signflip":
                self.unit(layer, "signflip", "xnor", count, wide)
                if acc:
                    self.unit(layer, "signflip", "fadd" if real else "add", count, max(wide, acc))
            case "shift_const":  # wire
                self._wire(layer, "shift_const", count)
            case "shift_channel" if t.settings["channel_shift"] == "wire":
                self._wire(layer, "shift_channel", count)
            case "shift_channel" | "shift_var":
                unit, width = ("add", EXPONENT_BITS) if real else ("shift", wide)
                self.unit(layer, charge.kind, unit, count, width)
            case "lut":
                self.unit(layer, "lut", "mux", count, wide)
            case "xnor" | "and":
                self.unit(layer, charge.kind, "xnor", count, wide)
            case "popcount":
                self.unit(layer, "popcount", "add", count, max(wide, acc))
            case _:
                self.unpriced[charge.kind] = self.unpriced.get(charge.kind, 0) + count

    def _wire(self, layer: int, kind: str, count: int) -> None:
        """A line of no energy, so that the bill names the shifts that are wiring."""
        self.wired += count
        self.lines.append(Line(layer, "energy_J", "compute", kind, 0.0))

    def sram(self, layer: int, buffer: str, kind: str, read_bits: Any, write_bits: Any) -> None:
        """Bits read from and written to the ``activation`` or the ``weight`` buffer."""
        for what, bits in (("read", read_bits), ("write", write_bits)):
            if not arith_is_zero(bits):
                self.lines.append(Line(layer, "energy_J", "sram", kind, bits, self.sram_factors(buffer, what)))

    def sram_factors(self, buffer: str, what: str) -> tuple[str, ...]:
        """Constants of reading or writing one bit of a buffer."""
        key = (buffer, what)
        if key not in self._sram:
            s = self.technology.settings
            cost = sram_cost(self.target, s["sram_table"], s[f"{buffer}_sram"] / s["sram_banks"], what)
            name = self._constant(f"{buffer}_sram.{what}", cost)
            scale = self._sram_scale(what)
            self._sram[key] = (name, scale) if scale else (name,)
        return self._sram[key]

    def leakage_factors(self, buffer: str) -> tuple[str, ...]:
        scale = self._sram_scale("leakage")
        return (f"{buffer}_sram.leakage", scale) if scale else (f"{buffer}_sram.leakage",)

    def _sram_scale(self, what: str) -> str:
        """Buffers that share the supply of the logic follow it: accesses with its square, leakage linearly. A SRAM
        macro keeps its own supply, and nothing of a memory follows the node of the logic."""
        if not self.technology.settings["sram_scales"]:
            return ""
        nominal = self.target.constant(f"{self.technology.settings['sram_table']}_vdd")
        power = 1 if what == "leakage" else 2
        vdd = self.target.constant("vdd")
        ratio = (self.technology.voltage / nominal.value) ** power
        spread = (1.0, 1.0)
        if self.technology.supply:
            spread = ((vdd.low / vdd.value) ** power, (vdd.high / vdd.value) ** power)
        note = f"{self.technology.voltage:g} V against {nominal.value:g} V, to the power of {power}"
        quantity = Quantity(ratio, "1", ratio * spread[0], ratio * spread[1], nominal.source, "C", note)
        return self._constant(f"sram.scale.{'leakage' if power == 1 else 'access'}", quantity)

    def dram(self, layer: int, kind: str, bits: Any) -> None:
        kind_of_dram = self.technology.settings["dram"]
        if kind_of_dram == "none":
            self.interface_bits = self.interface_bits + bits
            return
        name = f"dram.{kind_of_dram}.energy"
        self._constant(name, self.target.constant(name))
        self.lines.append(Line(layer, "energy_J", "dram", kind, bits, (name,)))

    def movement(self, tiling: Tiling) -> Any:
        """Energy in J of the buffer accesses and registers of a tiling, to choose between dataflows."""
        if self._moving is None:
            t = self.technology
            register = t.value((*t.factors("register", 1), "system_factor"))
            buffers = [("activation", "read"), ("activation", "write"), ("weight", "read")]
            self._moving = (*(t.value(self.sram_factors(buffer, what)) for buffer, what in buffers), register)
        read, write, weight, register = self._moving
        return (
            tiling.input_reads * read
            + tiling.partial_sums / 2 * (read + write)
            + tiling.weight_reads * weight
            + tiling.register_bits * register
        )

    def time(self, layer: int, compute: Any, moving: Any) -> None:
        """Cycles of a group of layers: the array or DRAM, whichever takes longer."""
        cycles = arith.maximum(compute, moving)
        component = "dram" if isinstance(moving, (int, float)) and moving > compute else "compute"
        self.lines.append(Line(layer, "latency_s", component, "cycles", cycles / self.clock))
        self.total_cycles = self.total_cycles + cycles
        self.seconds = self.total_cycles / self.clock

    def area(self, component: str, kind: str, count: Any, factors: tuple[str, ...]) -> None:
        self.lines.append(Line(-1, "area_mm2", component, kind, count, factors))

    def totals(self, metric: str) -> tuple[Line, ...]:
        """The lines of a metric, those with the same constants added up."""
        sums: dict[tuple[str, ...], Any] = {}
        for line in self.lines:
            if line.metric == metric:
                sums[line.factors] = sums.get(line.factors, 0.0) + line.coefficient
        return tuple(Line(-1, metric, "", "", value, factors) for factors, value in sums.items())

    def used(self) -> dict[str, Quantity]:
        """The constants that the lines name."""
        names = dict.fromkeys(name for line in self.lines for name in line.factors)
        return {name: self.constants[name] for name in names}

    def leakage(self) -> None:
        """Leakage of everything on the chip during one inference."""
        if not self.technology.settings["leakage"]:
            self.technology.notes.append("leakage is not in the totals: the clock of this chip is not published")
            return
        for kind, count, factors in self.leaks:
            self.lines.append(Line(-1, "energy_J", "leakage", kind, count * self.seconds, factors))


def arith_is_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == 0


def _join(a: Quantity, b: Quantity) -> str:
    return a.source if a.source == b.source else f"{a.source}; {b.source}"
