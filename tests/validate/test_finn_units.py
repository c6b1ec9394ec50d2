"""Units of accelerators that FINN built: their rows are whole, and their sums are the rows that are scored."""

from __future__ import annotations

import pytest

from costmodel.validate.finn_units import KINDS, PREFIX, components, result
from costmodel.validate.rows import Row, load_rows

ROWS = [row for row in load_rows() if row.target.startswith(PREFIX)]


def test_every_sum_is_that_of_the_units_of_its_build_and_kind() -> None:
    assert len(ROWS) == 102
    for row in ROWS:
        kind = row.target.removeprefix(PREFIX)
        wanted = KINDS if kind == "all" else (kind,)
        chosen = [unit for unit in components() if unit.build == row.model and unit.kind in wanted]
        assert chosen, row.id
        assert sum(getattr(unit, row.metric.lower()) for unit in chosen) == row.value, row.id


def test_every_unit_that_a_law_stands_for_is_in_a_row_that_is_scored() -> None:
    scored = {(row.model, row.target.removeprefix(PREFIX)) for row in ROWS}
    for unit in components():
        if unit.kind in KINDS:
            assert (unit.build, unit.kind) in scored, unit


def test_builds_of_one_network_are_on_one_side_of_the_split() -> None:
    sides: dict[str, set[str]] = {}
    for row in ROWS:
        sides.setdefault(row.design, set()).add(row.split)
    assert len(sides) == 7
    assert all(len(side) == 1 for side in sides.values())
    assert {side for found in sides.values() for side in found} == {"calibration", "hold-out"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_row_is_priced(row: Row) -> None:
    found = result(row)
    assert 0 < found.estimate.low <= found.estimate.value <= found.estimate.high
