"""Matrix units and networks as synthesised and simulated, next to what the model says of them."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from costmodel.calibrate import designs, hardware_price, synthesis, yosys
from costmodel.calibrate.designs import DESIGNS, Matrices
from costmodel.cli.main import main
from costmodel.targets.fpga.job import nominal
from costmodel.targets.fpga.units import MatrixShape, totals
from costmodel.targets.load import load_target
from costmodel.validate.finn_formula import matrix_luts

needs_yosys = pytest.mark.skipif(yosys.command() is None, reason="no simulator: pip install 'costmodel[calibrate]'")
SMALL = Matrices((24, 16, 5), ((4, 8), (5, 4)))


def test_there_are_sixty_designs_of_different_names_and_half_of_them_are_held_out() -> None:
    assert len({design.name for design in DESIGNS}) == len(DESIGNS) >= 60
    assert 0.3 < statistics.mean(map(designs.held, DESIGNS)) < 0.7


def test_the_shipped_table_holds_designs_as_their_text_is_now() -> None:
    rows, known = designs.read(), {design.name: design for design in DESIGNS}
    assert len(rows) == len(DESIGNS)
    assert [row.design for row in rows] == [name for name in known if name in {row.design for row in rows}]
    assert all(row.text == designs.text_of(known[row.design]) for row in rows)
    assert all(row.split == ("hold-out" if designs.held(known[row.design]) else "calibration") for row in rows)


def test_designs_that_no_constant_has_seen_are_within_ten_percent_in_the_median_and_twenty_at_worst() -> None:
    for split, metric, estimator, ratios in designs.judged(designs.read()):
        errors = [abs(ratio - 1) for ratio in ratios]
        if split == "hold-out" and metric in ("lut", "ff") and estimator == "costmodel":
            assert statistics.median(errors) <= 0.10
            assert max(errors) <= 0.20
        if estimator == "FINN-R formula":
            assert statistics.median(ratios) > 2


def blocks(design: designs.Design) -> float:
    """Block RAMs of what is charged; of matrix units without the bits that all words of a memory share, which the tool
    does not store."""
    if not isinstance(design, Matrices):
        return sum(part.coefficient for part in design.priced() if part.metric == "bram18")
    found = 0.0
    for layer, (pe, simd) in zip(design.layers(), design.folds, strict=True):
        (mh, mw) = layer.shape
        words = layer.weights.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3).reshape(-1, pe * simd)
        bits = int((words != words[0]).any(0).sum())
        found += sum(part.coefficient for part in hardware_price.rom(len(words), bits) if part.metric == "bram18")
    return found


def test_cycles_and_block_ram_are_exact() -> None:
    """The bits that are alike in the trained weights of the one network are not known: 33 of 256 in nine words, which
    are in 7 blocks and not 8."""
    known = {design.name: design for design in DESIGNS}
    off = {row.design: row.bram18 - blocks(known[row.design]) for row in designs.read()}
    assert {name: more for name, more in off.items() if more} == {"ab-digits_16x1_8x16_16x16_16x1_8x16_8x32_1x1": -1}
    for _, metric, estimator, ratios in designs.judged(designs.read()):
        if (metric, estimator) == ("cycles", "costmodel"):
            assert set(ratios) == {1.0}


def test_multiplier_blocks_are_exact_but_for_an_address() -> None:
    """In the last layer of SFC the tool multiplies the number of a fold, for the address of a table, in a block."""
    constants = nominal(load_target("pynq-z1"))
    known = {design.name: design for design in DESIGNS}
    off = {row.design: row.dsp - totals(known[row.design].priced(), constants).get("dsp", 0) for row in designs.read()}
    assert {name: more for name, more in off.items() if more} == dict.fromkeys(
        ("784-256-256-256-10_16x49_16x16_16x16_10x16", "784-256-256-256-10_32x49_32x32_32x32_10x32"), 1
    )


def test_weights_are_the_same_in_every_run() -> None:
    first, again = SMALL.layers(), SMALL.layers()
    assert all((a.weights == b.weights).all() for a, b in zip(first, again, strict=True))


def test_the_formula_next_to_it_is_that_of_the_validation() -> None:
    for mw, mh, pe, simd in ((64, 16, 2, 8), (576, 128, 16, 32)):
        shape = MatrixShape(mw, mh, 1, bits_acc=16)
        assert designs.finn_unit_luts(mw, mh, pe, simd) == pytest.approx(matrix_luts(shape, pe, simd))


@needs_yosys
def test_a_design_computes_what_its_weights_say_in_the_cycles_of_the_model() -> None:
    assert SMALL.simulated() == SMALL.cycles()


@needs_yosys
def test_units_that_wait_for_each_other_are_as_fast_as_the_slower_of_them() -> None:
    """The first makes 16 words, one every 8 cycles, of which the second takes none in 112 of its 128 cycles."""
    design = Matrices((64, 64, 16), ((4, 8), (2, 4)))
    assert design.simulated() == design.cycles() == 128


@needs_yosys
def test_rows_of_the_same_tool_and_text_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Matrices) -> int:
        raise AssertionError(f"{self.name} is made")

    monkeypatch.setattr(Matrices, "simulated", refused)
    monkeypatch.setattr(designs, "_mapped", lambda group: {design.name: {} for design in group})
    rows = [replace(row, tool=yosys.version()) for row in designs.read()[:3]]
    assert list(designs.make(DESIGNS[:3], rows)) == []
    for changed in ({"tool": "0.1"}, {"text": "0"}):
        with pytest.raises(AssertionError, match="64-16_2x16 is made"):
            list(designs.make(DESIGNS[:3], [rows[0], replace(rows[1], **changed), rows[2]]))


def test_rows_stand_in_the_order_of_the_designs_and_the_last_of_a_name_counts() -> None:
    first, second = designs.read()[:2]
    newer = replace(first, lut=first.lut + 1)
    assert designs.ordered([second, first, newer]) == [newer, second]


@needs_yosys
def test_a_table_that_is_written_grows_and_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones first; what the file holds already is not made again."""
    made: list[list[str]] = []

    def mapped(group: list[designs.Design]) -> dict[str, dict[str, int]]:
        made.append([design.name for design in group])
        return {design.name: {"LUT6": 7} for design in group}

    few = tuple(Matrices((24, 16), (fold,)) for fold in ((16, 12), (1, 8), (4, 8)))
    monkeypatch.setattr(Matrices, "shared", Matrices.name)  # each by itself
    monkeypatch.setattr(designs, "DESIGNS", few)
    monkeypatch.setattr(designs, "_mapped", mapped)
    monkeypatch.setattr(Matrices, "simulated", Matrices.cycles)
    table = tmp_path / "designs.csv"
    assert main(["calibrate", "designs", "--format", "csv", "-o", str(table)]) == 0
    assert made == [[few[1].name], [few[2].name], [few[0].name]]
    rows = designs.read(table)
    assert [row.design for row in rows] == [design.name for design in few]
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    assert main(["calibrate", "designs", "--format", "csv", "-o", str(table)]) == 0
    assert made[3:] == [[few[2].name]]
    assert designs.read(table) == rows


@needs_yosys
@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "{head}\n64-16_1x8,hold-out,many,50,7,0,1,128,0.70,0\n", "{head}\n1,2\n"]
)
def test_a_file_that_is_no_table_of_designs_is_left_alone(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(text.format(head=designs.SHIPPED.read_text().splitlines()[0]))
    before = table.read_text()
    assert main(["calibrate", "designs", "--format", "csv", "-o", str(table)]) == 2
    assert "mine.csv is no table of designs" in capsys.readouterr().err
    assert table.read_text() == before


@pytest.mark.slow
@needs_yosys
def test_a_design_made_now_is_as_in_the_shipped_table_of_the_same_tool(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = {row.design: row for row in designs.read()}
    rows = list(designs.make(DESIGNS[:6]))
    assert [row for row in rows if row.tool == shipped[row.design].tool] == [shipped[row.design] for row in rows]
    assert main(["calibrate", "designs", "--quick"]) == 0
    assert "FINN-R formula" in capsys.readouterr().out
    assert synthesis.METRICS == ("lut", "ff", "carry", "dsp", "bram18")
