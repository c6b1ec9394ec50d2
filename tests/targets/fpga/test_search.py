"""The search for a folding answers as looking at every design does, and never worse than what was drawn."""

import numpy as np
import pytest

from costmodel.targets.fpga.choices import RESOURCES
from costmodel.targets.fpga.search import GOALS, SHARE_ERROR, Limits, _Search, cheapest, fastest

from .designs import DEVICE, every_design, random_design


def able_designs(design, limits):
    """(interval number, cost) of each design within the limits."""
    rows, bounds = limits.rows()
    for at in range(len(design.intervals)):
        for cost in every_design(design, at)[1]:
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
    able = list(able_designs(design, limits))
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


@pytest.mark.parametrize("seed", range(20))
def test_swaps_of_a_unit_differ_as_the_designs_do(seed):
    rng = np.random.default_rng(seed)
    design = random_design(rng)
    at = len(design.intervals) - 1
    choices = np.array([rng.integers(len(unit)) for unit in design.units])
    for index, unit in enumerate(design.units):
        swaps = design.swaps(choices, at, index)
        for choice in range(len(unit)):
            other = choices.copy()
            other[index] = choice
            assert np.array_equal(
                design.price(other, at)[1] - design.price(choices, at)[1], swaps[choice] - swaps[choices[index]]
            )


@pytest.mark.parametrize("seed", range(20))
def test_a_descent_ends_within_the_limits_or_says_that_it_does_not(seed):
    rng = np.random.default_rng(seed)
    design = random_design(rng)
    share = rng.uniform(0.15, 0.8)
    limits = Limits({k: v * share for k, v in DEVICE.items()}, DEVICE)
    search = _Search(design, limits, "lut")
    at = len(design.intervals) - 1
    found = search._descend(at, every_design(design, at)[0][0])
    able = [cost for where, cost in able_designs(design, limits) if where == at]
    assert found is None or search.excess(found, at).max() <= SHARE_ERROR
    assert found is None or able
    if len(able) == len(every_design(design, at)[0]):
        assert found is not None
