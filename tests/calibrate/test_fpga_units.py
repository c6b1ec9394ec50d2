"""Units of FPGA designs: what they compute, on every input; what they take, as laws that hold at other sizes."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import numpy as np
import pytest

from costmodel.calibrate import aiger, laws, synthesis, verify, views, yosys
from costmodel.calibrate.fpga_units import BY_NAME, FILES, UNITS, batch, cut, signed
from costmodel.deploy.elementwise import cut as thresholds
from costmodel.deploy.elementwise import shift_add, shift_negative
from costmodel.deploy.kernels import add_or_subtract, pack_signs, xnor_conv
from costmodel.views.table import to_csv
from tests.near import near

needs_yosys = pytest.mark.skipif(yosys.command() is None, reason="no simulator: pip install 'costmodel[calibrate]'")


# -- what they compute ------------------------------------------------------------------------------------------------


@needs_yosys
def test_every_unit_computes_what_it_should_on_every_input_or_on_random_streams() -> None:
    cases = [(unit, size) for unit in UNITS for size in unit.tiny]
    faults = {label: fault for label, tried, fault in verify.check(cases) if fault or tried < 64}
    assert faults == {}


@needs_yosys
def test_a_unit_that_computes_something_else_is_found() -> None:
    from dataclasses import replace

    wrong = replace(BY_NAME["comparator"], computes=lambda x, limit, W: {"y": (signed(x, W) > signed(limit, W)) * 1})
    ((_, _, fault),) = verify.check([(wrong, (4,))])
    assert fault == "y of {'x': 0, 'limit': 0}: 1, expected 0"


def column(values: np.ndarray) -> np.ndarray:
    return values.reshape(1, 1, -1)


X = np.arange(256)


@pytest.mark.parametrize("right", [1, 3, 5])
def test_a_shift_with_its_carry_is_that_of_the_executor(right: int) -> None:
    found = BY_NAME["shift_const"].computes(X, W=8, RIGHT=right)
    ran = shift_add(column(signed(X, 8)), np.ones(1, np.int64), np.array([-right]), np.zeros(1, np.int64))
    assert np.array_equal(signed(found["y"], 8) + found["carry"], ran.ravel())


def test_a_quantised_prelu_is_that_of_the_executor() -> None:
    found = BY_NAME["qprelu"].computes(X, W=8, K=3)
    ran = shift_negative(column(signed(X, 8)), np.ones(1, np.int64), np.array([-3]))
    assert np.array_equal(signed(found["y"], 8) + found["carry"], ran.ravel())


@pytest.mark.parametrize("slope", [-9, 0, 5, 16])
def test_a_prelu_of_a_fixed_point_slope_is_that_of_the_executor(slope: int) -> None:
    found = BY_NAME["prelu_rounded"].computes(X, cut(np.full(256, slope), 8), W=8, F=4, ROUND=1)
    ran = shift_negative(column(signed(X, 8)), np.array([slope]), np.array([-4]))
    assert np.array_equal(found["y"], cut(ran.ravel(), 8))


def test_a_scale_and_bias_are_those_of_the_executor() -> None:
    found = BY_NAME["scale_bias"].computes(X, np.full(256, 11), cut(np.full(256, -3), 8), W=8, F=4)
    ran = shift_add(column(signed(X, 8)), np.array([11]), np.array([-4]), np.array([-3]))
    assert np.array_equal(found["y"], cut(ran.ravel(), 8))


def test_a_threshold_is_that_of_the_executor() -> None:
    found = BY_NAME["comparator"].computes(X, cut(np.full(256, -7), 8), W=8)
    ran = thresholds(column(signed(X, 8)), np.array([-7]), np.array([1]), 0)
    assert np.array_equal(found["y"], ran.ravel())


def test_a_popcount_is_the_sum_of_the_executor() -> None:
    random = np.random.default_rng(0)
    a, w = random.integers(0, 2, (2, 50, 24))
    words = [np.array([int("".join(map(str, row[::-1])), 2) for row in bits]) for bits in (a, w)]
    ones = BY_NAME["xnor_popcount"].computes(*words, N=24)["y"]
    for k in range(50):
        signs = (2 * a[k] - 1).astype(np.int8).reshape(1, 24, 1, 1)
        filters = pack_signs((2 * w[k] - 1).astype(np.int8).reshape(1, 24, 1, 1)).reshape(1, 1)
        out = np.zeros((1, 1, 1, 1), np.int32)
        xnor_conv(
            pack_signs(signs), filters, np.zeros((1, 1), np.int32), 24, (1, 1), (1, 1), (0, 0), (1, 1), False, out
        )
        assert 2 * ones[k] - 24 == out.item()


def test_adding_or_subtracting_is_that_of_the_executor() -> None:
    sums, x = np.arange(-8, 8), np.full(16, 3)
    for weight, mask in ((1, 0), (0, -1)):
        found = BY_NAME["add_or_subtract"].computes(cut(sums, 6), x, np.full(16, weight), W=6)
        ran = sums + add_or_subtract(x.reshape(16, 1).astype(np.int64), np.array([[mask]])).ravel()
        assert np.array_equal(signed(found["y"], 6), ran)


def test_windows_are_those_of_a_convolution() -> None:
    image = np.arange(20).reshape(4, 5)
    view = np.lib.stride_tricks.sliding_window_view(image, (3, 3)).reshape(-1)
    assert list(verify.windows(list(range(20)), 4, 5, 3)) == view.tolist()


# -- the simulator ----------------------------------------------------------------------------------------------------


def test_a_circuit_of_a_gate_and_a_latch_by_hand(tmp_path: Path) -> None:
    """out = a and not b; the latch keeps the last out. aig: inputs 2 and 4, latch 6, gate 8 = 2 & !4."""
    body = (
        b"aig 4 2 1 2 1\n8\n8\n6\n" + bytes([8 - 5, 5 - 2]) + b"i0 a[0]\ni1 b\no0 now\no1 before[0]\nc\nmade by hand\n"
    )
    (tmp_path / "t.aig").write_bytes(body)
    circuit = aiger.read_aiger(tmp_path / "t.aig")
    circuit.reset(1)
    a, b = np.arange(64) % 2, np.arange(64) // 2 % 2
    first = circuit.settle({"a": a, "b": b})
    assert np.array_equal(first["now"], a & (1 - b)) and not first["before"].any()
    circuit.tick()
    assert np.array_equal(circuit.settle({"a": 0 * a, "b": b})["before"], a & (1 - b))


def test_bits_are_packed_and_unpacked() -> None:
    bits = np.random.default_rng(0).integers(0, 2, 192)
    assert np.array_equal(aiger.unpack(aiger.pack(bits)), bits)


# -- what they take ---------------------------------------------------------------------------------------------------


def rows() -> dict[tuple[str, str, str], synthesis.Row]:
    return {row.key: row for row in synthesis.read()}


def test_the_shipped_table_is_of_the_shipped_text() -> None:
    assert {row.text for row in synthesis.read()} == {yosys.digest(yosys.texts(*FILES))}


def test_the_unit_table_of_the_ab_paper_is_met_and_a_variable_shift_is_not_free() -> None:
    """LUTs and DSP slices at 32 bits: multiplier 47 and 4, PReLU 57 and 4, shift 32, quantised PReLU 32."""
    found = {
        unit: rows()[unit, size, "lut6"]
        for unit, size in (
            ("multiplier", "32x32"),
            ("prelu", "32"),
            ("shift_channel", "32"),
            ("qprelu", "32"),
            ("shift_var", "32"),
        )
    }
    assert (found["multiplier"].lut, found["multiplier"].dsp) == (47, 4)
    assert (found["prelu"].lut, found["prelu"].dsp) == (57, 4)
    assert (found["shift_channel"].lut, found["shift_channel"].dsp) == (31, 0)
    assert (found["qprelu"].lut, found["qprelu"].dsp) == (32, 0)
    assert found["shift_var"].lut > 2.9 * found["shift_channel"].lut


def test_laws_hold_at_sizes_that_were_held_out() -> None:
    errors = [error for law in laws.fit(synthesis.read()) for error in law.errors]
    assert len(errors) > 100
    assert statistics.median(errors) <= 0.05
    assert max(errors) <= 0.15


def test_the_quick_rows_are_those_of_the_table_but_for_a_few_luts_of_another_run() -> None:
    quick = synthesis.read(synthesis.QUICK)
    assert {row.key for row in quick} == {
        (unit.name, "x".join(map(str, size)), "lut6") for unit, size in synthesis.cases(quick=True)
    }
    for row in quick:
        assert abs(row.lut - rows()[row.key].lut) <= 2 and row.dsp == rows()[row.key].dsp, row
    assert views.differences(quick, synthesis.shipped(quick=True)).rows == []


def test_no_size_is_both_fitted_and_held_out() -> None:
    for unit in UNITS:
        assert not set(unit.sizes) & set(unit.held), unit.name


def test_a_law_of_exact_rows_is_exact() -> None:
    made = [synthesis.Row("adder", str(w), "lut6", "default", 3 * w + 2, 0, 0, 0, 0, "0", "0")
            for w in (8, 12, 16, 24, 32, 48, 10, 14, 20, 28, 40)]  # fmt: skip
    (law,) = laws.fit(made)
    assert law.coefficients == near({"1": 2, "W": 3}) and law.errors == (0.0,) * 5


def test_cells_are_counted_and_unknown_ones_are_refused() -> None:
    cells = {"LUT6": 3, "INV": 5, "RAM32M": 2, "CARRY4": 4, "FDRE": 7, "MUXF7": 9, "RAMB36E1": 1, "DSP48E1": 2}
    assert synthesis.counts(cells) == {"lut": 11, "ff": 7, "carry": 4, "dsp": 2, "bram18": 2}
    with pytest.raises(KeyError, match="cell NEW_CELL"):
        synthesis.counts({"NEW_CELL": 1})


def test_a_table_is_read_as_it_is_written(tmp_path: Path) -> None:
    shipped = synthesis.read()
    (tmp_path / "t.csv").write_text(synthesis.as_csv(shipped))
    assert synthesis.read(tmp_path / "t.csv") == shipped
    assert synthesis.as_csv(shipped) == synthesis.SHIPPED.read_text() == to_csv(views.units(shipped))


@needs_yosys
def test_a_unit_synthesised_now_is_as_in_the_shipped_table_of_the_same_tool() -> None:
    shipped = rows()
    cases = [(BY_NAME["qprelu"], (8,)), (BY_NAME["comparator"], (8,))]
    for row in synthesis.synthesise(cases, ["ecp5"]):
        if row.tool == shipped[row.key].tool:
            assert row == shipped[row.key]


def test_a_batch_holds_every_case_once() -> None:
    text = batch([(BY_NAME["adder"], (8,)), (BY_NAME["fifo"], (8, 5))])
    assert text.count("keep_hierarchy") == 2 and "adder #(.W(8)) unit (.*)" in text and ".clk(clk)" in text


def test_what_the_model_charges_stands_next_to_every_unit() -> None:
    found = laws.charged(synthesis.read())
    assert {each.row.unit for each in found} == {row.unit for row in synthesis.read()}
    adders = [each for each in found if each.row.unit == "adder" and each.row.family == "lut6"]
    assert adders and all(each.ratio == 1 and not each.outside for each in adders)
    json.dumps([each.value for each in found])


#: Units that the model charges as another mapper would build them, or at the ends of a law's range.
OTHERWISE = {
    "adder_tree", "multiplier_lut", "multiplier", "prelu", "prelu_rounded", "scale_bias", "shift_var", "qprelu_channel",
}  # fmt: skip


def test_synthesis_is_within_the_interval_of_what_the_model_charges() -> None:
    """Every size of every unit to the LUT, on LUT6 and on both families of LUT4; of the others a few sizes are not."""
    found = laws.charged(synthesis.read())
    assert not {(c.row.unit, c.row.size, c.row.family) for c in found if c.outside and c.row.unit not in OTHERWISE}
    assert sum(c.outside for c in found) <= 0.05 * len(found)


@pytest.mark.parametrize("family", ["lut6", "ecp5", "ice40"])
@pytest.mark.parametrize("unit", ["maximum", "widen", "accumulator", "add_or_subtract", "xnor_popcount_compressor"])
def test_what_was_charged_as_another_unit_is_charged_as_itself(unit: str, family: str) -> None:
    sizes = [c for c in laws.charged(synthesis.read()) if (c.row.unit, c.row.family) == (unit, family)]
    assert len(sizes) > 5
    for each in sizes:
        assert abs(each.value - each.row.lut) <= max(4, 0.2 * each.row.lut), each.row.size
