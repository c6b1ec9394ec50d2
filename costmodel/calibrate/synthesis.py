"""Sizes of units in LUTs, registers, carries, multipliers and block RAM, as Yosys maps them to a family of FPGAs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import MappingProxyType

from costmodel.calibrate import yosys
from costmodel.calibrate.fpga_units import BY_NAME, FILES, UNITS, Size, Unit, batch

#: The table that is shipped, and the rows of a quick run on LUT6: a unit may take a LUT or two more or less by what
#: else is in the run, so that a run is compared with one of the same units.
SHIPPED = Path(__file__).parent / "fpga_units.csv"
QUICK = Path(__file__).parent / "fpga_units_quick.csv"
METRICS = ("lut", "ff", "carry", "dsp", "bram18")

_XILINX = "synth_xilinx -family xc7 -top all_units -flatten -noiopad -noclkbuf"
#: After synthesis up to the mapping of LUTs, the mapper for area instead of the one for delay.
_AREA = """ -run begin:map_luts
opt_expr -mux_undef -noclkinv
abc -luts 2:2,3,6:5
clean
techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6
xilinx_dffopt
opt_lut_ins -tech xilinx
clean"""

#: family -> flow -> the commands. ECP5 is mapped without wide multiplexers, which make logic several times as large.
FLOWS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "lut6": {"default": _XILINX, "nodsp": f"{_XILINX} -nodsp", "area": _XILINX + _AREA},
    "ecp5": {"default": "synth_ecp5 -top all_units -nowidelut", "nodsp": "synth_ecp5 -top all_units -nowidelut -nodsp"},
    "ice40": {"default": "synth_ice40 -top all_units -dsp", "nodsp": "synth_ice40 -top all_units"},
})  # fmt: skip

#: The target whose constants a family is compared with.
TARGETS = MappingProxyType({"lut6": "pynq-z1", "ecp5": "ecp5-25f", "ice40": "ice40-up5k"})

#: Cells that are LUTs, with how many of them; memories of LUTs count all that they occupy.
_LUTS = {
    **{f"LUT{k}": 1 for k in range(1, 7)}, "LUT4": 1, "SB_LUT4": 1, "INV": 0, "SRL16E": 1, "SRLC32E": 1,
    "RAM32X1D": 2, "RAM64X1D": 2, "RAM32M": 4, "RAM64M": 4, "RAM128X1D": 4, "RAM256X1S": 4, "RAM32X1S": 1,
    "RAM64X1S": 1, "RAM128X1S": 2, "TRELLIS_DPR16X4": 4,
    "CCU2C": 2,  # two LUTs and their carries
}  # fmt: skip
_OTHERS = {
    "CARRY4": ("carry", 1), "CCU2C": ("carry", 1), "SB_CARRY": ("carry", 1),
    "DSP48E1": ("dsp", 1), "MULT18X18D": ("dsp", 1), "SB_MAC16": ("dsp", 1),
    "RAMB18E1": ("bram18", 1), "RAMB36E1": ("bram18", 2), "DP16KD": ("bram18", 1), "SB_RAM40_4K": ("bram18", 1),
}  # fmt: skip
_REGISTERS = ("FD", "TRELLIS_FF", "SB_DFF")
#: What takes no LUT of its own: multiplexers behind LUTs, constants, notes of the tool.
_FREE = ("MUXF", "PFUMX", "L6MUX21", "VCC", "GND", "$scopeinfo", "BUFG", "ALU54B")


@dataclass(frozen=True, slots=True)
class Row:
    """One unit as it was synthesised. ``tool`` is the version of Yosys, ``text`` the hash of the SystemVerilog."""

    unit: str
    size: str
    family: str
    flow: str
    lut: int
    ff: int
    carry: int
    dsp: int
    bram18: int
    tool: str
    text: str

    @property
    def numbers(self) -> Size:
        return tuple(map(int, self.size.split("x")))

    @property
    def key(self) -> tuple[str, str, str]:
        return self.unit, self.size, self.family

    def amount(self, metric: str) -> int:
        return int(getattr(self, metric))


def counts(cells: Mapping[str, int]) -> dict[str, int]:
    """Resources of a netlist's cells by type. Raises ``KeyError`` for a cell that nothing is known of."""
    found = dict.fromkeys(METRICS, 0)
    for cell, number in cells.items():
        found["lut"] += _LUTS.get(cell, 0) * number
        if cell in _OTHERS:
            metric, each = _OTHERS[cell]
            found[metric] += each * number
        elif cell in _LUTS:
            continue
        elif cell.startswith(_REGISTERS):
            found["ff"] += number
        elif not cell.startswith(_FREE):
            raise KeyError(f"cell {cell} of a netlist: its resources are not known")
    return found


