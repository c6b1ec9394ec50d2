"""What the search for a folding claims to have proved is true, also where it may hold next to nothing in memory."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.targets.fpga import search
from costmodel.targets.fpga.choices import LUT, RESOURCES, Design
from costmodel.targets.fpga.relaxed import Relaxed
from costmodel.targets.fpga.search import PART_ERROR, SHARE_ERROR, Limits, cheapest, closest, fastest

from .designs import DEVICE, every_design, random_design

PARTS = np.array([1 << 16, 1, 1, 1 << 16, 1])  # of one of each resource
#: Rounds of prices, designs held, of those for any design, and formed of each: from what ships down to nearly nothing.
STARVED = [(60, 1000, 50, 20), (60, 20, 5, 2), (3, 8, 2, 1), (1, 2, 1, 1)]


def starve(monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int, int, int]) -> None:
    for name, size in zip(("ROUNDS", "HELD", "HELD_FOR_ANY", "FORMED"), sizes, strict=True):
        monkeypatch.setattr(search, name, size)


def within(limits: Limits, cost: np.ndarray) -> np.ndarray:
    """Which costs [designs, 5] stay within the limits: by the words of :class:`Limits`, not by its rows."""
    amounts = cost / PARTS
    fits = np.all(amounts <= [limits.most[name] * (1 + 1e-9) + 1e-9 for name in RESOURCES], axis=1)
    if limits.mean is not None:
        shares = [
            amounts[:, RESOURCES.index(n)] / limits.device[n] for n in ("bram18", "uram", "dsp") if limits.device[n]
        ]
        fits &= np.mean(shares, axis=0) <= limits.mean * (1 + 1e-9)
    return fits


def drawn(seed: int) -> tuple[Design, Limits, np.random.Generator]:
    """A design of four to six units and limits that a part of its foldings meets."""
    rng = np.random.default_rng(500 + seed)
    design = random_design(rng, 4, 6, 5)
    share = rng.uniform(0.3, 1.2)
    most = {name: has * share * rng.uniform(0.7, 1.3) for name, has in DEVICE.items()}
    return design, Limits(most, DEVICE, None if seed % 3 else share * 0.5), rng


@pytest.mark.parametrize("sizes", STARVED)
@pytest.mark.parametrize("seed", range(24))
def test_what_is_said_to_be_proved_is_true(seed, sizes, monkeypatch):
    design, limits, rng = drawn(seed)
    goal = ("lut", "bram18", "dsp", "share")[seed % 4]
    weights = search.goal_weights(goal, DEVICE)
    starve(monkeypatch, sizes)
    slowest = int(rng.choice(design.intervals))
    best = {}
    for at in range(len(design.intervals)):
        _, cost = every_design(design, at)
        cost = cost[within(limits, cost)]
        if len(cost):
            best[at] = float((cost @ weights).min())

    quick = fastest(design, limits, goal)
    slow = cheapest(design, limits, slowest, goal)
    for found in (quick, slow):
        if found.choices is not None:
            interval, cost = design.price(found.choices, found.at)
            assert interval == design.intervals[found.at]
            assert within(limits, cost[None])[0]
            value = float(cost @ weights)
            assert 0 <= found.gap < 1
            assert value * (1 - found.gap) <= best[found.at] + 2 * PART_ERROR
            assert found.gap or value <= best[found.at] + 2 * PART_ERROR
    if quick.settled:
        assert quick.at == min(best, default=-1)
        assert (quick.choices is None) == (not best)
    in_time = {at: value for at, value in best.items() if design.intervals[at] <= slowest}
    if slow.settled:
        assert (slow.choices is None) == (not in_time)
        if in_time and not slow.gap:
            found = float(design.price(slow.choices, slow.at)[1] @ weights)
            assert found <= min(in_time.values()) + len(in_time) * PART_ERROR
    if slow.choices is not None:
        assert design.intervals[slow.at] <= slowest
    if sizes == STARVED[0]:
        assert quick.settled and slow.settled and quick.gap == slow.gap == 0


@pytest.mark.parametrize("seed", range(12))
def test_a_limit_that_a_design_meets_exactly_is_met(seed):
    """Whatever one design takes is allowed: it fits, and no limit less a part of a unit is met by it."""
    rng = np.random.default_rng(700 + seed)
    design = random_design(rng, 3, 4, 5)
    at = int(rng.integers(len(design.intervals)))
    _, cost = every_design(design, at)
    chosen = int(rng.integers(len(cost)))
    most = dict(zip(RESOURCES, (cost[chosen] / PARTS).tolist(), strict=True))
    found = cheapest(design, Limits(most, DEVICE), int(design.intervals[at]))
    assert found.choices is not None and found.settled
    allowed = np.all(cost <= cost[chosen], axis=1)
    if allowed.sum() > 1:
        return
    # The only one that fits at this interval: with less of any one resource there is none.
    assert fastest(design, Limits(most, DEVICE)).at <= at
    for name in RESOURCES:
        if most[name] >= 1:
            less = cheapest(design, Limits(most | {name: most[name] - 0.5}, DEVICE), int(design.intervals[at]))
            assert less.choices is None or less.at != at


@pytest.mark.parametrize("seed", range(20))
def test_the_relaxed_design_is_the_least_of_all_and_its_parts_are_those_of_the_bounds(seed):
    rng = np.random.default_rng(900 + seed)
    design = random_design(rng, 3, 5, 5)
    weights = rng.uniform(0, 2, len(RESOURCES)) * rng.integers(0, 2, len(RESOURCES))
    at = int(rng.integers(len(design.intervals)))
    choices, cost = every_design(design, at)
    values = cost @ weights
    here = Relaxed(design, at)
    solution = here.solve(weights)
    # Streams that join branches are left out of it, and cost nothing less than nothing.
    apart = values - sum(
        (
            link.cost[design.units[link.source].leaves[choices[:, link.source]],
                      design.units[link.target].enters[choices[:, link.target]]] @ weights
            for link in design.cross
        ),
        np.zeros(len(values)),
    )  # fmt: skip
    assert solution.value == pytest.approx(apart.min(), rel=1e-12)
    assert solution.value <= values.min() * (1 + 1e-12)
    row = np.flatnonzero(np.all(choices == solution.choices, axis=1))
    assert apart[row] == pytest.approx(apart.min(), rel=1e-12)
    # What a choice adds to the bound is what the best design with that choice costs more, for units that nothing feeds.
    for index, node in enumerate(here.nodes):
        if node.parent < 0:
            through = node.feed[0][node.enters] @ weights
            for place, choice in enumerate(node.index):
                least = apart[choices[:, index] == choice].min()
                bound = solution.value + through[place] + solution.own[index][place] - solution.above[index][0]
                assert bound == pytest.approx(least, rel=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_few_partial_designs_are_held_to_prove_an_answer(seed, monkeypatch):
    """The bounds exclude so much that a fiftieth of the memory suffices."""
    design, limits, rng = drawn(seed)
    starve(monkeypatch, (60, 20, 5, 20))
    goal = ("lut", "bram18", "dsp", "share")[seed % 4]
    for found in (fastest(design, limits, goal), cheapest(design, limits, int(rng.choice(design.intervals)), goal)):
        assert found.settled and found.gap == 0


@pytest.mark.parametrize("seed", range(12))
def test_the_closest_design_is_the_one_that_exceeds_its_limits_least(seed):
    """By the largest of the shares of what is allowed, and to a hundredth of that."""
    design, _, rng = drawn(seed)
    at = int(rng.integers(len(design.intervals)))
    _, cost = every_design(design, at)
    half = (cost / PARTS).min(axis=0) * 0.5 + 1
    limits = Limits(dict(zip(RESOURCES, half.tolist(), strict=True)), DEVICE)
    assert not within(limits, cost).any()
    least = (cost / PARTS / half).max(axis=1).min()
    found = closest(design, limits, int(design.intervals[at]))
    assert found.at == at and found.choices is not None
    _, mine = design.price(found.choices, at)
    assert (mine / PARTS / half).max() <= least * 1.01


def test_prices_are_those_under_which_the_best_answer_is_worst():
    """Of two limits the price of one says that of the other: the value is that of looking at a thousand of them."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        over = rng.normal(size=(2, int(rng.integers(1, 6))))
        first = np.linspace(0, 1, 1001)
        best = max((p * over[0] + (1 - p) * over[1]).min() for p in first)
        prices, value = search._prices(over)
        assert prices.min() >= 0 and prices.sum() == pytest.approx(1)
        assert value == pytest.approx(float((prices @ over).min()))
        # Regret falls with the root of the rounds: of 400, to a twentieth of what there is to lose.
        assert best - np.ptp(over) / 20 <= value <= best + 1e-3


