"""Fronts of small networks against an enumeration of their own: every folding at every rate, priced one by one by
``estimate``, under lower and upper limits on every metric.

Nothing here is taken from the search: foldings are the divisors of each matrix, and limits are applied to bills.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import costmodel
from costmodel.explore import tasks
from costmodel.explore.front import front_of
from costmodel.explore.pareto import nondominated
from costmodel.explore.space import read_space
from costmodel.explore.sweep import _Fronts

CLOCK = 1e8
METRICS = ("seconds_per_image", "lut", "bram18", "dsp", "ff", "energy_J", "latency_s")
NET = """
import torch
from torch import nn


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.where(x >= 0, 1.0, -1.0)


class Conv(nn.Conv2d):
    def forward(self, x):
        return nn.functional.conv2d(Sign.apply(x), Sign.apply(self.weight), None, self.stride, self.padding)


class Linear(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(Sign.apply(x), Sign.apply(self.weight))


def build(form="dense", sizes="6,4,2"):
    a, b, c = map(int, sizes.split(","))
    if form == "dense":
        return nn.Sequential(Linear(a, b, bias=False), nn.BatchNorm1d(b), Linear(b, c, bias=False))
    return nn.Sequential(Conv(a, b, 2, bias=False), nn.BatchNorm2d(b), nn.Flatten(), Linear(4 * b, c, bias=False))
"""


def random_network(seed: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    if seed % 3:
        sizes = [int(rng.choice([2, 3, 4, 5, 6, 9])) for _ in range(3)]
        return {"form": "dense", "sizes": ",".join(map(str, sizes)), "input": f"1x{sizes[0]}"}
    sizes = [int(rng.choice([1, 2, 3])), int(rng.choice([1, 2])), int(rng.choice([2, 3]))]
    return {"form": "conv", "sizes": ",".join(map(str, sizes)), "input": f"1x{sizes[0]}x3x3"}


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def enumerate_all(profile: costmodel.Profile, target: str, intervals: list[int]) -> np.ndarray:
    """Metrics [n, 7] of every folding at every interval that it keeps up with, one estimate each."""
    matrices = [(layer.shape_b[0], layer.n_terms) for layer in profile.deployed.layers if layer.macs and layer.shape_b]
    rows = []
    for choice in product(*([(pe, simd) for pe in divisors(mh) for simd in divisors(mw)] for mh, mw in matrices)):
        line = ",".join(f"{pe}x{simd}" for pe, simd in choice)
        seen = 0
        for interval in intervals:
            bill = costmodel.estimate(profile, target, mode="dataflow", folding=line, clock=CLOCK,
                                      fps=CLOCK / interval * (1 - 1e-9))  # fmt: skip
            reached = bill.facts["interval_cycles"]
            if reached != interval or not bill.fits or reached == seen:
                continue
            seen = reached
            rate = bill.derived["steady_images_per_second"].value
            values = [bill.total(name).value if bill.has(name) else math.nan for name in METRICS[1:]]
            rows.append([1 / rate, *values])
    return np.array(rows)


def limits(points: np.ndarray, seed: int) -> list[dict[str, dict[str, float]]]:
    """No limit, then a lower, an upper, and both on every metric, at quantiles of all designs."""
    rng = np.random.default_rng(seed)
    found: list[dict[str, dict[str, float]]] = [{}]
    for column, name in enumerate(METRICS):
        low, high = np.quantile(points[:, column], sorted(rng.random(2)))
        each = ({"min": low}, {"max": high}, {"min": low, "max": high})
        found += [{name: {k: float(v) for k, v in bounds.items()}} for bounds in each]
    return found


def compare(folder, seed: int, target: str = "pynq-z2") -> int:
    """How many fronts of one random network were compared."""
    (folder / "net.py").write_text(NET)
    chosen = random_network(seed)
    shape, arguments = str(chosen.pop("input")), chosen
    network = {"model": f"{folder}/net.py:build", "input": shape, **arguments}
    targets = [{"target": target, "memories": "auto", "clock": CLOCK}]
    space = read_space({"networks": [network], "targets": targets})
    ledgers = tasks.ledgers_of(space)
    profile = costmodel.profile(f"{folder}/net.py:build", shape, arguments=arguments)
    (job,) = tasks.jobs(space, ledgers)
    from costmodel.explore.evaluators import evaluator

    intervals = evaluator(job.case, job.ledger).space.design.intervals.tolist()
    points = enumerate_all(profile, target, intervals)
    compared = 0
    for number, bounds in enumerate(limits(points, seed)):
        objectives = [["seconds_per_image", "lut", "bram18"], ["seconds_per_image", "lut", "ff"],
                      ["seconds_per_image", "energy_J", "dsp"], ["latency_s", "lut"]][number % 4]  # fmt: skip
        space = read_space({"networks": [network], "targets": targets, "objectives": objectives, "constraints": bounds})
        able = np.ones(len(points), dtype=bool)
        for name, bound in bounds.items():
            column = points[:, METRICS.index(name)]
            able &= (column >= bound.get("min", -math.inf)) & (column <= bound.get("max", math.inf))
        (job,) = tasks.jobs(space, ledgers)
        fronts = _Fronts(space, ledgers)
        fronts.add(job.chunk, tasks.run(job))
        expected = points[able][:, [METRICS.index(name) for name in objectives]]
        if not len(expected):
            assert not len(tasks.run(job).points)
            continue
        (group,) = fronts.groups()
        front = front_of(space, group)
        assert front.guarantee.startswith("complete"), (seed, bounds, front.guarantee)
        best = np.unique(expected[nondominated(expected)], axis=0)
        mine = np.unique(front.points(), axis=0)
        assert mine.shape == best.shape, (seed, bounds, objectives, len(mine), len(best))
        assert np.allclose(mine, best, rtol=1e-9, atol=0), (seed, bounds, objectives)
        compared += 1
    return compared


@pytest.mark.parametrize("seed", [1, 3])
def test_fronts_under_limits_are_those_of_an_enumeration(tmp_path, seed):
    assert compare(tmp_path, seed) > 15


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 104))
def test_fronts_of_a_hundred_networks_under_limits_are_those_of_an_enumeration(tmp_path, seed):
    assert compare(tmp_path, seed) > 10