def chosen(names: Iterable[str] = ()) -> list[Unit]:
    """The units of these names; all of them without a name."""
    return [BY_NAME[name] for name in names] or list(UNITS)


def cases(names: Iterable[str] = (), quick: bool = False) -> list[tuple[Unit, Size]]:
    """Units with their sizes; ``quick``: the first three, without the widest popcounts."""
    return [(u, s) for u in chosen(names) for s in (u.sizes[:3] if quick else (*u.sizes, *u.held))]


def synthesise(
    wanted: Sequence[tuple[Unit, Size]], families: Iterable[str], announce: Callable[[str], None] = lambda text: None
) -> Iterator[Row]:
    """Every case on every family, a batch for each flow. Raises :class:`CostmodelError` where Yosys fails."""
    files = yosys.texts(*FILES)
    text = yosys.digest(files)
    for family in families:
        flows = FLOWS[family]
        groups: dict[str, list[tuple[Unit, Size]]] = {}
        for unit, size in wanted:
            groups.setdefault(unit.flow if unit.flow in flows else "default", []).append((unit, size))
        for flow, group in groups.items():
            announce(f"yosys {yosys.version()}: {len(group)} units for {family}, flow {flow}")
            for unit, size, cells in _mapped(group, flows[flow], files):
                yield Row(unit.name, "x".join(map(str, size)), family, flow, **counts(cells),
                          tool=yosys.version(), text=text)  # fmt: skip


def _mapped(
    group: Sequence[tuple[Unit, Size]], flow: str, files: Mapping[str, str]
) -> Iterator[tuple[Unit, Size, Mapping[str, int]]]:
    """The cells of each case. The commands of a flow are those of a whole design, of which every unit is a part."""
    read = "\n".join(f"read_verilog -sv {name}" for name in (*files, "batch.sv"))
    script = f"{read}\n{flow}\ntee -q -o cells.json stat -json"
    folder = yosys.run(script, {**files, "batch.sv": batch(group)})
    modules = json.loads((folder / "cells.json").read_text())["modules"]
    for unit, size in group:
        module = modules.get(f"\\u_{unit.label(size)}") or {}
        yield unit, size, module.get("num_cells_by_type") or {}


def read(path: Path = SHIPPED) -> list[Row]:
    """The rows of a table; the shipped one without a path."""
    kinds = {f.name: int if f.name in METRICS else str for f in fields(Row)}
    with open(path, newline="", encoding="utf-8") as file:
        return [Row(**{n: kinds[n](v) for n, v in row.items()}) for row in csv.DictReader(file)]  # type: ignore[arg-type]


def shipped(quick: bool) -> list[Row]:
    """The rows that a run is compared with."""
    return [*read(SHIPPED), *(read(QUICK) if quick else ())]


def ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.family, row.unit, row.numbers))


def as_csv(rows: Iterable[Row]) -> str:
    """Rows as the shipped table has them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([f.name for f in fields(Row)])
    writer.writerows(astuple(row) for row in ordered(rows))
    return out.getvalue()
