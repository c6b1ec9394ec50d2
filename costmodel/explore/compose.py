"""Exact fronts of a whole dataflow design from the choices of its units.

The initiation interval of a design is the largest of its units' cycles; every resource is a sum over units and over the
streams between them. So for each interval that occurs, the design's front of resources is the pruned sum of fronts:
along units that feed each other directly by dynamic programming over the widths of the streams between them, and over
the rest by a segment tree, which redoes only the sums that a larger interval changes. Nothing is sampled: a design that
is not on or above the front does not exist in the space.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from costmodel.errors import CostmodelError
from costmodel.explore import _rows
from costmodel.explore.pareto import nondominated
from costmodel.targets.fpga.choices import BRAM, DSP, FF, LUT, RESOURCES, URAM, Design, Ints


@dataclass(frozen=True)
class Objectives:
    """What a front trades off against the initiation interval, and the largest counts of blocks allowed.

    Without ``epsilon`` the objectives are LUT, block RAM and DSP, exactly. With it they are flip-flops, block RAM and
    LUT: every design is then within a factor ``1 + epsilon`` of a member in block RAM and LUT, and not better in the
    interval and in flip-flops. A limit on block RAM leaves uncertified the designs within that factor of it. Without
    ``dsp`` DSP slices are neither traded off nor limited, and that column is 0.

    With ``ultra`` UltraRAM takes the place of DSP slices, which then only tell apart designs with the same LUT.
    Members that have too many are left out, and counted (:attr:`Points.left_out`): with none left out the front is
    complete, because it is that of a larger space and all of it is allowed.
    """

    max_bram: int | None = None
    max_dsp: int | None = None
    epsilon: float = 0.0
    dsp: bool = True
    ultra: bool = False
    max_uram: int | None = None

    def of(self, cost: Ints, bits: int) -> Ints:
        """The first key, the second key, and the value [..., 3] of costs [..., 5]; DSP takes the last ``bits``."""
        chosen = cost[..., [BRAM, LUT, FF] if self.epsilon else [BRAM, DSP, LUT]]
        if self.ultra:
            chosen[..., 1] = cost[..., URAM]
            chosen[..., 2] = (cost[..., LUT] << bits) | cost[..., DSP]
        elif not self.dsp and not self.epsilon:
            chosen[..., 1] = 0
        picked: Ints = np.ascontiguousarray(chosen)
        return picked


EXACT = Objectives()


@dataclass(frozen=True)
class Points:
    """Non-dominated rows [n, 4]: interval, block RAM, DSP and LUT (with epsilon: block RAM, LUT and flip-flops).

    By ascending interval. ``at`` [n] is the position of each row's interval in ``Design.intervals``; ``keys`` [n, 3]
    what the search compared; ``merges`` counts sums of fronts; ``uram`` [n] is UltraRAM; ``left_out`` counts members
    of the front that have more DSP slices than allowed, where these were not an objective.
    """

    rows: Ints
    at: Ints
    objectives: Objectives
    merges: int
    keys: Ints
    uram: Ints
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def cost(self, design: Design, choices: Ints) -> Ints:
        """All resources [n, 5] of the designs with these choices [n, units]."""
        found = [design.price(c, int(t))[1] for c, t in zip(choices, self.at, strict=True)]
        return np.array(found).reshape(-1, len(RESOURCES))


class _Ragged(NamedTuple):
    rows: Ints
    starts: Ints

    def __getitem__(self, index: int) -> Ints:  # type: ignore[override]
        return self.rows[self.starts[index] : self.starts[index + 1]]


class _Node:
    """One unit with everything behind it, as a front for each width of the stream that feeds it."""

    def __init__(self, index: int, composer: Composer) -> None:
        design, self.composer = composer.design, composer
        unit = design.units[index]
        pick = composer.pick
        order = np.argsort(unit.enters, kind="stable")
        self.index, self.unit, self.order = index, unit, order
        self.cycles, self.enters, self.leaves = unit.cycles[order], unit.enters[order], unit.leaves[order]
        self.cost = pick(unit.cost[order])
        self.allowed = unit.cost[order, DSP] <= composer.dsp_room + unit.cost[:, DSP].min()
        self.children = [_Node(link.target, composer) for link in design.children(index)]
        feed = [link for link in design.links if link.target == index]
        self.feed = pick(feed[0].cost) if feed else np.zeros((1, unit.widths_in, 3), dtype=np.int64)
        self.entry = pick(design.entry[index]) if index in design.entry else None
        self.widths_in, self.widths_out = unit.widths_in, unit.widths_out
        #: Whether nothing in front of it depends on the stream that it reads: then all its choices are one group.
        self.free = len(self.feed) == 1 and self.entry is None and not self.feed.any()
        if self.free:
            self.enters, self.widths_in, self.feed = np.zeros_like(self.enters), 1, self.feed[:, :1]
        widths = np.arange(self.widths_in)
        self.exit = pick(design.exit[index]) if index in design.exit else None
        self.moves: bool = self.entry is not None or self.exit is not None or any(c.moves for c in self.children)
        self.feed_from = np.tile(widths, len(self.feed))
        self.feed_to = np.repeat(np.arange(len(self.feed)), self.widths_in)
        self.any = np.ones(len(self.feed_to), dtype=np.bool_)
        if self.entry is None:
            self.feed_costs = [np.ascontiguousarray(self.feed.reshape(-1, 3))] * len(design.intervals)
        else:
            self.feed_costs = list(np.ascontiguousarray(self.feed + self.entry).reshape(len(self.entry), -1, 3))
        self.entry_version, self.exit_version = _versions(self.entry), _versions(self.exit)
        self.n_able = _reached(self.cycles, design)
        self.at = -1

    @property
    def steps(self) -> int:
        """Prunings between this node's choices and its result, and below it."""
        return 2 + len(self.children) - (len(self.children) > 0) + max((c.steps for c in self.children), default=0)

    def advance(self, at: int) -> bool:
        """Fronts at one interval: ``behind`` for each width out of the unit, ``inside`` for each width into it, and
        ``result`` for each width of the stream that feeds it. Whether anything changed that they are made of."""
        kernel, before = self.composer.limits, self.at
        behind = [child.advance(at) for child in self.children]
        able = self.n_able[at]
        self.at = at
        fresh = before < 0 or any(behind)
        if fresh:
            self.behind = self._behind()
        if fresh or able != self.n_able[before] or _moved(self.exit_version, before, at):
            self.able = self.allowed & (self.cycles <= self.composer.design.intervals[at])
            self.now = self.cost if self.exit is None else self.cost + self.exit[at][self.leaves]
            self.inside = _Ragged(*_rows.gather(
                *self.behind, self.leaves, self.now, self.able, self.enters, self.widths_in, *kernel))  # fmt: skip
        elif not _moved(self.entry_version, before, at):
            return False
        self.feed_cost = self.feed_costs[at]
        if self.free:
            self.result = self.inside
            return True
        self.result = _Ragged(*_rows.gather(
            *self.inside, self.feed_from, self.feed_cost, self.any, self.feed_to, len(self.feed), *kernel))  # fmt: skip
        return True

    def _behind(self) -> _Ragged:
        widths = self.widths_out
        if not self.children:
            return _Ragged(np.zeros((widths, 3), dtype=np.int64), np.arange(widths + 1))
        if len(self.children) == 1:
            return self.children[0].result
        fronts = []
        for width in range(widths):
            front = self.children[0].result[width]
            for child in self.children[1:]:
                front = self.composer.minkowski(front, child.result[width])
            fronts.append(front)
        return _Ragged(np.concatenate(fronts), np.cumsum([0, *map(len, fronts)]))

    def trace(self, width: int, row: Ints, choices: Ints) -> None:
        """Write into ``choices`` [units] a choice of every unit of this tree that together make ``row``."""
        link, at = _rows.behind(row, *self.inside, self.feed_from, self.feed_cost, self.any, self.feed_to, width)
        if link < 0:
            raise CostmodelError("these points are not members of this front: was it made with another design?")
        row = self.inside.rows[at]
        choice, at = _rows.behind(
            row, *self.behind, self.leaves, self.now, self.able, self.enters, int(self.feed_from[link])
        )
        choices[self.index] = self.order[choice]
        leaves, rest = int(self.leaves[choice]), self.behind.rows[at]
        if len(self.children) == 1:
            self.children[0].trace(leaves, rest, choices)
        elif self.children:
            self._trace_several(leaves, rest, choices)

    def _trace_several(self, width: int, row: Ints, choices: Ints) -> None:
        sums = [self.children[0].result[width]]
        for child in self.children[1:]:
            sums.append(self.composer.minkowski(sums[-1], child.result[width]))
        for child, before in zip(self.children[:0:-1], sums[-2::-1], strict=True):
            first, second = _rows.split(row, before, child.result[width])
            child.trace(width, child.result[width][second], choices)
            row = before[first]
        self.children[0].trace(width, row, choices)


