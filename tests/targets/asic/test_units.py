"""Units: published rows as they stand, laws that predict widths they have not seen, and what a column lacks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostmodelError
from costmodel.targets import load_target
from costmodel.targets.asic.units import AREA_TERMS, Column, column, fit, interpolate, split_row
from costmodel.validate.cases_asic import left_out_errors
from tests.near import near

LIBRARIES = {"asic-45nm": "nangate45", "asic-130nm": "sky130hd", "asic-7nm": "asap7"}
#: units with enough widths to leave some out
LEFT_OUT = (
    "add",
    "mul",
    "compare",
    "xnor",
    "popcount",
    "xnor_popcount",
    "mux",
    "shift",
    "qprelu_const",
    "qprelu_var",
    "prelu",
)


def library(target: str) -> Column:
    return column(load_target(target), LIBRARIES[target])


@pytest.mark.parametrize("unit", LEFT_OUT)
@pytest.mark.parametrize("target", LIBRARIES)
def test_the_area_of_widths_left_out_of_a_law_is_within_five_percent(target: str, unit: str) -> None:
    errors = left_out_errors(library(target), unit)
    assert errors
    assert max(map(abs, errors.values())) < 0.05, errors


@pytest.mark.parametrize("target", LIBRARIES)
def test_the_interval_of_a_law_holds_every_row_it_was_fitted_to(target: str) -> None:
    col = library(target)
    for (unit, what), points in col.cells.items():
        for width, row in points:
            made = col.quantity(unit, width, what)
            assert made.low <= row.low * (1 + 1e-9), (unit, what, width)
            assert made.high >= row.high * (1 - 1e-9), (unit, what, width)
            assert made.low <= made.value <= made.high


def test_a_popcount_tree_has_the_area_of_its_adder_cells() -> None:
    # n - 1 - log2 n full adders and log2 n half adders of NanGate45, in um2
    for n in (8, 64, 256, 512):
        stages = math.log2(n)
        cells = 4.256 * (n - 1 - stages) + 2.66 * stages
        assert library("asic-45nm").quantity("popcount", n, "area").value == near(cells * 1e-6, rel=1e-4)


@pytest.mark.parametrize(
    ("target", "name", "rows"),
    [
        (
            "asic-45nm-horowitz",
            "horowitz45",
            {
                ("add", 8): (0.03, 36), ("add", 16): (0.05, 67), ("add", 32): (0.1, 137), ("mul", 8): (0.2, 282),
                ("mul", 32): (3.1, 3495), ("fadd", 16): (0.4, 1360), ("fadd", 32): (0.9, 4184),
                ("fmul", 16): (1.1, 1640), ("fmul", 32): (3.7, 7700),
            },
        ),
        (
            "asic-7nm-jouppi",
            "jouppi7",
            {
                ("add", 8): (0.007, None), ("add", 32): (0.03, None), ("mul", 8): (0.07, None),
                ("mul", 32): (1.48, None), ("fadd", 16): (0.16, None), ("fadd", 32): (0.38, None),
                ("fmul", 16): (0.34, None), ("fmul", 32): (1.31, None),
            },
        ),
    ],
)  # fmt: skip
def test_published_rows_are_returned_as_they_stand(
    target: str, name: str, rows: dict[tuple[str, int], tuple[float, float | None]]
) -> None:
    col = column(load_target(target), name)
    for (unit, width), (energy, area) in rows.items():
        assert col.quantity(unit, width).value == near(energy * 1e-12, rel=1e-12)
        if area is not None:
            assert col.quantity(unit, width, "area").value == near(area * 1e-6, rel=1e-12)


def test_between_published_rows_the_costs_rise_and_beyond_them_they_follow_the_structure() -> None:
    col = column(load_target("asic-45nm-horowitz"), "horowitz45")
    widths = [4, 8, 12, 16, 24, 32, 64]
    for unit in ("add", "mul"):
        values = [col.quantity(unit, width).value for width in widths]
        assert values == sorted(values)
    assert col.quantity("add", 64).value == near(2 * col.quantity("add", 32).value)
    assert col.quantity("mul", 64).value == near(4 * col.quantity("mul", 32).value)


def test_a_word_wide_gate_of_aladdin_is_not_charged_once_a_bit() -> None:
    col = column(load_target("asic-40nm-aladdin"), "aladdin40")
    assert col.quantity("xnor", 1).value == near(0.01799e-12 / 32)
    assert col.quantity("shift", 32).value > 2 * col.quantity("add", 32).value


def test_a_variable_shift_costs_more_than_an_addition_and_a_multiplication_far_more() -> None:
    for target in LIBRARIES:
        col = library(target)
        add, shift, mul = (col.quantity(unit, 32).value for unit in ("add", "shift", "mul"))
        assert add < shift < mul / 10


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=3), st.sampled_from(["mul", "shift", "popcount", "add"]))
def test_a_law_finds_the_coefficients_of_what_has_its_form(coefficients: list[float], unit: str) -> None:
    from costmodel.targets.asic.units import TERMS

    terms = AREA_TERMS[unit][: len(coefficients)]
    widths = (4, 6, 8, 12, 16, 20, 32, 64)
    points = tuple((float(n), sum(c * TERMS[t](n) for t, c in zip(terms, coefficients, strict=False))) for n in widths)
    law = fit(points, terms)
    assert law.residual < 1e-6
    assert law(24) == near(sum(c * TERMS[t](24) for t, c in zip(terms, coefficients, strict=False)), rel=1e-6)


def test_a_law_takes_arrays_and_agrees_with_itself() -> None:
    widths = np.array([5, 8, 17, 32])
    for unit in ("add", "mul", "shift", "popcount", "compare"):
        law = library("asic-45nm").law(unit, "area")
        assert law(widths) == near([law(int(n)) for n in widths], rel=1e-15)


def test_few_points_make_a_law_of_few_terms() -> None:
    assert fit(((8.0, 16.0),), ("n", "1")).terms == ("n",)
    assert fit(((8.0, 16.0), (16.0, 32.0)), ("n2", "n", "1")).terms == ("n2", "n")


@given(st.integers(1, 64))
def test_interpolation_returns_the_points_themselves(width: int) -> None:
    points = [(8.0, 3.0), (16.0, 7.0), (32.0, 20.0)]
    assert interpolate(points, 16.0) == 7.0
    assert 3.0 * width / 8 * 0.999 <= interpolate(points, float(width)) or width > 8


def test_rows_name_a_unit_and_a_width() -> None:
    assert split_row("qprelu_var16") == ("qprelu_var", 16)
    assert split_row("add8") == ("add", 8)
    with pytest.raises(CostmodelError, match="expected a unit and a width"):
        split_row("adder")


def test_what_a_column_lacks_is_named() -> None:
    with pytest.raises(CostmodelError, match="'horowitz45' has no energy of 'popcount'"):
        column(load_target("asic-45nm-horowitz"), "horowitz45").quantity("popcount", 64)
    with pytest.raises(CostmodelError, match=r"unknown table of target .*: 'nowhere'"):
        column(load_target("asic-45nm"), "nowhere")


def test_the_error_of_interpolating_between_libraries_follows_from_predicting_one_of_them() -> None:
    """NanGate45 predicted from sky130 and ASAP7, the logarithm of the error scaled by the square of the spans."""
    old, middle, new = (library(name) for name in ("asic-130nm", "asic-45nm", "asic-7nm"))
    share = math.log(old.node / middle.node) / math.log(old.node / new.node)
    shorter = (math.log(middle.node / new.node) / math.log(old.node / new.node)) ** 2
    units = [("add", 32), ("mul", 16), ("mul", 32), ("compare", 16), ("shift", 32), ("mux", 32), ("xnor", 64)]
    units += [("popcount", 64), ("popcount", 256), ("xnor_popcount", 128), ("register", 1)]
    for what, name in (("energy", "interpolation_error"), ("area", "interpolation_area_error")):
        errors = []
        for unit, width in units:
            values = [
                col.quantity(unit, width, what).value / (col.voltage**2 if what == "energy" else 1)
                for col in (old, middle, new)
            ]
            predicted = math.exp((1 - share) * math.log(values[0]) + share * math.log(values[2]))
            errors.append(math.exp(shorter * math.log(values[1] / predicted)))
        shipped = load_target("binareye").constant(name)
        assert shipped.low <= min(errors), name
        assert max(errors) <= shipped.high, name
        assert min(errors) <= shipped.value <= max(errors), name
