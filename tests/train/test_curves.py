"""Curves: what is drawn, apart from the drawing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from costmodel.errors import CostmodelError
from costmodel.train.curves import curves, draw, read_log
from costmodel.train.job import Epoch

LOG = [
    Epoch(1, 1, 0.1, 2.0, 0.25, None, None, 1.0),
    Epoch(1, 2, 0.1, 1.0, 0.5, 1.5, 0.375, 1.0),
    Epoch(2, 1, 0.1, 1.25, 0.5, 1.0, 0.5, 1.0),
]


def test_epochs_count_through_both_steps_and_gaps_stay_gaps() -> None:
    drawn = curves(LOG)
    assert drawn.epochs == [1, 2, 3] and drawn.steps == [3]
    assert drawn.test_accuracy == [None, 37.5, 50.0] and drawn.train_accuracy == [25.0, 50.0, 50.0]


def test_a_folder_without_a_log_draws_nothing_and_a_damaged_log_is_named(tmp_path: Path) -> None:
    assert draw(tmp_path) is None
    (tmp_path / "log.json").write_text("[1]")
    with pytest.raises(CostmodelError, match=r"log\.json is damaged"):
        read_log(tmp_path)


def test_the_picture_is_an_svg(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "log.json").write_bytes(msgspec.json.encode(LOG))
    path = draw(tmp_path)
    assert path is not None and "<svg" in path.read_text()[:2000]
