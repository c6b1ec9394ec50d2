"""A ground truth of our own: matrix units and whole networks as SystemVerilog, synthesised and simulated.

    costmodel calibrate designs -o designs.csv

Each design is a row of matrix units (:mod:`~costmodel.calibrate.vehicle`) with random weights: LUT, FF, carries,
multipliers and block RAM of LUT6 by Yosys, cycles between two vectors by simulation of its gates. A run that was
interrupted goes on where it stopped. What the model says is put next to it, and what FINN's formulas say. Which designs
a constant may see is drawn from their names.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np

from costmodel.calibrate import vehicle, yosys
from costmodel.calibrate.synthesis import FLOWS, METRICS, counts
from costmodel.targets.fpga import streams, units
from costmodel.targets.fpga.job import nominal
from costmodel.targets.fpga.units import MatrixShape, Part, totals
from costmodel.targets.load import load_target

#: The table that is shipped.
SHIPPED = Path(__file__).with_name("fpga_designs.csv")
SEED = 2024
#: Designs that are synthesised in one run of the tool.
TOGETHER = 6
#: Vectors that a simulation looks at, each in a run of its own.
RUNS = 64


@dataclass(frozen=True)
class Design:
    """``sizes`` are the values between its layers, ``folds`` the (PE, SIMD) of each layer."""

    sizes: tuple[int, ...]
    folds: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        return "-".join(map(str, self.sizes)) + "_" + "_".join(f"{pe}x{simd}" for pe, simd in self.folds)

    @property
    def held(self) -> bool:
        """Whether no constant may see it: half of all, by the hash of its name."""
        return hashlib.sha256(f"{SEED} {self.name}".encode()).digest()[0] % 2 == 1

    def layers(self) -> list[vehicle.Layer]:
        """Random weights and thresholds; of the last layer thresholds as well, so that signs leave the design."""
        chance = np.random.default_rng(int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:4], "big"))
        return [
            vehicle.Layer(chance.integers(0, 2, (mh, mw)), chance.integers(mw // 4, 3 * mw // 4, mh))
            for mw, mh in pairwise(self.sizes)
        ]


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
_TFC, _SFC = (784, 64, 64, 64, 10), (784, 256, 256, 256, 10)
#: Units of layers over PE x SIMD, and TFC and SFC at three foldings each.
DESIGNS: tuple[Design, ...] = (
    *(Design(sizes, (fold,)) for sizes, folds in _UNITS.items() for fold in folds),
    Design(_TFC, ((16, 49), (8, 16), (8, 8), (10, 8))),
    Design(_TFC, ((4, 28), (4, 4), (4, 4), (2, 4))),
    Design(_TFC, ((32, 49), (16, 32), (16, 16), (10, 16))),
    Design(_SFC, ((16, 49), (16, 16), (16, 16), (10, 16))),
    Design(_SFC, ((8, 28), (8, 8), (8, 8), (2, 8))),
    Design(_SFC, ((32, 49), (32, 32), (32, 32), (10, 32))),
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


def make(wanted: Sequence[Design], announce: Callable[[str], None] = lambda text: None) -> Iterator[Row]:
    """Every design, synthesised a few at a time and simulated. Raises :class:`CostmodelError` where the tool fails."""
    files = yosys.texts()
    text = yosys.digest(files)
    for start in range(0, len(wanted), TOGETHER):
        group = wanted[start : start + TOGETHER]
        announce(f"yosys {yosys.version()}: designs {start + 1} to {start + len(group)} of {len(wanted)}")
        cells = _mapped(group, files)
        for design in group:
            yield Row(design.name, "hold-out" if design.held else "calibration", **counts(cells[design.name]),
                      cycles=simulated(design), tool=yosys.version(), text=text)  # fmt: skip


def _mapped(group: Sequence[Design], files: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Cells by type of each design, each within a boundary that synthesis keeps."""
    modules, places = [], []
    for k, design in enumerate(group):
        network = design.layers()
        text = vehicle.verilog(network, design.folds)
        modules.append(text.replace("module network", f"(* keep_hierarchy *) module design{k}", 1))
        wide_in, wide_out = design.folds[0][1], design.folds[-1][0]
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
    everything = {**files, "designs.sv": "\n".join([*modules, top])}
    read = "\n".join(f"read_verilog -sv {name}" for name in everything)
    folder = yosys.run(f"{read}\n{FLOWS['lut6']['default']}\ntee -q -o cells.json stat -json", everything)
    found = json.loads((folder / "cells.json").read_text())["modules"]
    return {design.name: found[f"\\design{k}"]["num_cells_by_type"] for k, design in enumerate(group)}


def simulated(design: Design) -> int:
    """Cycles between two vectors, of its gates; popcounts leave the last layer, and each is checked.

    Raises :class:`CostmodelError` where results do not come, and :class:`AssertionError` where one is wrong.
    """
    network = design.layers()
    counting = [*network[:-1], vehicle.Layer(network[-1].weights, None)]
    inputs = np.random.default_rng(SEED).integers(0, 2, (RUNS, design.sizes[0]))
    run = vehicle.simulate(counting, design.folds, inputs)
    x = inputs
    for layer in counting:
        ones = (x[:, None, :] == layer.weights[None]).sum(2)
        x = ones if layer.limits is None else (ones >= layer.limits).astype(int)
    if not np.array_equal(run.popcounts, x):
        raise AssertionError(f"{design.name}: the hardware does not compute what its weights say")
    return run.cycles


# -- what the model says ----------------------------------------------------------------------------------------------


def priced(design: Design) -> tuple[Part, ...]:
    """The parts of a design, with its weights as one memory of all rows, as the text has them."""
    found: list[Part] = []
    produced = design.folds[0][1]
    for k, ((mw, mh), (pe, simd)) in enumerate(zip(pairwise(design.sizes), design.folds, strict=True)):
        shape = MatrixShape(mw, mh, 1, bits_acc=math.ceil(math.log2(mw + 1)) + 1)
        words = mw // simd * (mh // pe)
        found += [p for p in units.mvu(shape, pe, simd, "behavioural") if p.component != "weights"]
        found += units.memory("weights", "weight", words, pe * simd, 1, "block")
        if k:
            found += streams.fifo(produced, 8)
            found += streams.width_converter(produced, simd, "behavioural")
        produced = pe
    return tuple(found)


def cycles(design: Design) -> int:
    return vehicle.cycles(design.layers(), design.folds)


def finn_luts(design: Design) -> float:
    """LUTs of the matrix units by the formulas of FINN-R."""
    found = 0.0
    for (mw, mh), (pe, simd) in zip(pairwise(design.sizes), design.folds, strict=True):
        found += finn_unit_luts(mw, mh, pe, simd)
    return found


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
        said = [totals(priced(known[row.design]), constants) for row in part]
        for metric in ("lut", "ff", "carry", "bram18"):
            pairs = [(each[metric], row.amount(metric)) for each, row in zip(said, part, strict=True)]
            if ratios := [float(estimate) / made for estimate, made in pairs if made]:
                yield split, metric, "costmodel", ratios
        if part:
            yield split, "cycles", "costmodel", [cycles(known[row.design]) / row.cycles for row in part]
            yield split, "lut", "FINN-R formula", [finn_luts(known[row.design]) / row.lut for row in part]


def read(path: Path = SHIPPED) -> list[Row]:
    kinds = {f.name: int if f.name in (*METRICS, "cycles") else str for f in fields(Row)}
    with open(path, newline="", encoding="utf-8") as file:
        return [Row(**{n: kinds[n](v) for n, v in row.items()}) for row in csv.DictReader(file)]  # type: ignore[arg-type]
