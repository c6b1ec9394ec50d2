"""Reading libraries and simulating netlists, on a library small enough to do by hand."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from costmodel.calibrate.gates import VECTORS, compile_function, random_vectors, read_netlist
from costmodel.calibrate.liberty import Library
from costmodel.errors import CostmodelError
from tests.near import near

LIBERTY = """
/* two gates */
library (tiny) {
  time_unit : "1ns";
  leakage_power_unit : "1pW";
  capacitive_load_unit (1, ff);
  nom_voltage : 2.0
  power_lut_template (grid) {
    variable_1 : input_transition_time;
    variable_2 : total_output_net_capacitance;
    index_1 ("0.0, 1.0");
    index_2 ("0.0, 10.0");
  }
  cell (INV) {
    area : 1.5;
    leakage_power () { value : 30; when : "A"; }
    leakage_power () { value : 10; when : "!A"; }
    pin (A) { direction : input; capacitance : 1.0; }
    pin (Y) {
      direction : output;
      function : "!A";
      internal_power () {
        rise_power (grid) { values ("0.0, 10.0", "4.0, 14.0"); }
        fall_power (scalar) { values ("3.0"); }
      }
    }
  }
  cell (XNOR) {
    area : 3;
    cell_leakage_power : 500;
    pin (A) { direction : input; capacitance : 2.0; }
    pin (B) { direction : input; capacitance : 2.5; }
    pin (Y) {
      direction : output;
      function : "(A * B) + (A' * B')";
      internal_power () { rise_power (scalar) { values ("6.0"); } fall_power (scalar) { values ("8.0"); } }
    }
  }
}
"""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    path = tmp_path / "tiny.lib"
    path.write_text(LIBERTY)
    return Library([path], slew=0.5, load=5.0)


def netlist(folder: Path, cells: dict[str, tuple[str, dict[str, int]]]) -> Path:
    """``a`` is net 2, ``b`` net 3, ``y`` net 9."""
    module = {
        "ports": {
            "a": {"direction": "input", "bits": [2]},
            "b": {"direction": "input", "bits": [3]},
            "y": {"direction": "output", "bits": [9]},
        },
        "cells": {
            name: {"type": kind, "connections": {pin: [net] for pin, net in wires.items()}}
            for name, (kind, wires) in cells.items()
        },
    }
    path = folder / "top.json"
    path.write_text(json.dumps({"modules": {"top": module}}))
    return path


def test_cells_are_read_in_femto_and_nano_with_their_tables_interpolated(library: Library) -> None:
    inverter, xnor = library.cell("INV"), library.cell("XNOR")
    assert (inverter.area, inverter.leakage) == (1.5, 0.02)
    assert (xnor.area, xnor.leakage) == (3.0, 0.5)
    # the middle of 0, 10, 4 and 14 is 7; averaged with the falling edge's 3
    assert inverter.pins["Y"].energy == near(5.0)
    assert xnor.pins["Y"].energy == 7.0
    assert (xnor.pins["A"].capacitance, library.voltage) == (2.0, 2.0)
    with pytest.raises(CostmodelError, match="no cell 'NAND'"):
        library.cell("NAND")


def test_a_packed_library_reads_the_same(tmp_path: Path, library: Library) -> None:
    path = tmp_path / "tiny.lib.gz"
    path.write_bytes(gzip.compress(LIBERTY.encode()))
    assert Library([path], 0.5, 5.0).cell("XNOR") == library.cell("XNOR")


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.lib"
    path.write_text("module top(); endmodule")
    with pytest.raises(CostmodelError, match="not a Liberty file"):
        Library([path], 0.5, 5.0)
    with pytest.raises(CostmodelError, match="cannot read"):
        Library([tmp_path / "absent.lib"], 0.5, 5.0)


def test_the_energy_of_one_gate_is_its_transitions_times_what_they_cost(tmp_path: Path, library: Library) -> None:
    unit = read_netlist(netlist(tmp_path, {"u": ("XNOR", {"A": 2, "B": 3, "Y": 9})}), "top", library)
    assert (unit.area, unit.leakage) == (3.0, 0.5)
    every = (1 << VECTORS) - 1
    # only a changes: half C V^2 of its pin, 0.5 * 2 fF * 4 V2, and one transition of a gate that feeds nothing
    assert unit.energy({2: 0, 3: 0}, {2: every, 3: 0}) == near((4 + 7, 4 + 7))
    # both change, the output does not settle differently
    assert unit.energy({2: 0, 3: 0}, {2: every, 3: every})[0] == near(4 + 5)
    assert unit.energy({2: 0, 3: 0}, {2: 0, 3: 0}) == (0, 0)


def test_a_glitch_counts_in_the_upper_bound_only(tmp_path: Path, library: Library) -> None:
    # y = a xnor not(a) is always 0, but the inverter is late by one gate
    cells = {"i": ("INV", {"A": 2, "Y": 5}), "x": ("XNOR", {"A": 2, "B": 5, "Y": 9})}
    unit = read_netlist(netlist(tmp_path, cells), "top", library)
    quiet, rippling = unit.energy({2: 0, 3: 0}, {2: (1 << VECTORS) - 1, 3: 0})
    arriving = 0.5 * (1.0 + 2.0) * 4
    assert quiet == near(arriving + 5 + 0.5 * 2.5 * 4)
    assert rippling == near(quiet + 2 * 7)


def test_the_upper_bound_is_never_below_the_lower_one(tmp_path: Path, library: Library) -> None:
    cells = {
        "i": ("INV", {"A": 2, "Y": 5}),
        "x": ("XNOR", {"A": 5, "B": 3, "Y": 6}),
        "z": ("XNOR", {"A": 6, "B": 2, "Y": 9}),
    }
    unit = read_netlist(netlist(tmp_path, cells), "top", library)
    source = random.Random(1)
    for _ in range(20):
        quiet, rippling = unit.energy(random_vectors(unit, source), random_vectors(unit, source))
        assert 0 < quiet <= rippling


def test_a_loop_is_refused(tmp_path: Path, library: Library) -> None:
    cells = {"i": ("INV", {"A": 5, "Y": 6}), "j": ("INV", {"A": 6, "Y": 5})}
    with pytest.raises(CostmodelError, match="2 gates form a loop"):
        read_netlist(netlist(tmp_path, cells), "top", library)


@pytest.mark.parametrize(
    ("text", "table"),
    [("!A", [1, 0, 1, 0]), ("A'", [1, 0, 1, 0]), ("A & B", [0, 0, 0, 1]), ("(A*!B)+(!A*B)", [0, 1, 1, 0]),
     ("A^B", [0, 1, 1, 0])],
)  # fmt: skip
def test_functions_of_cells_are_boolean(text: str, table: list[int]) -> None:
    function = compile_function(text, ["A", "B"])
    assert [function([row & 1, row >> 1]) & 1 for row in range(4)] == table
    with pytest.raises(CostmodelError, match="not a Boolean expression"):
        compile_function("__import__('os').getcwd()", ["A"])
