"""A pipeline at one initiation interval: its design of least weighted cost, by dynamic programming over the streams.

Weights on what is limited make it a lower bound on every design: :mod:`~costmodel.targets.fpga.search`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodel.targets.fpga.choices import RESOURCES, Design, Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Solution:
    """The design of least weighted cost: its value, its choices [units], and for each unit the least value of all that
    hangs on it, by the width of the stream that feeds it (``above``) and by its own choice (``own``)."""

    value: float
    choices: Ints
    above: list[Floats]
    own: list[Floats]


class Node:
    """The choices of one unit that are fast enough, by the width of the stream into it."""

    def __init__(self, design: Design, index: int, at: int) -> None:
        unit = design.units[index]
        able = np.flatnonzero(unit.cycles <= design.intervals[at])
        self.index = able[np.argsort(unit.enters[able], kind="stable")]
        self.enters, self.leaves = unit.enters[self.index], unit.leaves[self.index]
        self.cost = unit.cost[self.index]
        if index in design.exit:
            self.cost = self.cost + design.exit[index][at][self.leaves]
        self.present, self.starts = np.unique(self.enters, return_index=True)
        feed = [link for link in design.links if link.target == index]
        self.parent = feed[0].source if feed else -1
        self.feed = feed[0].cost if feed else np.zeros((1, unit.widths_in, len(RESOURCES)), dtype=np.int64)
        if index in design.entry:
            self.feed = self.feed + design.entry[index][at]
        self.children = [link.target for link in design.links if link.source == index]


class Relaxed:
    """A design at one of its intervals."""

    def __init__(self, design: Design, at: int) -> None:
        self.nodes = [Node(design, index, at) for index in range(len(design.units))]
        self.overhead, self.cross = design.overhead[at], design.cross

    def solve(self, weights: Floats) -> Solution:
        """Minimise ``weights @ cost`` by dynamic programming from the last units to the first."""
        count = len(self.nodes)
        above: list[Floats] = [np.zeros(0)] * count
        own: list[Floats] = [np.zeros(0)] * count
        picks: list[Ints] = [np.zeros(0, dtype=np.int64)] * count
        for index in range(count - 1, -1, -1):
            node = self.nodes[index]
            value = node.cost @ weights
            for child in node.children:
                value = value + above[child][node.leaves]
            inside = np.full(node.feed.shape[1], np.inf)
            inside[node.present] = np.minimum.reduceat(value, node.starts)
            fed = node.feed @ weights + inside
            picks[index] = fed.argmin(axis=1)
            above[index], own[index] = fed.min(axis=1), value
        total = float(self.overhead @ weights)
        choices = np.zeros(count, dtype=np.int64)
        local = np.zeros(count, dtype=np.int64)
        for index, node in enumerate(self.nodes):
            feed = 0 if node.parent < 0 else int(self.nodes[node.parent].leaves[local[node.parent]])
            total += float(above[index][0]) if node.parent < 0 else 0.0
            enters = int(picks[index][feed])
            first = int(np.searchsorted(node.enters, enters))
            last = int(np.searchsorted(node.enters, enters, "right"))
            local[index] = first + int(own[index][first:last].argmin())
            choices[index] = node.index[local[index]]
        return Solution(total, choices, above, own)