@pytest.mark.parametrize("allowed", [0.0, 0.4, 1.0, 2.5, 40.0])
def test_limits_are_met_up_to_and_with_the_last_unit(allowed):
    for index, name in enumerate(RESOURCES):
        rows, bounds = Limits(dict.fromkeys(RESOURCES, 1e6) | {name: allowed}, DEVICE).rows()
        for amount in (0, int(allowed), int(allowed) + 1):
            cost = np.zeros(len(RESOURCES))
            cost[index] = amount * PARTS[index]
            assert np.all(rows @ cost <= bounds + SHARE_ERROR) == (amount <= allowed)


def test_the_mean_counts_what_the_device_has():
    cost = np.array([0, 20, 15, 0, 0])
    for uram, mean in ((0.0, 0.5), (8.0, 1 / 3)):
        device = DEVICE | {"uram": uram}
        for allowed, fits in ((mean + 0.01, True), (mean - 0.01, False)):
            rows, bounds = Limits(DEVICE, device, allowed).rows()
            assert np.all(rows @ cost <= bounds + SHARE_ERROR) == fits


@pytest.mark.parametrize("goal", ["lut", "bram18", "dsp"])
def test_a_goal_outweighs_all_shares_of_the_device(goal):
    """One unit less of the goal is worth more than a whole device of the rest."""
    weights = search.goal_weights(goal, DEVICE)
    whole = np.array([DEVICE[name] for name in RESOURCES]) * PARTS
    index = RESOURCES.index(goal)
    one = weights[index] * PARTS[index]
    whole[index] = 0
    assert 0 < whole @ weights < one
    assert weights[LUT] > 0 and weights[RESOURCES.index("ff")] == 0


def test_shares_are_of_the_device():
    weights = search.goal_weights("share", DEVICE)
    whole = np.array([DEVICE[name] for name in RESOURCES]) * PARTS * weights
    assert whole[0] == pytest.approx(whole[1]) == pytest.approx(whole[2])
    assert whole[3] == whole[4] == 0
