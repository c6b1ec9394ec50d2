"""Scores are what they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostmodelError
from costmodel.targets.quantity import Interval
from costmodel.validate.figures import draw, folder_for, limits, scatters
from costmodel.validate.report import Report, ranks, score, spearman
from costmodel.validate.rows import Result, Row, Split
from tests.near import near

finite = st.floats(0.1, 100, allow_nan=False)


def result(measured: float, estimate: float, split: Split = "hold-out", left_out: float | None = None) -> Result:
    row = Row(f"r{measured}", "latency", "net", "board", "latency_ms", measured, "ms", split, "source", "P")
    return Result(row, "group", Interval(estimate, 0.9 * estimate, 1.1 * estimate), {"twice": 2 * measured}, left_out)


def test_scores_of_a_known_case() -> None:
    found = score("g", "e", "all", [(110, 100), (80, 100), (300, 200)])
    assert found.mape == near((0.1 + 0.2 + 0.5) / 3)
    assert found.worst == near(0.5)


def test_ties_share_their_mean_rank() -> None:
    assert ranks([3.0, 1.0, 3.0, 2.0]) == [3.5, 1.0, 3.5, 2.0]
    assert spearman([1, 2, 3], [1, 1, 1]) is None


@given(st.lists(finite, min_size=3, max_size=12, unique=True), st.randoms(use_true_random=False))
def test_rank_correlation_sees_order_only(values: list[float], random: object) -> None:
    other = sorted(values, key=lambda v: hash((v, 7)))
    assert spearman(values, [v**3 for v in values]) == near(1)
    assert spearman(values, [-v for v in values]) == near(-1)
    assert spearman(values, other) == near(spearman([v**2 for v in values], other))


def test_splits_are_scored_apart_and_together() -> None:
    report = Report(
        (result(100, 110, "calibration", 120), result(200, 200), result(300, 150), result(1, 9, "reference"))
    )
    found = {(s.estimator, s.split): s for s in report.summaries()}
    assert found["costmodel", "calibration"].mape == near(0.1)
    assert found["costmodel", "hold-out"].mape == near(0.25)
    assert found["costmodel", "hold-out"].coverage == 0.5
    assert found["costmodel", "all"].rows == 3  # published figures that follow another rule are shown, not scored
    assert found["costmodel", "leave-one-out"].mape == near(0.2)
    assert found["twice", "all"].mape == near(1)


def test_the_report_is_plain_data_and_pictures(tmp_path: object) -> None:
    report = Report((result(100, 110), result(200, 190)))
    assert len(json.loads(json.dumps(report.to_dict()))["rows"]) == 2
    (picture,) = scatters(report)
    assert [p[:2] for p in picture.points] == [(100, 110), (200, 190)]
    (path,) = draw(report, tmp_path)  # type: ignore[arg-type]
    assert path.read_text().startswith("<?xml")


def test_a_picture_holds_every_interval_and_baseline() -> None:
    (picture,) = scatters(Report((result(100, 110), result(200, 20))))
    low, high = limits(picture)
    assert low < 0.9 * 20
    assert high > 2 * 200


def test_a_folder_of_figures_is_made_and_one_that_cannot_be_is_said_before_anything_is_computed(tmp_path: Path) -> None:
    assert folder_for(tmp_path / "new" / "figures").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(CostmodelError, match="cannot make the folder"):
        folder_for(tmp_path / "file")
