"""A search finds what counting finds where that is possible, keeps its constraints, and goes on where it was killed."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.explore import evolve
from costmodel.explore.front import front_of, read_front
from costmodel.explore.pareto import hypervolume
from costmodel.explore.space import read_space
from costmodel.explore.sweep import sweep
from tests.near import near

pytest.importorskip("pymoo")
ASIC = {
    "networks": ["tfc-w1a1", "sfc-w1a1"],
    "targets": [{"target": "asic-7nm-asap7", "outputs": [8, 16, 32, 64], "terms": [32, 64, 128], "node": [0, 16, 28],
                 "clock": [2e8, 5e8, 1e9]}],
    "objectives": ["seconds_per_image", "energy_J", "area_mm2"], "fronts": "together",
}  # fmt: skip
ARM = {
    "networks": [{"model": "abbnn-digits", "width": [0.25, 0.5, 1.0]}],
    "targets": [{"target": "raspberry-pi-4b", "threads": [1, 2, 4], "precision": ["fp32", "int8"],
                 "clock": [6e8, 1.5e9]}],
    "objectives": ["seconds_per_image", "weight_bits"], "fronts": "together",
}  # fmt: skip
FPGA = {
    "networks": ["tfc-w1a1"],
    "targets": [{"target": "pynq-z2", "memories": "auto", "clock": [1e8, 1.5e8]}],
    "objectives": ["seconds_per_image", "lut", "ff"],
}


def found(space, place, count, **more):
    return evolve.search(read_space(space), str(place), count, **more)


def share(mine, whole, maximise=False):
    a, b = np.log(mine.points()), np.log(whole.points())
    reference = (np.maximum(a.max(axis=0), b.max(axis=0)) + 0.1).tolist()
    return hypervolume(a, reference) / hypervolume(b, reference)


@pytest.mark.parametrize(("space", "count", "least"), [(ASIC, 400, 0.97), (ARM, 60, 0.99)])
def test_a_search_comes_near_to_counting_and_never_below_it(tmp_path, space, count, least):
    (mine,) = found(space, tmp_path / "search", count)
    (group,) = sweep(read_space(space), tmp_path / "all", engine="serial")
    whole = front_of(read_space(space), group)
    assert least <= share(mine, whole) <= 1 + 1e-9
    assert mine.guarantee.startswith("not proven")
    assert len(mine) and mine.priced <= count


def test_constraints_are_kept_and_the_seed_decides(tmp_path):
    bounded = {**FPGA, "constraints": {"lut": {"max": 9000}, "bram18": {"min": 8}}}
    one, again = (found(bounded, tmp_path / name, 200, seed=3)[0] for name in "ab")
    other = found(bounded, tmp_path / "c", 200, seed=4)[0]
    assert one == again != other
    assert all(m.metrics["lut"] <= 9000 for m in one.members)


def test_a_search_that_is_resumed_prices_nothing_twice_and_ends_in_the_same(tmp_path, monkeypatch):
    (whole,) = found(ASIC, tmp_path / "whole", 200)
    priced = []
    metrics = evolve._Prices.metrics

    def counting(self, design, wanted):
        priced.append(design)
        if len(priced) == 55:
            raise KeyboardInterrupt
        return metrics(self, design, wanted)

    monkeypatch.setattr(evolve._Prices, "metrics", counting)
    with pytest.raises(KeyboardInterrupt):
        found(ASIC, tmp_path / "cut", 200)
    with pytest.raises(CostmodelError, match="--resume"):
        found(ASIC, tmp_path / "cut", 200)
    known = len(json.loads((tmp_path / "cut" / "search-000.json").read_text())["priced"])
    assert 0 < known < 55
    priced.clear()
    monkeypatch.setattr(evolve._Prices, "metrics", lambda self, d, w: priced.append(d) or metrics(self, d, w))
    (resumed,) = found(ASIC, tmp_path / "cut", 200, resume=True)
    assert resumed == whole
    assert len(priced) == whole.priced - known


def test_the_commands_of_a_search_make_its_designs(tmp_path, capsys):
    targets = [*FPGA["targets"], {"target": "xne", "mapping": "exact"}]
    space = {**FPGA, "targets": targets, "objectives": ["seconds_per_image", "energy_J"]}
    (tmp_path / "s.yaml").write_text(json.dumps(space))
    arguments = ["explore", str(tmp_path / "s.yaml"), "-o", str(tmp_path / "out"), "--search", "60", "--seed", "1"]
    assert main([*arguments, "--quiet"]) == 0
    capsys.readouterr()
    for path in (tmp_path / "out").glob("front-*.parquet"):
        front = read_front(path)
        for member in (front.members[0], front.members[-1]):
            assert main([*shlex.split(member.command)[1:], "--format", "json"]) == 0
            (bill,) = json.loads(capsys.readouterr().out)["estimates"]
            energy = bill["totals"]["energy_J"]
            assert energy["value"] == near(member.metrics["energy_J"], rel=1e-9)


def test_where_nothing_meets_the_constraints_the_nearest_is_named(tmp_path):
    with pytest.raises(CostmodelError, match=r"none of 20 designs .* the nearest is tfc-w1a1 on pynq-z2"):
        found({**FPGA, "constraints": {"lut": {"max": 10}}}, tmp_path, 20)
