"""The best folding of a pipeline under limits: the fastest that fits, or the cheapest that is fast enough.

At one initiation interval a design is a choice for each unit, its resources are sums over units and over the streams
between them, and limits are linear. Prices on what is limited turn that into a sum that dynamic programming over the
streams minimises: a lower bound on every design (Lagrangian relaxation; Fisher, Management Science 1981), which proves
that nothing fits at an interval, or that nothing is cheaper than what was found. What bounds leave open is decided by
looking at every choice that they do not exclude.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from costmodel.targets.estimate import PARTS_OF_ONE
from costmodel.targets.fpga.choices import BRAM, DSP, LUT, RESOURCES, URAM, Design, Ints
from costmodel.targets.fpga.relaxed import Floats, Relaxed

Goal = Literal["lut", "bram18", "dsp", "share"]
GOALS: tuple[Goal, ...] = ("lut", "bram18", "dsp", "share")
#: Rounds in which prices are adjusted, and partial designs that are held at a time where bounds leave choices open.
ROUNDS = 60
HELD = 1000
#: The same where any design within the limits will do.
HELD_FOR_ANY = 50
#: Continuations of each that are formed at a time.
FORMED = 20
#: Of a share of the device, and of a part of a resource: what counts as rounding.
SHARE_ERROR = 1e-9
PART_ERROR = 1e-3
#: To which share of what is allowed the closest design is found, where none is within the limits.
NEAR = 0.005
#: How steeply what is exceeded weighs, from one descent to the next: an excess of 1 in so many weighs e times as much.
STEEPER = (20, 60, 200, 600, 2000)
_SCALES = np.array([PARTS_OF_ONE[name] for name in RESOURCES], dtype=np.float64)


@dataclass(frozen=True)
class Limits:
    """The largest amounts of each resource, in its own unit, on a device that has ``device`` of them; ``mean``: the
    largest mean share of block RAM, UltraRAM and DSP slices."""

    most: Mapping[str, float]
    device: Mapping[str, float]
    mean: float | None = None

    def rows(self) -> tuple[Floats, Floats]:
        """Limits as ``rows @ cost <= bounds``: of each resource as a share of what is allowed, and of the mean."""
        most = np.array([self.most[name] for name in RESOURCES])
        rows = np.diag(1 / (np.maximum(most, 1.0) * _SCALES))
        bounds = np.minimum(most, 1.0)
        if self.mean is not None:
            has = np.array([self.device[name] for name in RESOURCES])
            counted = [i for i in (BRAM, URAM, DSP) if has[i]]
            mean = np.zeros(len(RESOURCES))
            mean[counted] = 1 / (has[counted] * _SCALES[counted] * len(counted) * self.mean)
            rows, bounds = np.vstack([rows, mean]), np.append(bounds, 1.0)
        return rows, bounds


@dataclass(frozen=True)
class Found:
    """``choices`` [units] at the interval number ``at``; None: nothing fits.

    ``gap``: by which share of the goal a cheaper design is not excluded, of that interval where it was for the fastest
    and of any other that is asked for where it was for the cheapest; 0: none is cheaper.
    ``settled``: whether it is decided for every interval that matters whether anything fits.
    """

    choices: tuple[int, ...] | None
    at: int
    gap: float
    settled: bool


def fastest(design: Design, limits: Limits, goal: Goal = "lut") -> Found:
    """The design of the shortest interval within ``limits``, of several the cheapest by ``goal``."""
    search = _Search(design, limits, goal)
    last = len(design.intervals) - 1
    best, where, low = search.any_at(last), last, 0
    while low < where and best is not None:
        middle = (low + where) // 2
        found = search.any_at(middle)
        if found is None:
            low = middle + 1
        else:
            best, where = found, middle
    for at in range(where - 1, -1, -1):  # costs need not fall steadily with the interval
        if not search.excluded(at) and (found := search.any_at(at)) is not None:
            best, where = found, at
    if best is None:
        return Found(None, -1, 0.0, search.settled)
    choices, gap = search.cheapest_at(where, best)
    return Found(tuple(choices.tolist()), where, gap, search.settled)


def cheapest(design: Design, limits: Limits, slowest: float, goal: Goal = "lut") -> Found:
    """The cheapest design within ``limits`` whose interval is at most ``slowest`` cycles."""
    search = _Search(design, limits, goal)
    best, where, least, open_from = None, -1, np.inf, np.inf
    for at in range(int(np.searchsorted(design.intervals, slowest, "right")) - 1, -1, -1):
        if search.excluded(at) or search.bounded(at) >= least - PART_ERROR:
            continue
        start = search.any_at(at)
        if start is None:
            continue
        found, gap = search.cheapest_at(at, start)
        value = search.value(found, at)
        if gap:  # what is open at one interval may be cheaper than what is found at another
            open_from = min(open_from, value * (1 - gap))
        if value < least - PART_ERROR:
            best, where, least = tuple(found.tolist()), at, value
    open_from = min(open_from, least)
    return Found(best, where, 1 - open_from / least if open_from < least else 0.0, search.settled)


def closest(design: Design, limits: Limits, slowest: float) -> Found:
    """Where nothing that is fast enough stays within the limits: the design that exceeds them least.

    What is exceeded is the largest share of what is allowed, to :data:`NEAR` of it: limits are widened by halves.
    """
    at = int(np.searchsorted(design.intervals, slowest, "right")) - 1
    search = _Search(design, limits, "lut")
    if (found := search.any_at(at)) is not None:
        return Found(tuple(found.tolist()), at, 0.0, search.settled)
    low, (over, choices) = 0.0, search.nearest
    while over - low > NEAR:
        middle = (low + over) / 2
        wider = _Search(design, limits, "lut", middle)
        found = wider.any_at(at)
        if found is None:
            low = middle
        else:
            over, choices = float(search.excess(found, at).max()), found
    return Found(tuple(choices.tolist()), at, 0.0, False)


class _Search:
    def __init__(self, design: Design, limits: Limits, goal: Goal, wider: float = 0.0) -> None:
        self.design, self.settled = design, True
        self.nearest: tuple[float, Ints] = np.inf, np.zeros(0, dtype=np.int64)
        self.rows, self.bounds = limits.rows()
        self.bounds = self.bounds + wider
        self.goal = goal_weights(goal, limits.device)
        self.pool: list[Floats] = []  # prices that proved something, and may prove it of other intervals
        self.intervals: dict[int, Relaxed] = {}
        self.dual: Floats | None = None  # prices of the limits, in the unit of the goal

    def at(self, at: int) -> Relaxed:
        if at not in self.intervals:
            self.intervals[at] = Relaxed(self.design, at)
        return self.intervals[at]

    def value(self, choices: Ints, at: int) -> float:
        return float(self.design.price(choices, at)[1] @ self.goal)

    def excess(self, choices: Ints, at: int) -> Floats:
        """By how much each limit is exceeded."""
        over: Floats = self.rows @ self.design.price(choices, at)[1] - self.bounds
        return over

    # -- does anything fit? -------------------------------------------------------------------------------------------

    def excluded(self, at: int) -> bool:
        """Whether prices that were met before prove that nothing fits at an interval."""
        return any(self._short(at, prices)[0] > SHARE_ERROR for prices in reversed(self.pool[-4:]))

    def _short(self, at: int, prices: Floats) -> tuple[float, Ints]:
        """By how much any design exceeds the limits at these prices, at the least, and the design that does so."""
        solution = self.at(at).solve(prices @ self.rows)
        return solution.value - float(prices @ self.bounds), solution.choices

    def any_at(self, at: int) -> Ints | None:
        """A design within the limits at an interval; None where there is none, or none was found."""
        prices = np.full(len(self.bounds), 1 / len(self.bounds))
        if self.pool:
            prices = self.pool[-1]
        columns: list[Floats] = []
        nearest: tuple[float, Ints] = np.inf, np.zeros(0, dtype=np.int64)
        for _ in range(ROUNDS):
            short, choices = self._short(at, prices)
            over = self.excess(choices, at)
            if over.max() <= SHARE_ERROR:
                return choices
            nearest = min(nearest, (float(over.max()), choices), key=lambda pair: pair[0])
            self.nearest = min(self.nearest, nearest, key=lambda pair: pair[0])
            if short > SHARE_ERROR:
                self.pool.append(prices)
                return None
            columns.append(over)
            prices, value = _prices(np.array(columns).T)
            if value < -SHARE_ERROR and len(columns) > len(self.bounds):
                break
        self.pool.append(prices)
        if (found := self._descend(at, nearest[1])) is not None:
            return found
        weights, offset = prices @ self.rows, float(prices @ self.bounds)
        for held in (HELD_FOR_ANY, HELD):
            found, complete = self._look(at, weights, offset, np.inf, None, held)
            if found is not None or complete:
                return found
        self.settled = False
        return None

    def _descend(self, at: int, start: Ints) -> Ints | None:
        """A design within the limits, from one that is near them, unit by unit: each takes the choice by which what is
        exceeded weighs least, until no unit has a better one."""
        design, choices = self.design, start.copy()
        cost = design.price(choices, at)[1]
        slow = [unit.cycles > design.intervals[at] for unit in design.units]
        for steep in STEEPER:
            moved = True
            while moved:
                moved = False
                for index in range(len(design.units)):
                    swaps = design.swaps(choices, at, index)
                    costs = cost + swaps - swaps[choices[index]]
                    over = costs @ self.rows.T - self.bounds
                    weight = np.exp(np.minimum(steep * over, 100.0)).sum(axis=1)
                    weight[slow[index]] = np.inf
                    best = int(weight.argmin())
                    if weight[best] < weight[choices[index]] * (1 - SHARE_ERROR):
                        choices[index], cost, moved = best, costs[best], True
            if self.excess(choices, at).max() <= SHARE_ERROR:
                return choices
        return None

    # -- what is the cheapest? ----------------------------------------------------------------------------------------

    def bounded(self, at: int) -> float:
        """A lower bound on the goal of designs within the limits, by the prices that were met last."""
        if self.dual is None:
            return -np.inf
        return self.at(at).solve(self.goal + self.dual @ self.rows).value - float(self.dual @ self.bounds)

    def cheapest_at(self, at: int, start: Ints) -> tuple[Ints, float]:
        """The cheapest design within the limits at an interval, and the share of its cost by which bounds do not
        exclude a cheaper one; ``start`` fits."""
        best, least = start, -np.inf
        upper = self.value(start, at)
        prices = np.zeros(len(self.bounds)) if self.dual is None else self.dual
        dual, step = prices, 1.0
        for _ in range(ROUNDS):
            solution = self.at(at).solve(self.goal + prices @ self.rows)
            bound = solution.value - float(prices @ self.bounds)
            over = self.excess(solution.choices, at)
            if over.max() <= SHARE_ERROR and (value := self.value(solution.choices, at)) < upper:
                best, upper = solution.choices, value
            if bound > least:
                least, dual = bound, prices
            else:
                step *= 0.8
            if upper - least <= PART_ERROR:
                break
            moving = np.where((prices > 0) | (over > 0), over, 0.0)
            norm = float(moving @ moving)
            if not norm:
                break
            prices = np.maximum(prices + step * max(upper - bound, 1.0) / norm * over, 0.0)
        self.dual = dual
        if upper - least <= PART_ERROR:
            return best, 0.0
        weights, offset = self.goal + dual @ self.rows, float(dual @ self.bounds)
        found, complete = self._look(at, weights, offset, upper, self.goal, HELD)
        best = best if found is None else found
        return best, 0.0 if complete else max(1 - least / self.value(best, at), 0.0)

    # -- every choice that bounds leave open --------------------------------------------------------------------------

    def _look(
        self, at: int, weights: Floats, offset: float, upper: float, goal: Floats | None, held_most: int
    ) -> tuple[Ints | None, bool]:
        """The best design below ``upper`` (without a goal: any) within the limits, and whether none was passed over.

        Unit by unit all partial designs are kept whose bounds, with the best of what is to come, stay below ``upper``
        and within every limit; of more than ``held_most`` those of the least bounds.
        """
        here, design = self.at(at), self.design
        whole = here.solve(weights)
        rows = self.rows
        each = [here.solve(row) for row in rows]
        states = _States(
            np.zeros((1, len(here.nodes)), dtype=np.int64), here.overhead[None].copy(),
            np.array([whole.value - offset]), np.array([[s.value for s in each]]),
        )  # fmt: skip
        complete, limit = True, self.bounds + SHARE_ERROR
        for index, node in enumerate(here.nodes):
            feeds = (
                np.zeros(len(states.bound), dtype=np.int64)
                if node.parent < 0
                else here.nodes[node.parent].leaves[states.picks[:, node.parent]]
            )
            grown = []
            for feed in np.unique(feeds):
                group = states.take(feeds == feed)
                through = node.feed[feed][node.enters]
                more = through @ weights + whole.own[index] - whole.above[index][feed]
                least = np.column_stack(
                    [through @ row + s.own[index] - s.above[index][feed] for row, s in zip(rows, each, strict=True)]
                )
                open_ = np.flatnonzero(
                    (group.bound.min() + more < upper - PART_ERROR)
                    & np.all(group.least.min(axis=0) + least <= limit, axis=1)
                )
                bounds = group.bound[:, None] + more[open_]
                ceiling = upper - PART_ERROR
                if bounds.size > FORMED * held_most:
                    kth = float(np.partition(bounds, FORMED * held_most, axis=None)[FORMED * held_most])
                    complete, ceiling = complete and kth >= ceiling, min(kth, ceiling)
                i, j = np.nonzero(bounds < ceiling)
                j = open_[j]
                held = np.all(group.least[i] + least[j] <= limit, axis=1)
                i, j = i[held], j[held]
                picks = group.picks[i]
                picks[:, index] = j
                grown.append(
                    _States(
                        picks, group.cost[i] + node.cost[j] + through[j], group.bound[i] + more[j],
                        group.least[i] + least[j],
                    )
                )  # fmt: skip
            states = _merge(grown, here, index)
            if len(states.bound) > held_most:
                complete = False
                states = states.take(np.argsort(states.bound, kind="stable")[:held_most])
            if not len(states.bound):
                return None, complete
        picks = np.column_stack([node.index[states.picks[:, i]] for i, node in enumerate(here.nodes)])
        cost = states.cost
        if design.cross:
            cost = np.array([design.price(row, at)[1] for row in picks])
        fits = np.flatnonzero(np.all(cost @ rows.T <= limit, axis=1))
        if goal is None or not len(fits):
            return (picks[fits[0]] if len(fits) else None), complete
        values = cost[fits] @ goal
        best = int(values.argmin())
        return (picks[fits[best]] if values[best] < upper - PART_ERROR else None), complete


@dataclass(frozen=True)
class _States:
    """Partial designs: their choices [n, units] by place in each node, costs so far [n, 5], and lower bounds on the
    weighted cost [n] and on each limit [n, limits] of any design that continues them."""

    picks: Ints
    cost: Ints
    bound: Floats
    least: Floats

    def take(self, which: Any) -> _States:
        return _States(self.picks[which], self.cost[which], self.bound[which], self.least[which])


def _merge(grown: Sequence[_States], here: Relaxed, index: int) -> _States:
    """One of each set of partial designs that cost the same and have the same streams to what is to come."""
    states = _States(
        *(np.concatenate([getattr(s, name) for s in grown]) for name in ("picks", "cost", "bound", "least"))
    )
    waiting = [i for i, node in enumerate(here.nodes[: index + 1]) if any(child > index for child in node.children)]
    streams = [here.nodes[i].leaves[states.picks[:, i]] for i in waiting]
    for link in here.cross:  # what joins units outside of the trees is not yet in the cost
        streams += [here.nodes[link.source].leaves[states.picks[:, link.source]]] if link.source <= index else []
        streams += [here.nodes[link.target].enters[states.picks[:, link.target]]] if link.target <= index else []
    key = np.column_stack([states.cost, *streams])
    mixed = key @ np.random.default_rng(1).integers(1 << 62, size=key.shape[1])  # wraps: equal keys stay equal
    order = np.argsort(mixed, kind="stable")
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = np.any(key[order[1:]] != key[order[:-1]], axis=1)
    return states.take(np.sort(order[fresh]))


def goal_weights(goal: Goal, device: Mapping[str, float]) -> Floats:
    """Weights of a part of each resource: the goal, and of equal ones the least sum of shares of the device."""
    has = np.maximum(np.array([device[name] for name in RESOURCES]), 1.0)
    share = np.zeros(len(RESOURCES))
    share[[LUT, BRAM, DSP]] = 1 / (has * _SCALES)[[LUT, BRAM, DSP]]
    if goal == "share":
        return np.asarray(share * has[LUT] * _SCALES[LUT])
    weights = share * 1e-2
    weights[RESOURCES.index(goal)] += 1.0
    return weights


def _prices(over: Floats) -> tuple[Floats, float]:
    """Prices [limits] under which the least exceeded of designs with these excesses [limits, designs] is exceeded
    most, and by how much: an equilibrium of the game between the two (regret matching; Hart, Mas-Colell 2000)."""
    mine, theirs = (np.zeros(n) for n in over.shape)
    mean = np.zeros(len(mine))
    for turn in range(400):
        prices = mine / mine.sum() if mine.any() else np.full(len(mine), 1 / len(mine))
        mixed = theirs / theirs.sum() if theirs.any() else np.full(len(theirs), 1 / len(theirs))
        gain, loss = over @ mixed, prices @ over
        mine = np.maximum(mine + gain - prices @ gain, 0.0)
        theirs = np.maximum(theirs + loss @ mixed - loss, 0.0)
        mean += (turn + 1) * prices
    mean /= mean.sum()
    return mean, float((mean @ over).min())
