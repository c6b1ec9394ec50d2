"""The search for a folding answers as looking at every design does, and never worse than what was drawn."""

import itertools

import numpy as np
import pytest

from costmodel.targets.fpga.choices import RESOURCES, Design, Link, unit
from costmodel.targets.fpga.search import GOALS, SHARE_ERROR, Limits, cheapest, fastest

DEVICE = {"lut": 60.0, "bram18": 40.0, "dsp": 30.0, "ff": 80.0, "uram": 8.0}


def random_design(rng):
    """Three or four units of up to six choices, in a chain or a tree, with streams that cost by both their widths."""
    units = []
    for number in range(int(rng.integers(3, 5))):
        n = int(rng.integers(2, 7))
        amounts = {name: rng.integers(0, 12 if name != "uram" else 3, n) for name in RESOURCES}
        cycles = np.sort(rng.integers(4, 40, n))[::-1]
        units.append(
            unit(f"u{number}", {"PE": np.arange(n)}, cycles, amounts, rng.integers(0, 2, n), rng.integers(0, 2, n))
        )
    intervals = np.unique(np.concatenate([u.cycles for u in units]))
    intervals = intervals[intervals >= max(int(u.cycles.min()) for u in units)]

    def costs(*shape):
        found = rng.integers(0, 3, (*shape, len(RESOURCES)))
        found[..., [0, 3]] <<= 16  # LUT and FF are in parts
        return found

    links, cross = [], []
    for target in range(1, len(units)):
        if rng.random() < 0.8:
            source = int(rng.integers(0, target))
            links.append(Link(source, target, costs(units[source].widths_out, units[target].widths_in)))
            if target > 1 and rng.random() < 0.3:
                cross.append(Link(0, target, costs(units[0].widths_out, units[target].widths_in)))
    entry = {0: costs(len(intervals), units[0].widths_in)}
    leaving = {len(units) - 1: costs(len(intervals), units[-1].widths_out)}
    return Design(tuple(units), intervals, costs(len(intervals)), tuple(links), entry, leaving, tuple(cross))


def every_design(design, limits):
    """(interval number, cost, shares) of each design within the limits."""
    rows, bounds = limits.rows()
    for choices in itertools.product(*(range(len(u)) for u in design.units)):
        for at, interval in enumerate(design.intervals):
            if all(u.cycles[c] <= interval for u, c in zip(design.units, choices, strict=True)):
                _, cost = design.price(choices, at)
                if np.all(rows @ cost <= bounds + SHARE_ERROR):
                    yield at, cost


@pytest.mark.parametrize("seed", range(40))
def test_the_answer_is_that_of_looking_at_every_design(seed):
    rng = np.random.default_rng(seed)
    design = random_design(rng)
    share = rng.uniform(0.15, 0.8)
    limits = Limits({k: v * share for k, v in DEVICE.items()}, DEVICE, None if seed % 3 else share * 0.8)
    goal = ("lut", "bram18", "dsp")[seed % 3]
    column = RESOURCES.index(goal)
    able = list(every_design(design, limits))
    found = fastest(design, limits, goal)
    assert (found.choices is None) == (not able)
    slowest = int(rng.choice(design.intervals))
    slow = cheapest(design, limits, slowest, goal)
    quick = [(at, cost) for at, cost in able if design.intervals[at] <= slowest]
    assert (slow.choices is None) == (not quick)
    assert found.settled
    assert slow.settled
    if able:
        least = min(at for at, _ in able)
        assert found.at == least
        assert design.price(found.choices, found.at)[1][column] == min(c[column] for at, c in able if at == least)
        assert found.gap == 0
    if quick:
        assert design.price(slow.choices, slow.at)[1][column] == min(c[column] for _, c in quick)


def test_every_goal_is_the_least_of_its_kind():
    design = random_design(np.random.default_rng(3))
    limits = Limits(DEVICE, DEVICE)
    costs = {goal: cheapest(design, limits, int(design.intervals[-1]), goal) for goal in GOALS}
    priced = {goal: design.price(found.choices, found.at)[1] for goal, found in costs.items()}
    for goal in ("lut", "bram18", "dsp"):
        column = RESOURCES.index(goal)
        assert priced[goal][column] == min(cost[column] for cost in priced.values())
