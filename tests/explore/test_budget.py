"""A budget in words bounds what it says, and what is called best is best."""

from __future__ import annotations

import json
import math

import pytest

from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.explore import budget
from costmodel.explore.front import front_of
from costmodel.explore.space import read_space
from costmodel.explore.sweep import sweep
from tests.near import near

SPACE = {
    "networks": ["tfc-w1a1", "sfc-w1a1"],
    "targets": [{"target": "xne", "outputs": [1, 2, 4]}, {"target": "raspberry-pi-4b", "threads": [1, 4]}],
    "objectives": ["seconds_per_image", "energy_J", "accuracy"],
}


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("lut <= 40k", {"lut": (-math.inf, 40e3)}),
        ("lut<40000, lut >= 1e3", {"lut": (1e3, 40e3)}),
        ("fps >= 500", {"seconds_per_image": (-math.inf, 1 / 500)}),
        ("images per second <= 500", {"seconds_per_image": (1 / 500, math.inf)}),
        ("energy ≤ 2 mJ, accuracy ≥ 80%", {"energy_J": (-math.inf, 2e-3), "accuracy": (80, math.inf)}),
        ("time per image <= 2 ms", {"seconds_per_image": (-math.inf, 2e-3)}),
        ("area <= 1.5 mm²", {"area_mm2": (-math.inf, 1.5)}),
        ("clock >= 100 MHz", {"clock_Hz": (100e6, math.inf)}),
    ],
)
def test_a_budget_is_read_as_it_is_said(text, bounds):
    found = budget.within(text)
    assert found.keys() == bounds.keys()
    for name, (low, high) in bounds.items():
        assert found[name] == near((low, high))


@pytest.mark.parametrize("text", ["lut", "lut = 4", "lut <= many", "luts_of <= 4", "lut <= 4 J", "lut <= 1, lut >= 2",
                                  "fps >= 0", "lut <= 40k fps >= 5"])  # fmt: skip
def test_a_budget_that_says_nothing_certain_is_refused(text):
    with pytest.raises(CostmodelError):
        budget.within(text)


def fronts(tmp_path, **change):
    space = read_space({**SPACE, **change})
    return [front_of(space, group) for group in sweep(space, tmp_path, engine="serial")]


def test_the_best_is_best_and_the_knee_is_a_member(tmp_path):
    for front in fronts(tmp_path, fronts="together"):
        for name in front.objectives:
            values = [m.metrics[name] for m in front.members]
            assert budget.best(front, name).metrics[name] == (max if name == "accuracy" else min)(values)
        assert 0 <= budget.knee(front) < len(front)
        with pytest.raises(CostmodelError, match="objective"):
            budget.best(front, "lut")


def test_kinds_of_hardware_compete_on_request(tmp_path):
    (front,) = fronts(tmp_path, fronts="kinds", networks=["tfc-w1a1"])
    assert front.kind == "all"
    apart = fronts(tmp_path / "apart", fronts="together", networks=["tfc-w1a1"])
    assert {m.command for m in front.members} <= {m.command for f in apart for m in f.members}
    with pytest.raises(CostmodelError, match="every kind of target has"):
        read_space({**SPACE, "fronts": "kinds", "objectives": ["seconds_per_image", "area_mm2"]})


def test_the_command_line_answers_a_budget(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(json.dumps(SPACE))
    arguments = ["explore", str(tmp_path / "s.yaml"), "--engine", "serial", "--quiet", "--best", "energy,knee"]
    assert main([*arguments, "-o", str(tmp_path / "a"), "--within", "accuracy >= 96", "--format", "json"]) == 0
    for answer in json.loads(capsys.readouterr().out):
        assert {m["network"] for m in answer["best"].values()} == {"sfc-w1a1"}
        assert answer["best"]["energy_J"]["command"].startswith("costmodel profile --model sfc-w1a1")
    assert main([*arguments, "-o", str(tmp_path / "b"), "--within", "accuracy >= 99.9"]) == 2
    assert "no design meets these constraints" in capsys.readouterr().err
