"""Characterise arithmetic units in a standard-cell library: the tables of ``arch_specs/asic`` made again.

    costmodel calibrate asic --library nangate45 --liberty nangate45_typ.lib -o column.yaml

Yosys 0.23 made the tables. Libraries whose licence does not allow them to be passed on are read from the path given;
the SHA-256 sums of the files used are in ``LIBRARIES``.
"""

from __future__ import annotations

import gzip
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from costmodel.calibrate import yosys
from costmodel.calibrate.asic_rtl import Adders, Unit, units
from costmodel.calibrate.delay import longest_path
from costmodel.calibrate.gates import random_vectors, read_netlist
from costmodel.calibrate.liberty import Library

#: Rounds of 512 vector pairs.
ROUNDS = 4
_MAP = "+strash;amap,-x"
_SYNTHESISE = "+strash;ifraig;scorr;dc2;dch,-f;amap,-x"


@dataclass(frozen=True)
class Process:
    """A library: input slew in ns and load in fF at which energies are read, its adder cells, its flip-flop."""

    title: str
    node: int
    source: str
    slew: float
    load: float
    adders: Adders
    flip_flop: tuple[str, str, str, str]  # cell, clock, data, output
    target: str  # that holds the shipped column
    sha256: tuple[str, ...]


def _asap7_full(u: str, a: str, b: str, c: str, s: str, k: str) -> str:
    inverted = f"wire {u}s, {u}k; FAx1_ASAP7_75t_R {u}(.A({a}), .B({b}), .CI({c}), .SN({u}s), .CON({u}k));"
    return f"{inverted} INVx1_ASAP7_75t_R {u}i(.A({u}s), .Y({s})); INVx1_ASAP7_75t_R {u}j(.A({u}k), .Y({k}));"


def _asap7_half(u: str, a: str, b: str, s: str, k: str) -> str:
    inverted = f"wire {u}s, {u}k; HAxp5_ASAP7_75t_R {u}(.A({a}), .B({b}), .SN({u}s), .CON({u}k));"
    return f"{inverted} INVx1_ASAP7_75t_R {u}i(.A({u}s), .Y({s})); INVx1_ASAP7_75t_R {u}j(.A({u}k), .Y({k}));"


