"""Time and energy of images that pass through a pipeline; numbers, or arrays over many designs.

The first image takes ``first`` cycles and fills the pipeline, every further one ``interval``; a batch shares out the
filling. Energy is power times the time that an image takes of its batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costmodel.ledger.ledger import Ledger
from costmodel.targets.estimate import Line
from costmodel.targets.fpga.job import Job
from costmodel.targets.quantity import Interval, Quantity
from costmodel.targets.spec import Target

#: What takes energy in every cycle, and the constant that says how much: LUTs as logic with their nets, flip-flops with
#: the clock tree, bits that memories hand out, DSP slices.
ACTIVE = {"lut": "lut_energy", "ff": "ff_energy", "memory_bits": "memory_energy", "dsp": "dsp_energy"}


def dynamic_lines(amounts: Mapping[str, Any], cycles: Any, activity: float = 1.0) -> list[Line]:
    """Energy of logic that is clocked for so many cycles. ``activity`` is that of its data, relative to the default of
    the vendor's power report; the clock tree runs whatever the data does."""
    return [
        Line(-1, "energy_J", "dynamic", name, amounts[name] * cycles * (1.0 if name == "ff" else activity), (factor,))
        for name, factor in ACTIVE.items()
    ]


@dataclass(frozen=True, eq=False)
class Timing:
    """``unknown`` are the factors by which one image may take longer than the model says, one draw for each network."""

    first: Any
    interval: Any
    batch: int
    clock: float
    constants: Mapping[str, Quantity]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, job: Job, first: Any, interval: Any) -> Timing:
        unknown, constants = _latency_error(job.ledger, job.target)
        return cls(first, interval, job.settings["batch"], job.clock, constants, unknown)

    def lines(self) -> list[Line]:
        """Latency and energy of one image as lines of the bill."""
        found = [Line(-1, "latency_s", "pipeline", "control", self.first / self.clock, self.unknown)]
        if "board_power" in self.constants:
            filling = self.first / self.batch / self.clock
            steady = (self.batch - 1) * self.interval / self.batch / self.clock
            found.append(Line(-1, "energy_J", "board", "control", filling, ("board_power", *self.unknown)))
            if self.batch > 1:
                found.append(Line(-1, "energy_J", "board", "control", steady, ("board_power",)))
        return found

    def rates(self) -> dict[str, Interval]:
        """Images a second: of a full pipeline, and of a batch, whose filling is uncertain."""
        factors = [self.constants[name] for name in self.unknown]
        value, low, high = (
            self._of_batch(factors[0].value if factors else 1.0),
            self._of_batch(factors[0].high if factors else 1.0),
            self._of_batch(factors[0].low if factors else 1.0),
        )
        return {
            "throughput_fps": Interval.exact(self.clock / self.interval),
            "images_per_second": Interval(value, low, high),
        }

    def _of_batch(self, factor: float) -> float:
        cycles = (factor * self.first + (self.batch - 1) * self.interval) / self.batch
        return float(1 / (cycles / self.clock))


def _latency_error(ledger: Ledger, target: Target) -> tuple[tuple[str, ...], Mapping[str, Quantity]]:
    """The name of the factor, and all constants with it."""
    if "latency_error" not in target.constants:
        return (), target.constants
    name = f"latency_error of {ledger.network}"
    return (name,), {**target.constants, name: target.constants["latency_error"]}
