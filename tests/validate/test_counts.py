"""Published counts, to their last printed digit."""

from __future__ import annotations

import pytest

from costmodel.validate import validate
from costmodel.validate.cases_counts import OTHER_RULES, rounded_to


def test_every_published_count_is_met_or_explained() -> None:
    report = validate(["counts"])
    assert len(report.results) > 40
    assert not report.skipped
    for result in report.results:
        if result.row.split == "exact":
            assert result.error == 0, f"{result.row.id}: {result.estimate.value} for {result.row.value}"
        else:
            assert result.row.id in OTHER_RULES


@pytest.mark.parametrize(
    ("value", "printed", "expected"),
    [(20.860672, 20.86, 20.86), (87126016.0, 87000000.0, 87000000.0), (7.854, 7.9, 7.9), (0.004, 0.0, 0.0)],
)
def test_figures_are_rounded_as_they_are_printed(value: float, printed: float, expected: float) -> None:
    assert rounded_to(value, printed).value == expected
