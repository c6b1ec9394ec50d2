"""The units that are characterised compute what their names say, and the shipped tables are made of them."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from costmodel.calibrate import yosys
from costmodel.calibrate.asic_rtl import Adders, Unit, add, compare, popcount, prelu, shift, units
from costmodel.calibrate.asic_units import LIBRARIES, Measured, column_yaml
from costmodel.calibrate.gates import Netlist, read_netlist
from costmodel.calibrate.liberty import Library
from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.targets import load_target
from costmodel.targets.asic.units import column
from tests.near import near

PLAIN = Adders(
    lambda u, a, b, c, s, k: f"assign {s} = {a} ^ {b} ^ {c}; assign {k} = ({a} & {b}) | ({c} & ({a} ^ {b}));",
    lambda u, a, b, s, k: f"assign {s} = {a} ^ {b}; assign {k} = {a} & {b};",
    lambda u, a, b, y: f"assign {y} = ~({a} ^ {b});",
)
GATES = """
library (gates) {
  time_unit : "1ns"; leakage_power_unit : "1nW"; capacitive_load_unit (1, ff); nom_voltage : 1.0;
  cell (INV) {
    area : 1; pin (A) { direction : input; capacitance : 1; } pin (Y) { direction : output; function : "!A"; }
  }
  cell (NAND) {
    area : 2; pin (A) { direction : input; capacitance : 1; } pin (B) { direction : input; capacitance : 1; }
    pin (Y) { direction : output; function : "!(A & B)"; }
  }
}
"""
MAP = """
(* techmap_celltype = "$_NAND_" *)
module map_nand(input A, B, output Y); NAND _TECHMAP_REPLACE_(.A(A), .B(B), .Y(Y)); endmodule
(* techmap_celltype = "$_NOT_" *)
module map_not(input A, output Y); INV _TECHMAP_REPLACE_(.A(A), .Y(Y)); endmodule
"""
needs_yosys = pytest.mark.skipif(yosys.command() is None, reason="no simulator: pip install 'costmodel[calibrate]'")


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yosys")


def mapped(folder: Path, module: str, verilog: str) -> tuple[Netlist, dict[str, list[int]]]:
    liberty = folder / "gates.lib"
    liberty.write_text(GATES)
    steps = ["read_verilog unit.v", f"synth -top {module}", "abc -g NAND", "techmap -map map.v", "opt_clean"]
    netlist = yosys.run("\n".join([*steps, "write_json unit.json"]), {"unit.v": verilog, "map.v": MAP}) / "unit.json"
    ports = json.loads(netlist.read_text())["modules"][module]["ports"]
    return read_netlist(netlist, module, Library([liberty], 0.1, 1.0)), {n: p["bits"] for n, p in ports.items()}


@needs_yosys
@pytest.mark.parametrize("n", [4, 6, 10])
def test_units_compute_what_they_are_called(folder: Path, n: int) -> None:
    cases = [
        (f"add{n}", add(n), lambda a, b, t: a + b),
        (f"compare{n}", compare(n), lambda a, b, t: int(signed(a, n) >= signed(b, n))),
        (f"shift{n}", shift(n), lambda a, b, t: (signed(a, n) >> t) % 2**n),
        (f"qprelu_var{n}", shift(n, True), lambda a, b, t: (signed(a, n) >> (t if a >> (n - 1) else 0)) % 2**n),
        (f"popcount{n}", popcount(n, PLAIN), lambda a, b, t: a.bit_count()),
        (f"xnor_popcount{n}", popcount(n, PLAIN, True), lambda a, b, t: n - (a ^ b).bit_count()),
        (f"prelu{n}", prelu(n), lambda a, b, t: (signed(a, n) * t >> n // 2) % 2**n if a >> (n - 1) else a),
    ]
    source = random.Random(n)
    for module, verilog, expected in cases:
        netlist, ports = mapped(folder, module, verilog)
        for _ in range(40):
            operands = {"a": source.getrandbits(n), "b": source.getrandbits(n)}
            operands["t"] = source.getrandbits(len(ports.get("t", ()))) if "t" in ports else 0
            values = {
                bit: (operands[name] >> place & 1) * 1
                for name in operands
                for place, bit in enumerate(ports.get(name, ()))
            }
            settled = netlist.settle(dict(values))
            result = sum((settled[bit] & 1) << place for place, bit in enumerate(ports["y"]))
            assert result == expected(operands["a"], operands["b"], operands["t"]), (module, operands)


@pytest.mark.parametrize("n", [8, 16, 64, 256])
def test_a_tree_of_a_power_of_two_has_the_textbook_number_of_adders(n: int) -> None:
    text = popcount(n, LIBRARIES["nangate45"].adders)
    stages = n.bit_length() - 1
    assert text.count("FA_X1") == n - 1 - stages
    assert text.count("HA_X1") == stages


@pytest.mark.parametrize(
    ("target", "name"), [("asic-45nm", "nangate45"), ("asic-7nm", "asap7"), ("asic-130nm", "sky130hd")]
)
def test_the_shipped_tables_hold_every_unit_and_width(target: str, name: str) -> None:
    col = column(load_target(target), name)
    shipped = {(unit, width) for (unit, what), points in col.cells.items() if what == "area" for width, _ in points}
    made = {(unit.name, unit.width) for unit in units(LIBRARIES[name].adders)}
    assert shipped == made | {("register", 1)}


def test_a_column_is_written_as_a_spec_that_can_be_read(tmp_path: Path) -> None:
    rows = [Measured("add", 8, 44.0, 90.0, 160.0, 1000.0), Measured("register", 1, 4.5, 8.4, 15.1, 79.0)]
    text = column_yaml("nangate45", LIBRARIES["nangate45"], 1.1, rows)
    part, chip = tmp_path / "part.yaml", tmp_path / "chip.yaml"
    part.write_text(text)
    chip.write_text("kind: asic\nbase: ./part.yaml\n")
    energy = column(load_target(chip), "nangate45").quantity("add", 8)
    assert energy.value == near(1.2e-13, rel=1e-3)
    assert re.search(r"low is without glitches", text)


def test_without_yosys_the_advice_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yosys, "command", lambda: None)
    yosys.version.cache_clear()
    with pytest.raises(MissingExtraError, match=r"costmodel\[calibrate\]"):
        yosys.run("help", {})


@needs_yosys
def test_a_script_that_yosys_refuses_is_shown() -> None:
    with pytest.raises(CostmodelError, match="no_such_command"):
        yosys.run("no_such_command", {})


def test_units_have_distinct_modules() -> None:
    made: list[Unit] = list(units(PLAIN))
    assert len({unit.module for unit in made}) == len(made)
    assert all(unit.module in unit.verilog for unit in made)