class Composer:
    """The segment tree over the trees of linked units; it holds the fronts at one interval and moves to larger ones."""

    def __init__(self, design: Design, objectives: Objectives) -> None:
        if design.cross:
            raise CostmodelError(
                f"{design.units[design.cross[0].target].name} reads several matrix units directly, and the exact front "
                "can follow one: ask for one design instead of the front, or price a folding of your own with "
                "`costmodel profile --folding FILE`"
            )
        self.design, self.objectives = design, objectives
        slack = 1 + objectives.epsilon
        cap1 = _rows.FAR if objectives.max_bram is None else int(objectives.max_bram * slack)
        second = objectives.max_uram if objectives.ultra else objectives.max_dsp
        cap2 = _rows.FAR if second is None or objectives.epsilon else int(second)
        self.limits = (cap1, cap2, 0.0)
        most = design.most()
        self.bits = int(most[DSP]).bit_length() if objectives.ultra else 0
        if int(most[LUT]) << self.bits >= _rows.FAR:
            raise CostmodelError("the largest foldings of this network take more than can be added up with UltraRAM")
        self.dsp_room = int(most[DSP])
        if objectives.ultra and objectives.max_dsp is not None:
            # A unit that needs more than the others leave is in no design that is allowed.
            self.dsp_room = int(objectives.max_dsp) - sum(int(unit.cost[:, DSP].min()) for unit in design.units)
        self.overhead = self.pick(design.overhead)
        self.leaves = [_Node(root, self) for root in design.roots()]
        levels = math.ceil(math.log2(len(self.leaves)))
        self.size = 1 << levels
        if objectives.epsilon:
            # A row is rounded to a box once at every pruning that it passes through.
            depth = levels + max(leaf.steps for leaf in self.leaves)
            self.limits = (cap1, cap2, depth / math.log1p(objectives.epsilon))
        self.tree: list[Ints | None] = [None] * (2 * self.size)
        self.n_able = [_reached(_cycles(leaf), design) for leaf in self.leaves]
        self.reached = -1
        self.merges = 0

    def pick(self, cost: Ints) -> Ints:
        return self.objectives.of(cost, self.bits)

    def minkowski(self, a: Ints, b: Ints) -> Ints:
        self.merges += 1
        merged: Ints = _rows.minkowski(a, b, *self.limits)
        return merged

    def advance(self, at: int) -> bool:
        """Move to a larger interval; whether the front at the root changed."""
        changed = set()
        for position, leaf in enumerate(self.leaves):
            node, able = self.size + position, self.n_able[position]
            if self.reached >= 0 and able[at] == able[self.reached] and not leaf.moves:
                continue
            if not leaf.advance(at):
                continue
            held, fresh = self.tree[node], leaf.result[0]
            if held is None or held.shape != fresh.shape or (held != fresh).any():
                self.tree[node] = fresh
                changed.add(node)
        self.reached = at
        moved = bool(changed)
        while changed := {node // 2 for node in changed if node > 1}:
            for node in changed:
                left, right = self.tree[2 * node], self.tree[2 * node + 1]
                self.tree[node] = left if right is None else right if left is None else self.minkowski(left, right)
        return moved

    def root(self, at: int) -> Ints:
        held = self.tree[1]
        assert held is not None
        rows: Ints = held + self.overhead[at]
        return rows

    def trace(self, at: int, row: Ints) -> Ints:
        """The choices [units] behind one row of the root."""
        choices = np.full(len(self.design.units), -1, dtype=np.int64)

        def descend(node: int, rest: Ints) -> None:
            if node >= self.size:
                self.leaves[node - self.size].trace(0, rest, choices)
                return
            left, right = self.tree[2 * node], self.tree[2 * node + 1]
            if left is None or right is None:
                descend(2 * node if right is None else 2 * node + 1, rest)
                return
            i, j = _rows.split(rest, left, right)
            if i < 0:
                raise CostmodelError("these points are not members of this front: was it made with another design?")
            descend(2 * node, left[i])
            descend(2 * node + 1, right[j])

        descend(1, row - self.overhead[at])
        return choices


def _versions(cost: Ints | None) -> list[int]:
    """A number for what streams cost [intervals, …] at each interval, another wherever it changes; empty for none."""
    if cost is None:
        return []
    changes = (cost[1:] != cost[:-1]).any(axis=tuple(range(1, cost.ndim)))
    versions: list[int] = np.concatenate([[0], np.cumsum(changes)]).tolist()
    return versions


def _moved(versions: list[int], before: int, at: int) -> bool:
    """Whether what streams cost may be another at an interval than it was at the one before."""
    return bool(versions) and (before < 0 or versions[at] != versions[before])


def _reached(cycles: Ints, design: Design) -> list[int]:
    """How many of ``cycles`` keep up with each interval."""
    counts: list[int] = np.searchsorted(np.sort(cycles), design.intervals, "right").tolist()
    return counts


def _cycles(node: _Node) -> Ints:
    return np.concatenate([node.cycles, *(_cycles(child) for child in node.children)])


def compose(design: Design, objectives: Objectives = EXACT) -> Points:
    """The front of (initiation interval, block RAM, DSP, LUT) over every combination of the units' choices.

    With ``objectives.epsilon`` the certified front of (interval, block RAM, LUT, FF). Empty where nothing is within the
    limits.
    """
    composer = Composer(design, objectives)
    found, places = [], []
    best: Ints = np.zeros((0, 3), dtype=np.int64)
    for at, root in _sweep(composer):
        fresh = root if objectives.epsilon else root[_rows.improves(root, best)]
        found.append(np.column_stack([np.full(len(fresh), design.intervals[at]), fresh]))
        places.append(np.full(len(fresh), at))
        best = root if objectives.dsp or objectives.epsilon else _rows.front(np.concatenate([best, fresh]))
    rows, at_ = np.concatenate(found), np.concatenate(places)
    if objectives.dsp or objectives.epsilon:  # else nothing that an earlier interval equals or beats was let in
        keep = nondominated(_ranked(rows) if objectives.ultra else rows)
        rows, at_ = rows[keep], at_[keep]
    if objectives.max_bram is not None:
        keep = rows[:, 1] <= objectives.max_bram
        rows, at_ = rows[keep], at_[keep]
    return _points(rows, at_, composer)


def _ranked(rows: Ints) -> Ints:
    """Rows with ranks for values, which may be too large to be compared as floating-point numbers."""
    ranks: Ints = np.unique(rows[:, 3], return_inverse=True)[1]
    return np.column_stack([rows[:, :3], ranks])


def _points(rows: Ints, at: Ints, composer: Composer) -> Points:
    objectives, bits = composer.objectives, composer.bits
    keys, uram = rows[:, 1:], np.zeros(len(rows), dtype=np.int64)
    if objectives.ultra:
        dsp, lut = keys[:, 2] & ((1 << bits) - 1), keys[:, 2] >> bits
        rows, uram = np.column_stack([rows[:, 0], keys[:, 0], dsp, lut]), keys[:, 1]
    keep = np.ones(len(rows), dtype=np.bool_)
    if objectives.max_dsp is not None and not objectives.epsilon:
        keep = rows[:, 2] <= objectives.max_dsp
    if objectives.max_uram is not None:
        keep &= uram <= objectives.max_uram
    left_out = int(np.count_nonzero(~keep)) if objectives.ultra else 0
    if keep.all():
        return Points(rows, at, objectives, composer.merges, keys, uram, left_out)
    return Points(rows[keep], at[keep], objectives, composer.merges, keys[keep], uram[keep], left_out)


def _sweep(composer: Composer) -> Iterator[tuple[int, Ints]]:
    overhead = composer.design.overhead
    for at in range(len(composer.design.intervals)):
        if composer.advance(at) or not np.array_equal(overhead[at], overhead[at - 1]):
            yield at, composer.root(at)


def rebuild(design: Design, points: Points, members: Sequence[int] | None = None) -> Ints:
    """Indices [n, units] of the choices behind all points, or behind those at the positions ``members``.

    Of several designs with the same cost the first found is taken, so the answer does not vary from run to run.
    """
    composer = Composer(design, points.objectives)
    wanted = np.arange(len(points)) if members is None else np.asarray(members, dtype=np.int64)
    choices = np.full((len(wanted), len(design.units)), -1, dtype=np.int64)
    for at in np.unique(points.at[wanted]):
        composer.advance(int(at))
        for place in np.flatnonzero(points.at[wanted] == at):
            choices[place] = composer.trace(int(at), points.keys[wanted[place]])
    return choices
