"""The ground truth: whole, split once, and never leaked into a fit."""

from __future__ import annotations

import csv

import pytest

from costmodel.targets import list_targets, load_target
from costmodel.targets.load import references
from costmodel.targets.spec import citation_keys
from costmodel.validate import load_rows, validate
from costmodel.validate.rows import Row, relative_error
from costmodel.validate.split import FILE, drawn


def by_id() -> dict[str, Row]:
    return {row.id: row for row in load_rows()}


def test_every_row_has_an_identifier_of_its_own_and_a_source() -> None:
    rows = load_rows()
    assert len(by_id()) == len(rows) > 100
    assert all(row.source and row.unit and row.confidence for row in rows)


@pytest.mark.parametrize("name", list_targets())
def test_fitted_constants_name_calibration_rows_only(name: str) -> None:
    rows = by_id()
    for key, quantity in load_target(name).constants.items():
        for row in quantity.fitted_to:
            assert row in rows, f"{key} names {row}"
            assert rows[row].split == "calibration", f"{key} was fitted to {row}, a row that is {rows[row].split}"


MEASUREMENTS = sorted(key for key, entry in references().items() if "keywords = {measurements}" in entry)


@pytest.mark.parametrize("name", list_targets())
def test_constants_from_measured_designs_name_the_rows_that_set_them(name: str) -> None:
    """What is read from a place that rows come from says which rows it used; exact counts are no measurement."""
    assert len(MEASUREMENTS) > 4
    for key, quantity in load_target(name).constants.items():
        if set(citation_keys(quantity.source)) & set(MEASUREMENTS) and quantity.low != quantity.high:
            assert quantity.fitted_to, f"{key} cites {quantity.source} and names no row"


def test_the_split_is_the_one_that_was_drawn_and_only_ever_loses_rows_to_calibration() -> None:
    with FILE.open(newline="", encoding="utf-8") as file:
        splits = drawn(list(csv.DictReader(file)))
    rows = by_id()
    assert len(splits) > 150
    for key, split in splits.items():
        assert rows[key].split == split or rows[key].split == "calibration", key


def test_rows_of_one_design_are_on_one_side_of_the_draw() -> None:
    sides: dict[tuple[str, str], set[str]] = {}
    named = [{"id": row.id, "draw": row.draw, "design": row.design} for row in load_rows()]
    for key, split in drawn(named).items():
        row = by_id()[key]
        sides.setdefault((row.draw, row.design), set()).add(split)
    assert all(len(side) == 1 for side in sides.values())


def test_every_row_is_estimated_or_says_why_not() -> None:
    report = validate(["counts", "arm", "cpu", "fpga", "asic"])
    seen = [result.row.id for result in report.results] + [skipped.row.id for skipped in report.skipped]
    assert sorted(seen) == sorted(by_id())
    assert all(skipped.why for skipped in report.skipped)


def test_relative_error_of_a_zero_row_is_zero_or_infinite() -> None:
    assert relative_error(0, 0) == 0
    assert relative_error(1, 0) == float("inf")
    assert relative_error(3, 2) == 0.5
