"""Time and energy of images: what their cycles take, what the software around them takes, and what is drawn meanwhile.

The first image takes ``first`` cycles and fills a pipeline, every further one ``interval``; a batch shares out the
filling and the call that starts it. Energy is what the chip or its board draws all the time, over the time that an
image takes of its batch, and what clocked logic takes in every cycle. Numbers may be arrays over many designs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from costmodel.ledger.ledger import Ledger
from costmodel.targets.estimate import PARTS_OF_ONE, Line
from costmodel.targets.fpga.job import Job, nominal
from costmodel.targets.fpga.pipeline import Parts
from costmodel.targets.quantity import Interval, Quantity
from costmodel.targets.spec import Target

#: What takes energy in every cycle, and the constant that says how much: LUTs as logic with their nets, flip-flops with
#: the clock tree, bits that memories hand out, DSP slices.
ACTIVE = {"lut": "lut_energy", "ff": "ff_energy", "memory_bits": "memory_energy", "dsp": "dsp_energy"}


def active(metric: str, factors: tuple[str, ...]) -> bool:
    """Whether a part counts among ``ACTIVE``: a LUT that is a memory counts by the bits that it hands out."""
    return metric in ACTIVE and not (metric == "lut" and "lutram_lut_per_bit" in factors)


def active_amounts(groups: Iterable[tuple[int, Parts]], target: Target) -> dict[str, float]:
    """What a design has of each of ``ACTIVE``, every part rounded as a line of the bill is."""
    constants = nominal(target)
    sums = dict.fromkeys(ACTIVE, 0)
    for _, group in groups:
        for part in group:
            if active(part.metric, part.factors):
                value = part.coefficient
                for name in part.factors:
                    value = value * constants[name]
                sums[part.metric] += round(value * PARTS_OF_ONE.get(part.metric, 1))
    return {name: value / PARTS_OF_ONE.get(name, 1) for name, value in sums.items()}


def dynamic_lines(
    amounts: Mapping[str, Any], cycles: Any, target: Target, activity: float = 1.0, more: tuple[str, ...] = ()
) -> list[Line]:
    """Energy of logic that is clocked for so many cycles; none where the target does not say what logic takes.

    ``activity`` is that of the data, relative to the default of the vendor's power report; the clock tree runs whatever
    the data does, with its trunk (``clock_energy``) where that is known apart. ``more`` are further factors on the
    data."""
    if not set(ACTIVE.values()) <= target.constants.keys():
        return []
    if "activity_error" in target.constants:
        more = (*more, "activity_error")
    trunk = [Line(-1, "energy_J", "dynamic", "clock", cycles, ("clock_energy",))]
    return (trunk if "clock_energy" in target.constants else []) + [
        Line(-1, "energy_J", "dynamic", name, amounts[name] * cycles, (factor,))
        if name == "ff"
        else Line(-1, "energy_J", "dynamic", name, amounts[name] * cycles * activity, (factor, *more))
        for name, factor in ACTIVE.items()
    ]


def static_power(target: Target) -> list[tuple[str, float, tuple[str, ...]]]:
    """What is drawn whatever the design does, as (component, coefficient, constants): of the board where it was
    measured, else of the chip: its leakage by size, its processor, its stacked memory. Empty where nothing is known."""
    if "board_power" in target.constants:
        return [("board", 1.0, ("board_power",))]
    if "static_power_per_lut" not in target.constants:
        return []
    found: list[tuple[str, float, tuple[str, ...]]] = [
        ("static", target.value("device_lut"), ("static_power_per_lut",))
    ]
    found += [(name, 1.0, (f"{name}_power",)) for name in ("processor", "hbm") if f"{name}_power" in target.constants]
    return found


def scope(target: Target) -> str:
    """Of what the energy of a target is; empty where none is known."""
    if not static_power(target):
        return ""
    return "board" if "board_power" in target.constants else "chip"


def scope_in_words(target: Target) -> str:
    """What the energy of a target is that of, and what is not in it."""
    if scope(target) == "board":
        return "energy is that of the board, at its supply"
    parts = [name for name in ("processor", "hbm") if f"{name}_power" in target.constants]
    return f"energy is that of the chip ({', '.join(['logic', *parts])}), without the rest of the board"


@dataclass(frozen=True, eq=False)
class Timing:
    """Time and energy of a pipeline. ``unknown`` are the factors by which one image may take longer than the model
    says, one draw for each network; ``amounts`` what is clocked."""

    first: Any
    interval: Any
    amounts: Mapping[str, Any]
    batch: int
    clock: float
    activity: float
    target: Target
    constants: Mapping[str, Quantity]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, job: Job, first: Any, interval: Any, amounts: Mapping[str, Any]) -> Timing:
        unknown, constants = _latency_error(job.ledger, job.target)
        settings = job.settings
        return cls(
            first, interval, amounts, settings["batch"], job.clock, settings["activity"], job.target, constants, unknown
        )

    def seconds(self) -> list[tuple[str, Any, tuple[str, ...]]]:
        """What an image takes of the time of its batch: its share of the filling and of the call, and its interval."""
        found = [("filling", self.first / self.batch / self.clock, self.unknown)]
        if self.batch > 1:
            found.append(("steady", (self.batch - 1) * self.interval / self.batch / self.clock, self._stalls()))
        if "call_time" in self.constants:
            found.append(("software", 1.0 / self.batch, ("call_time",)))
        return found

    def _stalls(self) -> tuple[str, ...]:
        return ("interval_error",) if "interval_error" in self.constants else ()

    def lines(self) -> list[Line]:
        """Latency of one image alone, and energy of one of a batch, as lines of the bill."""
        found = [Line(-1, "latency_s", "pipeline", "control", self.first / self.clock, self.unknown)]
        if "call_time" in self.constants:
            found.append(Line(-1, "latency_s", "software", "control", 1.0, ("call_time",)))
        for component, watts, factors in static_power(self.target):
            for kind, seconds, more in self.seconds():
                found.append(Line(-1, "energy_J", component, kind, watts * seconds, (*factors, *more)))
        cycles = (self.first + (self.batch - 1) * self.interval) / self.batch
        return found + dynamic_lines(self.amounts, cycles, self.target, self.activity)

    def rates(self) -> dict[str, Interval]:
        """Images per second: of a full pipeline, and of a batch with its filling and its call."""
        rate = self.clock / self.interval
        stalls = [self.constants[name] for name in self._stalls()]
        slow, fast = (stalls[0].high, stalls[0].low) if stalls else (1.0, 1.0)
        total, up, down = 0.0, 0.0, 0.0
        for _, seconds, factors in self.seconds():
            q = [self.constants[name] for name in factors]
            value = seconds * (q[0].value if q else 1.0)
            total += value
            up += (seconds * q[0].high - value) ** 2 if q else 0.0
            down += (value - seconds * q[0].low) ** 2 if q else 0.0
        return {
            "steady_images_per_second": Interval(rate, rate / slow, rate / fast),
            "images_per_second": Interval(1 / total, 1 / (total + math.sqrt(up)), 1 / (total - math.sqrt(down))),
        }


def _latency_error(ledger: Ledger, target: Target) -> tuple[tuple[str, ...], Mapping[str, Quantity]]:
    """The name of the factor, and all constants with it."""
    if "latency_error" not in target.constants:
        return (), target.constants
    name = f"latency_error of {ledger.network}"
    return (name,), {**target.constants, name: target.constants["latency_error"]}
