"""Small random pipelines, and the costs of all their designs, for searches to be held against."""

from __future__ import annotations

import itertools

import numpy as np

from costmodel.targets.fpga.choices import RESOURCES, Design, Ints, Link, unit

DEVICE = {"lut": 60.0, "bram18": 40.0, "dsp": 30.0, "ff": 80.0, "uram": 8.0}


def random_design(rng: np.random.Generator, least: int = 3, most: int = 4, choices: int = 6) -> Design:
    """Units of a few choices in a chain or a tree, with streams that cost by both their widths."""
    units = []
    for number in range(int(rng.integers(least, most + 1))):
        n = int(rng.integers(2, choices + 1))
        amounts = {name: rng.integers(0, 12 if name != "uram" else 3, n) for name in RESOURCES}
        cycles = np.sort(rng.integers(4, 40, n))[::-1]
        units.append(
            unit(f"u{number}", {"PE": np.arange(n)}, cycles, amounts, rng.integers(0, 2, n), rng.integers(0, 2, n))
        )
    intervals = np.unique(np.concatenate([u.cycles for u in units]))
    intervals = intervals[intervals >= max(int(u.cycles.min()) for u in units)]

    def costs(*shape: int) -> Ints:
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


def every_design(design: Design, at: int) -> tuple[Ints, Ints]:
    """Choices [designs, units] and costs [designs, 5] of all that keep up with the interval number ``at``."""
    able = [np.flatnonzero(u.cycles <= design.intervals[at]) for u in design.units]
    choices = np.array(list(itertools.product(*able)), dtype=np.int64)
    cost = np.broadcast_to(design.overhead[at], (len(choices), len(RESOURCES))).copy()
    for index, u in enumerate(design.units):
        picked = choices[:, index]
        cost += u.cost[picked]
        for table, ends in ((design.entry, u.enters), (design.exit, u.leaves)):
            if index in table:
                cost += table[index][at][ends[picked]]
    for link in (*design.links, *design.cross):
        leaves, enters = design.units[link.source].leaves, design.units[link.target].enters
        cost += link.cost[leaves[choices[:, link.source]], enters[choices[:, link.target]]]
    return choices, cost
