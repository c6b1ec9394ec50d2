"""Several runs in one process: one that fails does not take the others with it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from costmodel.errors import CostmodelError
from costmodel.train.run import Run
from costmodel.train.session import Pending, Progress, Stop, train
from tests.train.conftest import recipe

Make = Callable[..., Run]
WILD: dict[str, Any] = {
    "phases": [{"weights": "real", "epochs": 2, "lr": 1e30}, {"weights": "binary", "epochs": 1, "lr": 1}]
}


def pending(run: Run) -> Pending:
    return Pending(run.folder, lambda: run)


def test_when_one_run_fails_the_others_are_saved(make_run: Make) -> None:
    wild, sane = make_run("wild", recipe=recipe(**WILD)), make_run("sane")
    with pytest.raises(CostmodelError, match="not finite"):
        train([pending(wild), pending(sane)], Stop(None), 2, lambda run: None)
    assert (sane.folder / "last.safetensors").exists() and not (wild.folder / "last.safetensors").exists()
    assert 0 < make_run("sane").fraction < 1


def test_at_most_so_many_runs_are_under_way_and_finished_ones_make_room(make_run: Make) -> None:
    started: list[str] = []
    runs = [make_run(name, recipe=recipe(phases=[{"weights": "real", "epochs": 1, "lr": 0.01}])) for name in "abc"]

    def watch(run: Run) -> None:
        if run.folder.name not in started:
            started.append(run.folder.name)
            if run.folder.name == "c":
                assert any(other.done for other in runs[:2])

    train([pending(run) for run in runs], Stop(None), 2, watch)
    assert started == ["a", "b", "c"] and all(run.done for run in runs)


def test_no_time_means_saved_and_not_begun(make_run: Make) -> None:
    run = make_run()
    train([pending(run)], Stop(0.0), 1, lambda run: None)
    assert run.fraction == 0.0


def test_progress_prints_a_line_an_epoch_and_none_twice(make_run: Make) -> None:
    run, out = make_run(), io.StringIO()
    train([pending(run)], Stop(None), 1, Progress(out))
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert "step 1 epoch 1/2" in lines[0] and "left" in lines[0] and "accuracy" in lines[0]
    assert "step 2 epoch 2/2" in lines[3] and "left" not in lines[3]
