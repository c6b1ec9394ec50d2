"""What single units of accelerators that FINN built take, next to what the laws say of their sizes.

``finn_units.csv`` has a row for each unit of eight builds of six networks, and the shell of a ninth, from the reports
by hierarchy in their repositories: what it takes, and the sizes that price it. ``ground_truth.csv`` has the sums by
kind of unit, and the sources. What is around the units (two movers of data, bus interconnects, resets) is one row,
``shell``. Paddings, thresholds of inputs and the choice of the best class are listed and not summed: no law is theirs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from costmodel.graph.domain import accumulator_bits
from costmodel.targets import load_target
from costmodel.targets.arith import round_up
from costmodel.targets.estimate import Estimate
from costmodel.targets.fpga import streams, units
from costmodel.targets.fpga.bill import resource_lines
from costmodel.targets.fpga.job import Structure, make_fabric
from costmodel.targets.fpga.makers import Maker
from costmodel.targets.fpga.units import Fabric, Part
from costmodel.targets.spec import Target
from costmodel.validate.rows import Result, Row

#: The kinds that are priced; ``all`` of a row is their sum.
KINDS = ("matrix", "window", "converter", "fifo", "pool", "shell")
#: Device of a build, by the name of its design.
DEVICES = {"xc7z020": "pynq-z2", "xczu3eg": "ultra96"}
#: Words of a buffer in block RAM whose depth no report says: more than shift registers are made of.
DEEP = 2048
#: With the kind behind it, the target of a row.
PREFIX = "finn_"


@dataclass(frozen=True, slots=True)
class Component:
    """One unit of a build. Sizes that its kind does not have are 0; ``style`` is rtl, hls, vivado or block."""

    build: str
    component: str
    kind: str
    style: str
    lut: int
    ff: int
    bram36: int
    bram18: int
    dsp: int
    pe: int
    simd: int
    mw: int
    mh: int
    bits_a: int
    bits_w: int
    levels: int
    width_in: int
    width_out: int
    depth: int
    kernel: int
    columns: int
    channels: int


@lru_cache(maxsize=1)
def components() -> tuple[Component, ...]:
    """All rows of ``finn_units.csv``, in its order."""
    whole = {field.name for field in fields(Component)} - {"build", "component", "kind", "style"}
    with Path(__file__).with_name("finn_units.csv").open(newline="", encoding="utf-8") as file:
        return tuple(
            Component(**{key: int(value or 0) if key in whole else value for key, value in record.items()})  # type: ignore[arg-type]
            for record in csv.DictReader(file)
        )


def parts(unit: Component, fabric: Fabric, host_width: int) -> tuple[Part, ...]:
    """What the laws say of a unit, by its sizes. Raises :class:`ValueError` for a kind that none stands for."""
    by: Maker = "finn-hls" if unit.style == "hls" else "finn"
    match unit.kind:
        case "matrix":
            sums = max(16, round_up(accumulator_bits(unit.mw, unit.bits_a, unit.bits_w), 8))
            shape = units.MatrixShape(unit.mw, unit.mh, 1, unit.bits_a, unit.bits_w, sums, unit.levels)
            products = unit.bits_a * unit.bits_w > 1 and unit.dsp >= unit.pe * unit.simd  # a choice of the build
            return units.mvu(shape, unit.pe, unit.simd, "finn", fabric, products="dsp" if products else "lut")
        case "window":
            window = streams.WindowShape(unit.columns, unit.channels, unit.bits_a, unit.kernel)
            return streams.window(window, unit.simd, by, "distributed", fabric)
        case "converter":
            return streams.width_converter(unit.width_in, unit.width_out, by)
        case "fifo":
            return streams.fifo(unit.width_in, unit.depth or DEEP, fabric=fabric)
        case "pool":
            kind = "or" if unit.bits_a == 1 else "compare"
            row = max(unit.columns // 2, 1)
            return streams.pool(row, unit.channels, unit.bits_a, unit.channels, kind, "finn", fabric)
        case "shell":
            return streams.shell(host_width, "finn", fabric)
    raise ValueError(unit.kind)


def result(row: Row) -> Result:
    """A sum over the units of one kind of a build, or over all of them."""
    kind = row.target.removeprefix(PREFIX)
    name = DEVICES[row.design.rsplit(" ", 1)[1]]
    target = load_target(name)
    wanted = KINDS if kind == "all" else (kind,)
    chosen = [unit for unit in components() if unit.build == row.model and unit.kind in wanted]
    found = _estimate(chosen, target).total(row.metric.lower())
    return Result(row, f"FPGA units of FINN, {row.metric}", found, target=name)


def _estimate(chosen: Iterable[Component], target: Target) -> Estimate:
    structure = target.structure_as(Structure)
    fabric = make_fabric(structure, target)
    lines = resource_lines((-1, parts(unit, fabric, structure.host_width)) for unit in chosen)
    return Estimate("", target.name, "", tuple(lines), target.constants)
