"""A dataflow design as choices: all foldings of each unit, what they cost, and what the streams between them cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodel.errors import CostmodelError
from costmodel.targets.estimate import RESOLUTION as RESOLUTION

Ints = NDArray[np.int64]

#: Resources of a unit, in the order of the columns of every cost.
RESOURCES = ("lut", "bram18", "dsp", "ff", "uram")
LUT, BRAM, DSP, FF, URAM = range(5)


@dataclass(frozen=True)
class Unit:
    """The c foldings of one unit.

    ``axes`` names the choices (``PE``, ``SIMD``, ``weights``, ...); ``settings`` [c, axes] holds them as integers.
    ``cycles`` [c] is the time between two inputs; ``cost`` [c, 5] the resources of :data:`RESOURCES`, with LUT and FF
    in parts of :data:`RESOLUTION`. ``enters`` and ``leaves`` [c] number the widths of the streams at both ends:
    foldings with equal numbers have equal streams.
    """

    name: str
    axes: tuple[str, ...]
    settings: Ints
    cycles: Ints
    cost: Ints
    enters: Ints
    leaves: Ints

    def __len__(self) -> int:
        return len(self.cycles)

    @property
    def widths_in(self) -> int:
        return int(self.enters.max()) + 1

    @property
    def widths_out(self) -> int:
        return int(self.leaves.max()) + 1

    def setting(self, choice: int) -> dict[str, int]:
        return {axis: int(value) for axis, value in zip(self.axes, self.settings[choice], strict=True)}


@dataclass(frozen=True)
class Link:
    """What joins the output of unit ``source`` to the input of unit ``target``.

    ``cost`` [widths out of the source, widths into the target, 5].
    """

    source: int
    target: int
    cost: Ints


@dataclass(frozen=True)
class Design:
    """A network on a dataflow architecture: every combination of its units' choices is one design.

    ``intervals`` [t] are the initiation intervals that can occur, ascending. ``overhead`` [t, 5] is what depends on the
    interval alone. Where the stream into or out of a unit meets one whose width follows from the interval, ``entry``
    and ``exit`` give its cost [t, widths into or out of the unit, 5]. ``links`` join units directly.

    Each unit is the target of at most one link, so the links form trees. Where a unit reads several others, the rest
    of its links are in ``cross``.
    """

    units: tuple[Unit, ...]
    intervals: Ints
    overhead: Ints
    links: tuple[Link, ...] = ()
    entry: Mapping[int, Ints] = field(default_factory=dict)
    exit: Mapping[int, Ints] = field(default_factory=dict)
    cross: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
        targets = [link.target for link in self.links]
        if len(targets) != len(set(targets)) or any(link.source >= link.target for link in self.links):
            raise CostmodelError("units must be in stream order, and each may be fed directly by one unit only")
        if not self.units:
            raise CostmodelError("a design without matrix units has no folding: nothing to choose")

    @property
    def size(self) -> int:
        """Number of designs in the space: the product of the numbers of choices."""
        return prod(len(unit) for unit in self.units)

    def price(self, choices: Sequence[int] | Ints, at: int | None = None) -> tuple[int, Ints]:
        """Initiation interval and summed cost [5] of one design, unit by unit and link by link.

        ``at`` is the position in ``intervals`` for which the rest of the pipeline is built; the least possible if None.
        """
        slowest = max(int(u.cycles[c]) for u, c in zip(self.units, choices, strict=True))
        if at is None:
            at = int(np.searchsorted(self.intervals, slowest))
        if at >= len(self.intervals) or self.intervals[at] < slowest:
            raise CostmodelError(f"this folding needs {slowest} cycles, more than the interval that was asked for")
        cost = self.overhead[at].copy()
        for unit, choice in zip(self.units, choices, strict=True):
            cost += unit.cost[choice]
        for index, table in self.entry.items():
            cost += table[at, self.units[index].enters[choices[index]]]
        for index, table in self.exit.items():
            cost += table[at, self.units[index].leaves[choices[index]]]
        for link in (*self.links, *self.cross):
            source, target = self.units[link.source], self.units[link.target]
            cost += link.cost[source.leaves[choices[link.source]], target.enters[choices[link.target]]]
        return int(self.intervals[at]), cost

    def swaps(self, choices: Ints, at: int, index: int) -> Ints:
        """What each choice of one unit adds to a design, with the streams around it, the others being as they are
        [choices of the unit, 5]: differences between its rows are those between designs."""
        unit = self.units[index]
        cost = unit.cost.copy()
        if index in self.entry:
            cost += self.entry[index][at, unit.enters]
        if index in self.exit:
            cost += self.exit[index][at, unit.leaves]
        for link in (*self.links, *self.cross):
            if link.target == index:
                cost += link.cost[self.units[link.source].leaves[choices[link.source]], unit.enters]
            elif link.source == index:
                cost += link.cost[unit.leaves, self.units[link.target].enters[choices[link.target]]]
        return cost

    def most(self) -> Ints:
        """More than any design takes of each resource [5]: the sum of the largest costs of all its pieces."""
        pieces = [self.overhead, *(u.cost for u in self.units), *(link.cost for link in (*self.links, *self.cross))]
        pieces += [*self.entry.values(), *self.exit.values()]
        most: Ints = np.sum([piece.reshape(-1, len(RESOURCES)).max(axis=0) for piece in pieces], axis=0)
        return most

    def children(self, index: int) -> list[Link]:
        return [link for link in self.links if link.source == index]

    def roots(self) -> list[int]:
        """Units that no other unit feeds directly."""
        fed = {link.target for link in self.links}
        return [index for index in range(len(self.units)) if index not in fed]


def unit(
    name: str,
    settings: Mapping[str, ArrayLike],
    cycles: ArrayLike,
    resources: Mapping[str, Any],
    enters: ArrayLike = 0,
    leaves: ArrayLike = 0,
) -> Unit:
    """A unit from columns; a resource may be one number for all foldings, and real where it is LUT or FF.

    ``enters`` and ``leaves`` are stream widths in any unit: equal values become one number.
    """
    axes = tuple(settings)
    columns = [np.atleast_1d(np.asarray(settings[axis], dtype=np.int64)) for axis in axes]
    n = max((len(column) for column in columns), default=1)
    if n == 0:
        raise CostmodelError(f"unit {name!r} has no folding: no PE and SIMD that divide its shape are allowed")

    def column(values: ArrayLike) -> Ints:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype=np.int64), (n,)))

    table = np.column_stack([column(c) for c in columns]) if columns else np.zeros((n, 0), dtype=np.int64)
    ins, outs = (np.unique(column(w), return_inverse=True)[1].astype(np.int64) for w in (enters, leaves))
    return Unit(name, axes, table, column(cycles), costs(resources, (n,)), ins, outs)


def costs(resources: Mapping[str, Any], shape: tuple[int, ...]) -> Ints:
    """Resources by name, numbers or arrays, as an integer cost [*shape, 5]."""
    cost = np.zeros((*shape, len(RESOURCES)), dtype=np.int64)
    for j, name in enumerate(RESOURCES):
        if name in resources:
            scale = RESOLUTION if j in (LUT, FF) else 1
            cost[..., j] = np.rint(np.asarray(resources[name], dtype=np.float64) * scale)
    return cost


def divisors(n: int) -> list[int]:
    """All divisors of ``n``, ascending."""
    low = [k for k in range(1, int(n**0.5) + 1) if n % k == 0]
    return low + [n // k for k in reversed(low) if k * k != n]


def reals(cost: Ints) -> NDArray[np.float64]:
    """Costs [..., 5] in whole units: LUT and FF divided by :data:`RESOLUTION`."""
    scale = np.ones(len(RESOURCES))
    scale[[LUT, FF]] = RESOLUTION
    return np.asarray(cost / scale)