LIBRARIES: dict[str, Process] = {
    "nangate45": Process(
        "NanGate 45 nm Open Cell Library, typical corner", 45, "nangate45", 0.02, 5.0,
        Adders(
            lambda u, a, b, c, s, k: f"FA_X1 {u}(.A({a}), .B({b}), .CI({c}), .S({s}), .CO({k}));",
            lambda u, a, b, s, k: f"HA_X1 {u}(.A({a}), .B({b}), .S({s}), .CO({k}));",
            lambda u, a, b, y: f"XNOR2_X1 {u}(.A({a}), .B({b}), .ZN({y}));",
        ),
        ("DFF_X1", "CK", "D", "Q"),
        "asic-45nm-nangate",
        ("2efd0b32eb580e4e60e72fc0575bb3bc69aac907c91d908442e4ae6d7fe55895",),
    ),
    "sky130hd": Process(
        "SkyWater sky130_fd_sc_hd, typical corner", 130, "sky130", 0.05, 5.0,
        Adders(
            lambda u, a, b, c, s, k: (
                f"sky130_fd_sc_hd__fa_1 {u}(.A({a}), .B({b}), .CIN({c}), .SUM({s}), .COUT({k}));"
            ),
            lambda u, a, b, s, k: f"sky130_fd_sc_hd__ha_1 {u}(.A({a}), .B({b}), .SUM({s}), .COUT({k}));",
            lambda u, a, b, y: f"sky130_fd_sc_hd__xnor2_1 {u}(.A({a}), .B({b}), .Y({y}));",
        ),
        ("sky130_fd_sc_hd__dfxtp_1", "CLK", "D", "Q"),
        "asic-130nm-sky130",
        ("70a45bf9b5ea8f6a701dc34744b5c767b38e1af31b1d1f97309a97ec64603ecf",),
    ),
    "asap7": Process(
        "ASAP7 predictive 7 nm PDK, regular threshold, typical corner", 7, "asap7", 0.01, 1.44,
        Adders(_asap7_full, _asap7_half, lambda u, a, b, y: f"XNOR2xp5_ASAP7_75t_R {u}(.A({a}), .B({b}), .Y({y}));"),
        ("DFFHQNx1_ASAP7_75t_R", "CLK", "D", "QN"),
        "asic-7nm-asap7",
        (
            "fa92e6ab1481810602811b1eea54bc016a341f11fb5188d7512c026599adf038",
            "a4ceb32e418e1aac8667e28fbd8e9e46baf520180be4db075598a4d7c681a56e",
            "57a0b403485b99ebd676942af4673ac086b86c7c75fbdc3e5c0038501dd22ba3",
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """``area`` in um2, energies in fJ without glitches and with unit delays, ``leakage`` in nW, ``delay`` in ns."""

    unit: str
    width: int
    area: float
    quiet: float
    rippling: float
    leakage: float
    delay: float = 0.0


def characterise(
    process: Process, liberty: Sequence[Path], widths: Sequence[int], announce: Callable[[str], None]
) -> Iterator[Measured]:
    """Every unit of :mod:`asic_rtl`, mapped to the library and simulated, and one bit of register.

    ``widths``: of these alone, all without any. Raises :class:`CostmodelError` where a tool fails, and
    :class:`MissingExtraError` without yosys.
    """
    library = Library(liberty, process.slew, process.load)
    merged = _mapping_library(liberty)
    for unit in units(process.adders):
        if widths and unit.width not in widths:
            continue
        announce(f"{unit.name} of {unit.width} bits")
        path = synthesise(unit, merged)
        netlist = read_netlist(path, unit.module, library)
        source = random.Random(7)  # the same operands for every library
        rounds = [
            netlist.energy(random_vectors(netlist, source), random_vectors(netlist, source)) for _ in range(ROUNDS)
        ]
        quiet, rippling = (sum(each) / ROUNDS for each in zip(*rounds, strict=True))
        delay = longest_path(path, unit.module, library)
        yield Measured(unit.name, unit.width, netlist.area, quiet, max(quiet, rippling), netlist.leakage, delay)
    yield register(process, library)


def register(process: Process, library: Library) -> Measured:
    """One flip-flop for one cycle: two clock edges, and from no change of its data (low) to one (high)."""
    name, clock, data, output = process.flip_flop
    cell = library.cell(name)
    square = library.voltage**2
    idle = 2 * cell.pins[clock].energy + cell.pins[clock].capacitance * square
    change = cell.pins[data].energy + cell.pins[output].energy + 0.5 * cell.pins[data].capacitance * square
    return Measured("register", 1, cell.area, idle, idle + change, cell.leakage)


def synthesise(unit: Unit, liberty: str) -> Path:
    """Map a unit to the text of a library; returns the netlist as JSON."""
    if unit.flow == "cells":
        steps = ["read_liberty -lib -ignore_miss_func library.lib", "read_verilog unit.v"]
        steps += [f"hierarchy -top {unit.module}", "proc; opt_clean"]
    else:
        kept = f"synth -top {unit.module} -run begin:fine; opt -full; techmap; opt -fast"
        front, script = (kept, _MAP) if unit.flow == "map" else (f"synth -top {unit.module}", _SYNTHESISE)
        steps = ["read_verilog unit.v", front, f'abc -liberty library.lib -script "{script}"', "opt_clean"]
    folder = yosys.run("\n".join([*steps, "write_json unit.json"]), {"unit.v": unit.verilog, "library.lib": liberty})
    return folder / "unit.json"


def _mapping_library(liberty: Sequence[Path]) -> str:
    """One text for the mapper: the first file, with the cells of the second before its last brace (ASAP7 keeps its
    inverters apart, and its flip-flops in a third)."""
    first, *others = (_text(path) for path in liberty[:2])
    if not others:
        return first
    cells = others[0][others[0].index("\n  cell (") : others[0].rindex("}")]
    return first[: first.rindex("}")] + cells + "}\n"


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8", "replace")


def others(process: Process, liberty: Sequence[Path]) -> list[Path]:
    """Of the files those that are not the ones that the shipped table was made from."""
    return [
        p for p, digest in zip(liberty, process.sha256, strict=False) if sha256(p.read_bytes()).hexdigest() != digest
    ]


def column_yaml(name: str, process: Process, voltage: float, rows: Sequence[Measured]) -> str:
    """The part of ``arch_specs/asic`` that holds this column."""
    lines = [
        f"# {process.title}: units mapped to the library, energies from gate-level simulation.",
        "# Made by costmodel calibrate asic. energy: geometric mean of [no glitches, unit gate delays].",
        "# No wires, clock or layout.",
        "kind: asic",
        "constants:",
        f'  {name}_node: {{value: {process.node}, unit: nm, exact: true, source: "{process.source}", confidence: P}}',
        f"  {name}_vdd: {{value: {voltage:g}, unit: V, exact: true, "
        f'source: "{process.source}, operating conditions", confidence: P}}',
        "tables:",
        f"  {name}:",
        f'    source: "own_synthesis_asic; {process.source}"',
        "    confidence: C",
        "    bounds: [1, 1]",
        "    note: low is without glitches, high with unit gate delays; uniform random operands",
        "    units: {energy: fJ, area: um2, leakage: nW}",
        "    rows:",
    ]
    for row in rows:
        middle = math.sqrt(row.quiet * row.rippling)
        low, value, high = (_number(x) for x in (row.quiet, middle, row.rippling))
        cells = f"energy: [{value}, {low}, {high}], area: {_number(row.area)}, leakage: {_number(row.leakage)}"
        lines.append(f"      {row.unit}{row.width}: {{{cells}}}")
    return "\n".join([*lines, "structure:", "  columns:", f"    {name}: {{read: law}}", ""])


def _number(value: float) -> str:
    return f"{float(f'{value:.5g}'):.10g}"
