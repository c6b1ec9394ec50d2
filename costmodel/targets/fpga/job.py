"""What is to be priced: a network as the stages of a design, how they are built, and the device that holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.ledger.ledger import Ledger
from costmodel.metrics import RESOURCES
from costmodel.targets.bits import layer_widths
from costmodel.targets.fpga.design import Stage, Widths, stages
from costmodel.targets.fpga.folding import matrix_stages
from costmodel.targets.fpga.makers import by_hls, maker
from costmodel.targets.fpga.pipeline import Style
from costmodel.targets.fpga.units import Fabric
from costmodel.targets.quantity import Quantity
from costmodel.targets.spec import Target


class Structure(msgspec.Struct):
    """What only an FPGA has: its fabric, and the ports through which it reads the host's memory."""

    fabric: dict[str, Any]
    host_width: int
    host_ports: int = 1


@dataclass(frozen=True, eq=False)
class Job:
    """A ledger with the target and the settings that it is priced for. ``design`` are the stages in execution order,
    ``device`` is how many of each resource there are, ``notes`` what the settings ask for in vain."""

    ledger: Ledger
    target: Target
    settings: Mapping[str, Any]
    design: tuple[Stage, ...]
    style: Style
    device: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def clock(self) -> float:
        return float(self.settings["clock"])

    def name(self, stage: int) -> str:
        """The layer that a stage computes."""
        return self.ledger.layers[self.design[stage].layers[0]].name

    @property
    def names(self) -> tuple[str, ...]:
        """The layers of the matrix units, as a folding lists them."""
        return tuple(self.name(stage.index) for stage in matrix_stages(self.design))


def make_job(ledger: Ledger, target: Target, settings: Mapping[str, Any]) -> Job:
    """Raises :class:`CostmodelError` for more ports than the target has, and for a network without a matrix."""
    structure = target.structure_as(Structure)
    by = maker(settings["impl"], settings["streams"])
    style = Style(
        by, make_fabric(structure, target), structure.host_width, settings["streams"] == "pixel",
        settings["fifo_depth"], settings["host_depth"], settings["ports"],
    )  # fmt: skip
    if style.ports > structure.host_ports:
        raise CostmodelError(f"option ports={style.ports}: {target.name} has {structure.host_ports}")
    own = layer_widths(ledger, settings["kind_bits"], settings["real_bits"])
    widths = Widths(settings["real_bits"], settings["weight_bits"], settings["input_bits"], own.weights, own.values)
    design = stages(ledger, widths, by_hls(by), settings["input_scaling"] == "host")
    if not matrix_stages(design):
        raise CostmodelError(
            f"network {ledger.network!r} has no convolution, dense layer or matrix product: nothing to fold"
        )
    return Job(ledger, target, settings, design, style, capacity(target), own.idle)


def capacity(target: Target) -> dict[str, float]:
    """Resources of the device."""
    return {name: target.value(f"device_{name}") for name in RESOURCES}


def make_fabric(structure: Structure, target: Target) -> Fabric:
    """The geometry of the device's blocks; raises :class:`CostmodelError` for a field that does not exist."""
    known = Fabric.__dataclass_fields__
    for name in structure.fabric:
        if name not in known:
            raise UnknownNameError(f"field of structure.fabric in {target.file or target.name}:", name, known)
    try:
        return _fabric(json.dumps(structure.fabric, sort_keys=True))
    except (msgspec.ValidationError, TypeError) as error:
        raise CostmodelError(f"{target.file or target.name}: structure.fabric: {error}") from error


@lru_cache(maxsize=64)
def _fabric(text: str) -> Fabric:
    return msgspec.json.decode(text, type=Fabric)


@dataclass(frozen=True, eq=False)
class Prices:
    """What one bit, lane or unit of logic costs in a family of devices; equal ones are one object, a cheap key."""

    quantities: Mapping[str, Quantity]

    @property
    def values(self) -> dict[str, float]:
        return {name: q.value for name, q in self.quantities.items()}


_prices: dict[tuple[tuple[str, Quantity], ...], Prices] = {}


def prices(target: Target) -> Prices:
    """The constants of a target that price logic: those of its family, whatever the size of the device."""
    found = tuple(
        (name, q)
        for name, q in sorted(target.constants.items())
        if ("_lut" in name or "_ff" in name or name.startswith(("carry", "bram_decomposition", "loop_bound", "port_")))
        and not name.startswith(("device_", "usable_"))
    )
    return _prices.setdefault(found, Prices(dict(found)))


def nominal(target: Target) -> dict[str, float]:
    """The constants of a target as plain numbers."""
    return {name: q.value for name, q in target.constants.items()}
