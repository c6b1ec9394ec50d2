"""All foldings of a design by what is asked of them: composed, or counted off one by one.

The front that :mod:`~costmodel.explore.compose` makes is of the initiation interval, LUTs, block RAM and DSP slices (or
UltraRAM). Where these decide what is asked, and limits are upper ones, it is complete. A lower limit may leave out a
member whose place a dominated design would take, and flip-flops, energy and latency do not follow from these four. Then
the designs of a small space are all counted off; those of a large one are not, and the answer says that it is not
proven.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from costmodel.explore.compose import Objectives, Points, compose, rebuild
from costmodel.explore.tables import FoldingTables, blocks, draw, unrank
from costmodel.targets.fpga.choices import BRAM, DSP, FF, LUT, RESOLUTION, RESOURCES, URAM, Design, Ints, Unit

Bounds = Mapping[str, tuple[float, float]]
#: Spaces up to this many designs are counted off where a front of four coordinates does not decide: seconds of work.
COUNTED = 1 << 25
#: The same where each design is followed through its pipeline, for its latency or energy.
FOLLOWED = 1 << 17
#: What is decided by the coordinates of a composed front, next to metrics that are the same for all foldings.
COORDINATES = ("seconds_per_image", "lut", "bram18", "dsp", "uram")
FIXED = ("clock_Hz", "accuracy", "weight_bits")
#: Random designs that are looked at where a lower limit leaves out members of a composed front.
DRAWN = 1 << 18
#: How close the flip-flops of a large space are looked at.
EPSILON = 0.05


@dataclass(frozen=True)
class Counted:
    """All designs of a space, numbered: each at its least interval, then each at every larger interval at which the
    rest of the pipeline costs less."""

    design: Design
    #: Positions of intervals; -1: the least of each design.
    at: tuple[int, ...]
    #: The number of the first design at each of them, and of all.
    starts: Ints

    def __len__(self) -> int:
        return int(self.starts[-1])

    @classmethod
    def of(cls, design: Design, every: bool) -> Counted:
        """``every``: a design counts at every interval that it can keep up with, cheaper or not."""
        at = (-1, *(t for t in range(1, len(design.intervals)) if every or _differs(design, t)))
        sizes = [design.size if t < 0 else math.prod(map(len, _able(design, t))) for t in at]
        if sum(sizes) >= 1 << 62:
            sizes = [1 << 40]  # more than anyone counts
        return cls(design, at, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    def blocks(self, size: int) -> Iterator[tuple[NDArray[np.int64], Ints, Ints]]:
        for at, start in zip(self.at, self.starts.tolist(), strict=False):
            part, able = self._part(at)
            tables = FoldingTables(part)
            for begin, count in blocks(0, part.size, size):
                chosen = unrank(tables.sizes, begin, count)
                rows = tables.evaluate(chosen)
                picks = np.column_stack([which[chosen[:, i]] for i, which in enumerate(able)])
                yield np.arange(start + begin, start + begin + count, dtype=np.int64), rows, picks

    def find(self, numbers: Ints) -> tuple[Ints, Ints]:
        """Choices [n, units] and positions of the intervals [n] of designs."""
        choices = np.empty((len(numbers), len(self.design.units)), dtype=np.int64)
        at = np.empty(len(numbers), dtype=np.int64)
        for i, number in enumerate(numbers.tolist()):
            place = int(np.searchsorted(self.starts, number, "right")) - 1
            part, able = self._part(self.at[place])
            drawn = unrank([len(unit) for unit in part.units], number - int(self.starts[place]), 1)[0]
            choices[i] = [which[c] for which, c in zip(able, drawn, strict=True)]
            cycles = max(int(u.cycles[c]) for u, c in zip(self.design.units, choices[i], strict=True))
            at[i] = self.at[place] if self.at[place] >= 0 else np.searchsorted(self.design.intervals, cycles)
        return choices, at

    def _part(self, at: int) -> tuple[Design, list[Ints]]:
        """The designs that keep up with one interval, built for it, and which choices of each unit they have."""
        design = self.design
        if at < 0:
            return design, [np.arange(len(unit)) for unit in design.units]
        able, one = _able(design, at), slice(at, at + 1)
        units = tuple(_only(unit, which) for unit, which in zip(design.units, able, strict=True))
        entry = {i: table[one] for i, table in design.entry.items()}
        leave = {i: table[one] for i, table in design.exit.items()}
        return replace(
            design, units=units, intervals=design.intervals[one], overhead=design.overhead[one], entry=entry, exit=leave
        ), able


def _able(design: Design, at: int) -> list[Ints]:
    return [np.flatnonzero(unit.cycles <= design.intervals[at]) for unit in design.units]


def _only(unit: Unit, which: Ints) -> Unit:
    return replace(
        unit, settings=unit.settings[which], cycles=unit.cycles[which], cost=unit.cost[which],
        enters=unit.enters[which], leaves=unit.leaves[which],
    )  # fmt: skip


def _differs(design: Design, at: int) -> bool:
    """Whether what depends on the interval alone costs anything else at an interval than at the one before."""
    tables = (design.overhead, *design.entry.values(), *design.exit.values())
    return any(not np.array_equal(table[at], table[at - 1]) for table in tables)


@dataclass(frozen=True)
class Exact:
    """The foldings of a design that are candidates for a front: the members of a composed front (``points``, ``more``
    where flip-flops count, and ``drawn`` random designs), or all designs, ``counted`` off. ``unproven`` says what is
    not certain of a front of them."""

    design: Design
    points: Points | None
    more: Points | None = None
    counted: Counted | None = None
    unproven: str = ""
    drawn: int = 0

    @property
    def composed(self) -> bool:
        return self.points is not None

    @property
    def coordinates(self) -> tuple[str, ...]:
        """The metrics of which a lower limit may leave out what would be a member; none where all are counted off."""
        return COORDINATES if self.composed else ()

    def __len__(self) -> int:
        if self.counted is not None:
            return len(self.counted)
        return self._members + self.drawn

    @property
    def _members(self) -> int:
        return sum(len(points) for points in (self.points, self.more) if points is not None)

    def blocks(self, size: int) -> Iterator[tuple[NDArray[np.int64], Ints, Ints | None]]:
        """Numbers [n] of candidates, their interval and resources [n, 6], and their choices where these are at hand.

        Flip-flops of a composed front are 0 unless they count.
        """
        if self.counted is not None:
            yield from self.counted.blocks(size)
            return
        assert self.points is not None
        tables = FoldingTables(self.design) if self.drawn else None
        for at, count in blocks(0, self.drawn, size):
            assert tables is not None
            chosen = draw(tables.sizes, 0, at, count)
            yield self._members + np.arange(at, at + count), tables.evaluate(chosen), chosen.astype(np.int64)
        numbers = np.arange(self._members, dtype=np.int64)
        if self.more is None:
            interval, bram, dsp, lut = self.points.rows.T
            yield numbers, np.column_stack([interval, lut, bram, dsp, np.zeros_like(lut), self.points.uram]), None
            return
        choices, places = self.find(numbers)
        found = [self.design.price(c, int(t)) for c, t in zip(choices, places, strict=True)]
        rows: Ints = np.array([[interval, *cost] for interval, cost in found], dtype=np.int64)
        yield numbers, rows.reshape(-1, 1 + len(RESOURCES)), choices

    def find(self, numbers: Ints) -> tuple[Ints, Ints]:
        """Choices [n, units] of candidates, and the positions [n] of the intervals for which they are built."""
        if self.counted is not None:
            return self.counted.find(numbers)
        assert self.points is not None
        first = len(self.points)
        choices = np.empty((len(numbers), len(self.design.units)), dtype=np.int64)
        at = np.empty(len(numbers), dtype=np.int64)
        random = numbers >= self._members
        for i in np.flatnonzero(random):
            chosen = draw([len(unit) for unit in self.design.units], 0, int(numbers[i]) - self._members, 1)[0]
            choices[i] = chosen
            cycles = max(int(u.cycles[c]) for u, c in zip(self.design.units, choices[i], strict=True))
            at[i] = np.searchsorted(self.design.intervals, cycles)
        for points, mine, start in (
            (self.points, numbers < first, 0), (self.more, (numbers >= first) & ~random, first)
        ):  # fmt: skip
            if points is not None and mine.any():
                choices[mine] = rebuild(self.design, points, (numbers[mine] - start).tolist())
                at[mine] = points.at[numbers[mine] - start]
        return choices, at

    def is_member(self, number: int) -> bool:
        """Whether a candidate is a member of the composed front of LUTs, block RAM and DSP slices, which the command
        line finds again by these."""
        return self.points is not None and number < len(self.points)

    def amounts(self, number: int) -> dict[str, float]:
        """Interval and resources of a member of the composed front, by name."""
        assert self.points is not None
        interval, bram, dsp, lut = self.points.rows[number].tolist()
        return {"interval": interval, "bram18": bram, "dsp": dsp, "lut": lut / RESOLUTION,
                "uram": int(self.points.uram[number])}  # fmt: skip


def exact(design: Design, limits: Objectives, wanted: Collection[str], bounds: Bounds) -> Exact:
    """The candidates for a front by the metrics ``wanted`` within ``bounds``; ``limits`` are those of the device."""
    other = sorted({*wanted} - {*COORDINATES, *FIXED})
    followed = any(name != "ff" for name in other)
    lower = sorted(name for name, (low, _) in bounds.items() if name in COORDINATES and low > -math.inf)
    if (other or lower) and design.size <= COUNTED:
        counted = Counted.of(design, every="seconds_per_image" in lower or followed)
        if len(counted) <= (FOLLOWED if followed else COUNTED):
            return Exact(design, None, None, counted)
    points = compose(design, _within(limits, bounds))
    if other == ["ff"] and not limits.ultra:
        more = compose(design, Objectives(limits.max_bram, None, EPSILON))
        return Exact(design, points, more, None, f"ff of a space of this size is looked at to {EPSILON:.0%}")
    drawn = DRAWN if lower and not followed else 0
    reasons = [f"{_named(other)} not among what the exact front is composed of"] if other else []
    if points.left_out:
        reasons.append(f"{points.left_out} members have too many DSP slices")
    return Exact(design, points, None, None, "; ".join(reasons), drawn)


def _within(limits: Objectives, bounds: Bounds) -> Objectives:
    """The limits of the device, and upper ones that are asked for: what is beyond them is never composed."""

    def least(limit: int | None, name: str) -> int | None:
        most = bounds.get(name, (0.0, math.inf))[1]
        return limit if most == math.inf else min(limit if limit is not None else 1 << 40, max(int(most), 0))

    uram = least(limits.max_uram, "uram") if limits.ultra else limits.max_uram
    return replace(limits, max_bram=least(limits.max_bram, "bram18"), max_dsp=least(limits.max_dsp, "dsp"),
                   max_uram=uram)  # fmt: skip


def _named(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


#: Columns of :meth:`Exact.blocks` by resource, after the interval.
COLUMN = {"lut": 1 + LUT, "bram18": 1 + BRAM, "dsp": 1 + DSP, "ff": 1 + FF, "uram": 1 + URAM}
