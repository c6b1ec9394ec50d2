"""The longest path of a netlist, on a library whose delays are easy: an edge costs so much, and so much for each fF."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from costmodel.calibrate.delay import longest_path
from costmodel.calibrate.liberty import Library


def timing(pin: str, sense: str, rise: float, fall: float) -> str:
    """Delays grow by 0.1 a fF; an edge leaves with as much transition time as its delay without load."""
    return f"""timing () {{ related_pin : "{pin}"; timing_sense : {sense};
      cell_rise (t) {{ values ("{rise}, {rise + 1}"); }} rise_transition (s) {{ values ("{rise}"); }}
      cell_fall (t) {{ values ("{fall}, {fall + 1}"); }} fall_transition (s) {{ values ("{fall}"); }} }}"""


LIBERTY = f"""
library (tiny) {{
  time_unit : "1ns"; leakage_power_unit : "1nW"; capacitive_load_unit (1, ff); nom_voltage : 1.0;
  lu_table_template (t) {{ variable_1 : total_output_net_capacitance; index_1 ("0, 10"); }}
  lu_table_template (s) {{ variable_1 : total_output_net_capacitance; index_1 ("0"); }}
  cell (INV) {{ area : 1; pin (A) {{ direction : input; capacitance : 2; }}
    pin (Y) {{ direction : output; function : "!A"; {timing("A", "negative_unate", 1.0, 3.0)} }} }}
  cell (XOR) {{ area : 1;
    pin (A) {{ direction : input; capacitance : 1; }} pin (B) {{ direction : input; capacitance : 1; }}
    pin (Y) {{ direction : output; function : "A ^ B";
      {timing("A", "non_unate", 5.0, 5.0)} {timing("B", "non_unate", 7.0, 7.0)} }} }}
}}
"""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "tiny.lib").write_text(LIBERTY)
    return Library([tmp_path / "tiny.lib"], 0.0, 0.0)


def path_of(folder: Path, library: Library, cells: list[tuple[str, dict[str, int]]]) -> float:
    """``a`` is net 2, ``y`` net 9."""
    module = {
        "ports": {"a": {"direction": "input", "bits": [2]}, "y": {"direction": "output", "bits": [9]}},
        "cells": {
            str(k): {"type": kind, "connections": {pin: [net] for pin, net in wires.items()}}
            for k, (kind, wires) in enumerate(cells)
        },
    }
    (folder / "n.json").write_text(json.dumps({"modules": {"top": module}}))
    return longest_path(folder / "n.json", "top", library)


def test_one_gate_takes_its_slower_edge(tmp_path: Path, library: Library) -> None:
    assert path_of(tmp_path, library, [("INV", {"A": 2, "Y": 9})]) == pytest.approx(3.0)


def test_edges_turn_at_every_inverter_and_a_load_slows_them(tmp_path: Path, library: Library) -> None:
    """Rising in, falling, rising: 3 + 1; the first gate feeds 2 fF, which is 0.2 more."""
    cells = [("INV", {"A": 2, "Y": 5}), ("INV", {"A": 5, "Y": 9})]
    assert path_of(tmp_path, library, cells) == pytest.approx(4.2)


def test_the_slower_of_two_inputs_counts_and_either_edge_of_a_xor(tmp_path: Path, library: Library) -> None:
    """Through the inverter 3 + 0.1 and then 5, or straight 7: the first."""
    cells = [("XOR", {"A": 5, "B": 2, "Y": 9}), ("INV", {"A": 2, "Y": 5})]
    assert path_of(tmp_path, library, cells) == pytest.approx(8.1)


def test_a_chain_of_thousands_is_no_recursion(tmp_path: Path, library: Library) -> None:
    nets = [2, *range(100, 3100), 9]
    cells = [("INV", {"A": a, "Y": b}) for a, b in pairwise(nets)]
    assert len(cells) == 3001
    assert path_of(tmp_path, library, cells) == pytest.approx(1500 * 4 + 3000 * 0.2 + 3)
