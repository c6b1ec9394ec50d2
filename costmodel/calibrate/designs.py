"""A ground truth of our own: units and whole networks as SystemVerilog, synthesised and simulated.

    costmodel calibrate designs -o designs.csv

Each design is a row of matrix units (:mod:`~costmodel.calibrate.vehicle`) with random weights, or a network with wide
values (:mod:`~costmodel.calibrate.streamed`): LUT, FF, carries, multipliers and block RAM of LUT6 by Yosys, cycles
between two inputs by simulation of its gates. Rows of the same tool and text, in the shipped table or in the file that
is written, are not made again, so that a run that was interrupted goes on where it stopped. What the model says is put
next to it, and what FINN's formulas say. Which designs a constant may see is drawn from their names.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from costmodel.calibrate import hardware_price, vehicle, yosys
from costmodel.calibrate.streamed import Streamed
from costmodel.calibrate.synthesis import FLOWS, METRICS, counts
from costmodel.errors import CostmodelError
from costmodel.targets.fpga import streams
from costmodel.targets.fpga.job import nominal
from costmodel.targets.fpga.units import MatrixShape, Part, totals
from costmodel.targets.load import load_target

#: The table that is shipped.
SHIPPED = Path(__file__).with_name("fpga_designs.csv")
SEED = 2024
#: Matrix units of one shape go through one run of the tool where they have at most so many weights.
TOGETHER = 1 << 14
#: Vectors that a simulation looks at, each in a run of its own.
RUNS = 64


class Design(Protocol):
    """What is synthesised: ``lanes`` are the products in a cycle, about what synthesis takes; ``files`` its texts."""

    @property
    def name(self) -> str: ...
    @property
    def lanes(self) -> int: ...
    @property
    def shared(self) -> str:
        """Designs of the same go through one run of the tool: one may take a LUT more or less by what else is in it."""

    @property
    def files(self) -> tuple[str, ...]: ...
    def text(self) -> tuple[str, int, int]:
        """A module ``network``, and the widths of its input and output."""

    def simulated(self) -> int:
        """Cycles between two inputs, of its gates, whose every result is checked.

        Raises :class:`CostmodelError` where results do not come, and :class:`AssertionError` where one is wrong.
        """

    def priced(self) -> tuple[Part, ...]:
        """Its parts, as the model has them."""

    def cycles(self) -> int:
        """What the model says."""

    def finn_luts(self) -> float | None:
        """What FINN's formulas say, where they are for all of it."""


def held(design: Design) -> bool:
    """Whether no constant may see it: half of all, by the hash of its name."""
    return hashlib.sha256(f"{SEED} {design.name}".encode()).digest()[0] % 2 == 1


