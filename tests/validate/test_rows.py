"""The ground truth: whole, split once, and never leaked into a fit."""

from __future__ import annotations

import pytest

from costmodel.targets import list_targets, load_target
from costmodel.validate import load_rows
from costmodel.validate.rows import Row, relative_error


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


def test_relative_error_of_a_zero_row_is_zero_or_infinite() -> None:
    assert relative_error(0, 0) == 0
    assert relative_error(1, 0) == float("inf")
    assert relative_error(3, 2) == 0.5
