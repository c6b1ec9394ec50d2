"""The bill of an accelerator: lines of exact counts times the constants of a technology."""

from __future__ import annotations

import math
from typing import Any

from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Charge
from costmodel.targets import arith
from costmodel.targets.arrays import each
from costmodel.targets.asic.array import Tiling
from costmodel.targets.asic.memory import sram_cost
from costmodel.targets.asic.technology import Technology
from costmodel.targets.estimate import Line
from costmodel.targets.quantity import Quantity

#: Widths of a word for which the activity of photographs was measured.
IMAGE_WIDTHS = (8, 12, 16)
#: Adding to an exponent is how a floating-point number is shifted.
EXPONENT_BITS = 8


class Bill:
    """Collects lines; one method per component."""

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
        self._logic: dict[tuple[str, Any], tuple[str, ...]] = {}
        self._sram: dict[tuple[str, str], tuple[str, ...]] = {}
        self._banks: dict[tuple[str, str], Quantity] = {}
        self._moving: tuple[Any, ...] | None = None

    def _constant(self, name: str, quantity: Quantity) -> str:
        self.constants.setdefault(name, quantity)
        return name

    def unit(
        self, layer: int, kind: str, unit: str, count: Any, width: Any, component: str = "compute",
        more: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """``count`` operations of a unit of ``width`` bits; ``more`` are constants that multiply them as well."""
        key = (unit, self.technology.label(width))
        factors = self._logic.get(key)
        if factors is None:
            factors = (*self.technology.factors(unit, width), *self.technology.supply, "system_factor")
            self._logic[key] = factors
        self.lines.append(Line(layer, "energy_J", component, kind, count, factors + more))

    def tree(self, charge: Charge, terms: Any) -> None:
        """``charge.count`` bits summed by popcount trees that take ``terms`` bits at once."""
        self.unit(charge.layer, charge.kind, "popcount", charge.count / terms, terms)

    def adder_tree(self, charge: Charge, terms: Any, is_input: bool) -> None:
        """``charge.count`` numbers that take a sign and are summed by trees of ``terms``.

        The numbers take their signs by XNOR. A column of bits of equal weight is counted as a popcount tree counts, its
        carries go to the column above, and one adder per tree propagates what is left. Real numbers change fewer bits
        than random ones, those of an image far fewer: ``is_input`` says that the network's input is summed. Beyond the
        widest word that was measured the bits that an image leaves zero become more.
        """
        width = self.technology.width(charge.bits_a if charge.bits_a != 1 else charge.bits_b)
        activity = self.activity(is_input, width)
        count = charge.count * (min(IMAGE_WIDTHS[-1] / width, 1.0) if is_input else 1.0)
        held = self._constant("held_sign", self.target.constant("held_sign"))
        self.unit(charge.layer, "signflip", "xnor", count, width, more=(*activity, held))
        if not is_one(terms):
            carried = width + arith.bit_length(terms)
            self.unit(charge.layer, "signflip", "popcount", count * width / terms, terms, more=activity)
            self.unit(charge.layer, "signflip", "add", count / terms, carried, more=activity)

    def activity(self, is_input: bool, width: int = 0) -> tuple[str, ...]:
        """The constant by which real values, or words of ``width`` bits of an image, change less than random bits."""
        row = next((known for known in IMAGE_WIDTHS if known >= width), IMAGE_WIDTHS[-1])
        name = f"input_activity.bits{row}.ratio" if is_input else "value_activity"
        return (self._constant(name, self.target.constant(name)),)

    def registers(self, layer: int, bits: Any, more: tuple[str, ...] = ()) -> None:
        """``bits`` register bits clocked, half of which change, or as ``more`` says."""
        self.unit(layer, "register", "register", bits, 1, "register", more)

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
        if not is_zero(read_bits):
            self.lines.append(Line(layer, "energy_J", "sram", kind, read_bits, self.sram_factors(buffer, "read")))
        if not is_zero(write_bits):
            self.lines.append(Line(layer, "energy_J", "sram", kind, write_bits, self.sram_factors(buffer, "write")))

    def sram_factors(self, buffer: str, what: str) -> tuple[str, ...]:
        """Constants of reading or writing one bit of a buffer."""
        key = (buffer, what)
        if key not in self._sram:
            name = self._constant(f"{buffer}_sram.{what}", self.memory(buffer, what))
            scale = self._sram_scale(what)
            self._sram[key] = (name, scale) if scale else (name,)
        return self._sram[key]

    def memory(self, buffer: str, what: str) -> Quantity:
        """``read``, ``write``, ``area`` or ``leakage`` of one bank of a buffer."""
        key = (buffer, what)
        if key not in self._banks:
            s = self.technology.settings
            self._banks[key] = each(
                lambda size, banks: sram_cost(self.target, s["sram_table"], size / banks, what),
                s[f"{buffer}_sram"], s["sram_banks"],
            )  # fmt: skip
        return self._banks[key]

    def leakage_factors(self, buffer: str) -> tuple[str, ...]:
        scale = self._sram_scale("leakage")
        return (f"{buffer}_sram.leakage", scale) if scale else (f"{buffer}_sram.leakage",)

    def leakage_density(self) -> tuple[str, ...]:
        """Leakage of an area of logic whose library does not state it: the ratio ``logic_leakage`` of what a buffer of
        the same process leaks on that area."""
        leak, area = (self.memory("weight", what) for what in ("leakage", "area"))
        ratio = self.target.constant("logic_leakage")
        density = leak.value / area.value
        name = self._constant(
            "logic.leakage_density",
            Quantity(
                ratio.value * density, "W/mm2", ratio.low * density, ratio.high * density, ratio.source, "C", ratio.note
            ),
        )
        scale = self._sram_scale("leakage")
        return (name, scale) if scale else (name,)

    def _sram_scale(self, what: str) -> str:
        """Buffers that share the supply of the logic follow it: accesses with its square, leakage linearly. A SRAM
        macro keeps its own supply, and nothing of a memory follows the node of the logic."""
        if not self.technology.settings["sram_scales"]:
            return ""
        nominal = self.target.constant(f"{self.technology.settings['sram_table']}_vdd")
        power = 1 if what == "leakage" else 2
        vdd = self.target.constant("vdd")
        spread = (1.0, 1.0)
        if self.technology.supply:
            spread = ((vdd.low / vdd.value) ** power, (vdd.high / vdd.value) ** power)

        def scale(voltage: float) -> Quantity:
            ratio = (voltage / nominal.value) ** power
            note = f"{voltage:g} V against {nominal.value:g} V, to the power of {power}"
            return Quantity(ratio, "1", ratio * spread[0], ratio * spread[1], nominal.source, "C", note)

        name = f"sram.scale.{'leakage' if power == 1 else 'access'}"
        return self._constant(name, each(scale, self.technology.voltage))

    @property
    def bandwidth(self) -> Any:
        """Bytes per second of the DRAM that was asked for, or of a channel or stack of its kind."""
        kind, asked = self.technology.settings["dram"], self.technology.settings["dram_bandwidth"]
        if not is_zero(asked) and arith.all_of(asked > 0):
            return asked
        name = f"dram.{kind}.bandwidth"
        if name not in self.target.constants:
            raise CostmodelError(f"option dram={kind}: its bandwidth has no source. Give dram_bandwidth as well.")
        return arith.either(asked, self.target.value(name))

    def dram(self, layer: int, kind: str, bits: Any) -> None:
        if is_zero(bits):
            return
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
        """Time of a group of layers: the cycles of its slowest engine, or those of DRAM, whichever take longer."""
        busy, transfer = (self.target.constant(name) for name in ("array_overhead", "dram_overhead"))
        waiting = moving * transfer.value > compute * busy.value
        parts = (
            ("compute", arith.where(waiting, 0, compute), "array_overhead", busy),
            ("dram", arith.where(waiting, moving, 0), "dram_overhead", transfer),
        )
        for component, cycles, name, overhead in parts:
            if is_zero(cycles) and not (component == "compute" and is_zero(moving)):
                continue
            self._constant(name, overhead)
            self.lines.append(Line(layer, "latency_s", component, "cycles", cycles / self.clock, (name,)))
            self.total_cycles = self.total_cycles + cycles * overhead.value
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
            self.technology.unpriced.append("leakage is not in the totals: the clock of this chip is not published")
            return
        for kind, count, factors in self.leaks:
            self.lines.append(Line(-1, "energy_J", "leakage", kind, count * self.seconds, factors))


def is_one(value: Any) -> bool:
    return value.__class__ is int and value == 1


def is_zero(value: Any) -> bool:
    return value.__class__ in (int, float) and value == 0