@dataclass(frozen=True)
class Matrices:
    """Matrix units in a row: ``sizes`` are the values between them, ``folds`` the (PE, SIMD) of each."""

    sizes: tuple[int, ...]
    folds: tuple[tuple[int, int], ...]
    files: ClassVar[tuple[str, ...]] = vehicle.FILES

    @property
    def name(self) -> str:
        return "-".join(map(str, self.sizes)) + "_" + "_".join(f"{pe}x{simd}" for pe, simd in self.folds)

    @property
    def lanes(self) -> int:
        return sum(pe * simd for pe, simd in self.folds)

    @property
    def shared(self) -> str:
        small = len(self.folds) == 1 and math.prod(self.sizes) <= TOGETHER
        return "-".join(map(str, self.sizes)) if small else self.name

    def layers(self) -> list[vehicle.Layer]:
        """Random weights and thresholds; of the last layer thresholds as well, so that signs leave the design."""
        chance = np.random.default_rng(int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:4], "big"))
        return [
            vehicle.Layer(chance.integers(0, 2, (mh, mw)), chance.integers(mw // 4, 3 * mw // 4, mh))
            for mw, mh in pairwise(self.sizes)
        ]

    def text(self) -> tuple[str, int, int]:
        return vehicle.verilog(self.layers(), self.folds), self.folds[0][1], self.folds[-1][0]

    def simulated(self) -> int:
        """With popcounts instead of signs behind the last layer."""
        network = self.layers()
        counting = [*network[:-1], vehicle.Layer(network[-1].weights, None)]
        inputs = np.random.default_rng(SEED).integers(0, 2, (RUNS, self.sizes[0]))
        run = vehicle.simulate(counting, self.folds, inputs)
        x = inputs
        for layer in counting:
            ones = (x[:, None, :] == layer.weights[None]).sum(2)
            x = ones if layer.limits is None else (ones >= layer.limits).astype(int)
        if not np.array_equal(run.popcounts, x):
            raise AssertionError(f"{self.name}: the hardware does not compute what its weights say")
        return run.cycles

    def priced(self) -> tuple[Part, ...]:
        found: list[Part] = []
        produced, words = self.folds[0][1], 0
        for k, ((mw, mh), (pe, simd)) in enumerate(zip(pairwise(self.sizes), self.folds, strict=True)):
            shape = MatrixShape(mw, mh, 1, bits_acc=math.ceil(math.log2(mw + 1)) + 1)
            found += hardware_price.matrix(shape, pe, simd)
            if k:
                found += hardware_price.queue(produced, words)
                found += streams.width_converter(produced, simd, "behavioural")
            produced, words = pe, vehicle.queue(mh, pe)
        return tuple(found)

    def cycles(self) -> int:
        return vehicle.cycles(self.layers(), self.folds)

    def finn_luts(self) -> float:
        found = 0.0
        for (mw, mh), (pe, simd) in zip(pairwise(self.sizes), self.folds, strict=True):
            found += finn_unit_luts(mw, mh, pe, simd)
        return found


_UNITS = {
    (64, 16): ((1, 8), (2, 16), (4, 8), (4, 32), (8, 16), (16, 8)),
    (72, 32): ((2, 12), (4, 18), (8, 12), (8, 36), (16, 9), (32, 12)),
    (144, 32): ((1, 16), (2, 36), (4, 24), (8, 36), (16, 18), (32, 12)),
    (256, 64): ((2, 32), (4, 16), (8, 32), (8, 64), (16, 16), (32, 32)),
    (288, 64): ((2, 32), (4, 36), (8, 24), (8, 72), (16, 36), (32, 18)),
    (576, 64): ((2, 36), (4, 32), (8, 32), (8, 72), (16, 24), (32, 36)),
    (576, 128): ((1, 64), (4, 48), (8, 36), (16, 32), (16, 64), (32, 24)),
    (784, 64): ((2, 28), (4, 49), (8, 28), (16, 49), (32, 28), (64, 14)),
    (1152, 128): ((2, 64), (4, 36), (8, 64), (16, 48), (16, 72), (32, 32)),
}
#: Channels and side of the map -> (PE, SIMD).
_BLOCKS = {
    (8, 8): ((2, 8), (8, 8)),
    (16, 8): ((4, 16), (16, 16)),
    (32, 4): ((8, 16), (8, 32), (16, 16)),
    (64, 4): ((16, 32),),
}
_TFC, _SFC = (784, 64, 64, 64, 10), (784, 256, 256, 256, 10)
#: Units of layers over PE x SIMD, TFC and SFC at three foldings each, A&B blocks, the A&B network for digits, and a
#: CNV of an eighth of its channels.
DESIGNS: tuple[Design, ...] = (
    *(Matrices(sizes, (fold,)) for sizes, folds in _UNITS.items() for fold in folds),
    Matrices(_TFC, ((16, 49), (8, 16), (8, 8), (10, 8))),
    Matrices(_TFC, ((4, 28), (4, 4), (4, 4), (2, 4))),
    Matrices(_TFC, ((32, 49), (16, 32), (16, 16), (10, 16))),
    Matrices(_SFC, ((16, 49), (16, 16), (16, 16), (10, 16))),
    Matrices(_SFC, ((8, 28), (8, 8), (8, 8), (2, 8))),
    Matrices(_SFC, ((32, 49), (32, 32), (32, 32), (10, 32))),
    *(Streamed(f"ab-{channels}x{side}", (fold,)) for (channels, side), folds in _BLOCKS.items() for fold in folds),
    Streamed("ab-digits", ((16, 1), (8, 16), (16, 16), (16, 1), (8, 16), (8, 32), (1, 1))),
    Streamed("ab-digits", ((4, 1), (2, 16), (4, 16), (4, 1), (2, 16), (2, 32), (1, 1))),
    Streamed("cnv-8", ((8, 1), (2, 8), (1, 8), (1, 16), (1, 16), (1, 8), (1, 8), (1, 8), (1, 8))),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A design as it was made; ``cycles`` between two vectors, ``tool`` and ``text`` as in the table of units."""

    design: str
    split: str
    lut: int
    ff: int
    carry: int
    dsp: int
    bram18: int
    cycles: int
    tool: str
    text: str

    def amount(self, metric: str) -> int:
        return int(getattr(self, metric))


def make(
    wanted: Sequence[Design], known: Iterable[Row] = (), announce: Callable[[str], None] = lambda text: None
) -> Iterator[Row]:
    """The designs that ``known`` has no row of by this tool and text, synthesised and simulated, small ones first.

    Small units of the same sizes go through one run of the tool, others through one of their own: a design may take a
    LUT more or less by what else is in the run. Raises :class:`CostmodelError` where the tool fails.
    """
    done = {row.design for row in current(known)}
    groups: dict[str, list[Design]] = {}
    for design in wanted:
        groups.setdefault(design.shared, []).append(design)
    for group in sorted(groups.values(), key=lambda group: sum(design.lanes for design in group)):
        missing = [design for design in group if design.name not in done]
        if not missing:
            continue
        announce(f"yosys {yosys.version()}: {', '.join(design.name for design in missing)}")
        cells = _mapped(group)
        for design in missing:
            yield Row(design.name, "hold-out" if held(design) else "calibration", **counts(cells[design.name]),
                      cycles=design.simulated(), tool=yosys.version(), text=text_of(design))  # fmt: skip


def text_of(design: Design) -> str:
    """The hash of its texts."""
    return yosys.digest(yosys.texts(*design.files))


def _mapped(group: Sequence[Design]) -> dict[str, dict[str, int]]:
    """Cells by type of each design, each within a boundary that synthesis keeps."""
    modules, places = [], []
    for k, design in enumerate(group):
        text, wide_in, wide_out = design.text()
        modules.append(text.replace("module network", f"(* keep_hierarchy *) module design{k}", 1))
        pins = ["in_valid", "in_ready", "out_valid", "out_ready"]
        wires = ", ".join([f".{pin}(p{k}_{pin})" for pin in (*pins, "in_data", "out_data")])
        places.append((k, wide_in, wide_out, f"  design{k} d{k} (.clk(clk), .rst(rst), {wires});"))
    ports = ["input logic clk, rst"]
    for k, wide_in, wide_out, _ in places:
        ports += [
            f"input logic p{k}_in_valid, p{k}_out_ready",
            f"output logic p{k}_in_ready, p{k}_out_valid",
            f"input logic [{wide_in - 1}:0] p{k}_in_data",
            f"output logic [{wide_out - 1}:0] p{k}_out_data",
        ]
    top = "\n".join([f"module all_units ({', '.join(ports)});", *(line for *_, line in places), "endmodule", ""])
    everything = {**yosys.texts(*group[0].files), "designs.sv": "\n".join([*modules, top])}
    read = "\n".join(f"read_verilog -sv {name}" for name in everything)
    folder = yosys.run(f"{read}\n{FLOWS['lut6']['default']}\ntee -q -o cells.json stat -json", everything)
    found = json.loads((folder / "cells.json").read_text())["modules"]
    return {design.name: found[f"\\design{k}"]["num_cells_by_type"] for k, design in enumerate(group)}


# -- what the model says ----------------------------------------------------------------------------------------------


def finn_unit_luts(mw: int, mh: int, pe: int, simd: int) -> float:
    """``300 + 1.1 * pe * (products + adder tree + accumulator + thresholds + comparisons)`` of one-bit operands
    (Blott et al., ACM TRETS 2018, as coded in Xilinx/finn 39f0c9a)."""
    alpha = math.log2(mw)
    accumulator = math.ceil(alpha + math.log2(1 + 2**-alpha) + 1)
    lanes = simd * 2 + 2 * (2 * simd - 1)
    return 300 + 1.1 * pe * (lanes + accumulator * (math.ceil(mh / pe / 64) + 2))


def judged(rows: Sequence[Row], target: str = "pynq-z1") -> Iterator[tuple[str, str, str, list[float]]]:
    """(split, metric, estimator, estimates over what was made) of each metric that designs take any of."""
    known, constants = {design.name: design for design in DESIGNS}, nominal(load_target(target))
    for split in ("calibration", "hold-out"):
        part = [row for row in rows if row.split == split]
        said = [totals(known[row.design].priced(), constants) for row in part]
        for metric in ("lut", "ff", "carry", "dsp", "bram18"):
            pairs = [(each.get(metric, 0), row.amount(metric)) for each, row in zip(said, part, strict=True)]
            if ratios := [float(estimate) / made for estimate, made in pairs if made]:
                yield split, metric, "costmodel", ratios
        if part:
            yield split, "cycles", "costmodel", [known[row.design].cycles() / row.cycles for row in part]
        formulas = [(known[row.design].finn_luts(), row.lut) for row in part]
        if ratios := [said / made for said, made in formulas if said]:
            yield split, "lut", "FINN-R formula", ratios


def read(path: Path = SHIPPED) -> list[Row]:
    """The rows of a table. Raises :class:`CostmodelError` for a file that is none."""
    kinds = {f.name: int if f.name in (*METRICS, "cycles") else str for f in fields(Row)}
    with open(path, newline="", encoding="utf-8") as file:
        lines = csv.DictReader(file)
        try:
            if lines.fieldnames != list(kinds):
                raise ValueError
            return [Row(**{n: kinds[n](v) for n, v in row.items()}) for row in lines]  # type: ignore[arg-type]
        except (ValueError, TypeError, KeyError, csv.Error):
            raise CostmodelError(
                f"{path} is no table of designs, with the columns {', '.join(kinds)}. Give another file, or one that "
                "does not exist"
            ) from None


def current(rows: Iterable[Row]) -> list[Row]:
    """Rows that today's tool and text would make again."""
    known = {design.name: design for design in DESIGNS}
    return [
        row for row in rows
        if row.design in known and (row.tool, row.text) == (yosys.version(), text_of(known[row.design]))
    ]  # fmt: skip


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of ``DESIGNS``, one of each; the last where there are several."""
    place = {design.name: k for k, design in enumerate(DESIGNS)}
    found = {row.design: row for row in rows if row.design in place}
    return sorted(found.values(), key=lambda row: place[row.design])
