"""Many designs at once: the tables of a space, and their evaluation without a Python loop over designs.

A table holds, for every unit, one row per choice. What one design costs by the scalar path (:meth:`Design.price`) and
what the table path says are equal to the last bit, because all costs are integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError
from costmodel.explore import _evaluate
from costmodel.targets.fpga.choices import BRAM, DSP, FF, LUT, RESOURCES, URAM, Design, Ints

Choices = NDArray[np.uint16]
#: Largest space that can be numbered.
_MAX_RANK = 1 << 62


def draw(sizes: Sequence[int], seed: int, start: int, count: int) -> Choices:
    """Choices [count, units] of the random designs number ``start`` and on; a number always means the same design."""
    out = np.empty((count, len(sizes)), dtype=np.uint16)
    _evaluate.draw(seed, start, np.asarray(sizes, dtype=np.int64), out)
    return out


def unrank(sizes: Sequence[int], start: int, count: int) -> Choices:
    """Choices [count, units] of the designs number ``start`` and on of the whole space, in mixed radix."""
    if prod(sizes) >= _MAX_RANK:
        raise CostmodelError(f"a space of {prod(sizes):.1e} designs cannot be enumerated; draw samples, or compose it")
    out = np.empty((count, len(sizes)), dtype=np.uint16)
    _evaluate.unrank(start, np.asarray(sizes, dtype=np.int64), out)
    return out


@dataclass(frozen=True)
class FoldingTables:
    """A dataflow design as flat tables."""

    design: Design

    @cached_property
    def sizes(self) -> list[int]:
        return [len(unit) for unit in self.design.units]

    @cached_property
    def _arrays(self) -> tuple[Any, ...]:
        design, packing = self.design, _Packing.of(self.design)
        stride = max(self.sizes)
        table = np.zeros((len(design.units), stride, 4), dtype=np.uint64)
        for rows, unit in zip(table, design.units, strict=True):
            place = np.searchsorted(design.intervals, unit.cycles)
            rows[: len(unit), :2] = packing.words(unit.cost)
            rows[: len(unit), 2] = (place << 32) | (unit.enters << 16) | unit.leaves
        moving, where, ends, start = [], [], [], 0
        for shift, tables in ((16, design.entry), (0, design.exit)):
            for index, costs in tables.items():
                moving.append([index, shift])
                where.append(start + costs.shape[1] * np.arange(len(design.intervals)))
                ends.append(costs)
                start += costs.shape[0] * costs.shape[1]
        links, joins, start = [], [], 0
        for link in (*design.links, *design.cross):
            links.append([link.source, link.target, start, link.cost.shape[1]])
            joins.append(link.cost)
            start += link.cost.shape[0] * link.cost.shape[1]
        first = np.array(where, dtype=np.uint64).reshape(len(where), len(design.intervals)).T
        return (
            np.uint64(stride), table.reshape(-1, 4), design.intervals, packing.words(design.overhead),
            np.array(moving, dtype=np.uint64).reshape(-1, 2), np.ascontiguousarray(first), packing.words(*ends),
            np.array(links, dtype=np.uint64).reshape(-1, 4), packing.words(*joins), packing.low,
        )  # fmt: skip

    def evaluate(self, choices: Choices) -> Ints:
        """Interval, LUT, block RAM, DSP, FF and UltraRAM [n, 6] of designs [n, units]; LUT and FF in parts of
        RESOLUTION."""
        out = np.empty((len(choices), 1 + len(RESOURCES)), dtype=np.int64)
        _evaluate.dataflow(choices, *self._arrays, out)  # type: ignore[call-arg]
        return out


@dataclass(frozen=True)
class _Packing:
    """Costs as two words whose sums are packed sums: LUT above block RAM, and FF above DSP above UltraRAM.

    ``low`` [3] are the bits of block RAM, of DSP and UltraRAM, and of UltraRAM.
    """

    low: NDArray[np.uint64]

    @classmethod
    def of(cls, design: Design) -> _Packing:
        """Fields as wide as the largest sums need; raises :class:`CostmodelError` where that is more than a word."""
        bits = [int(amount).bit_length() for amount in design.most()]
        low = (bits[BRAM], bits[DSP] + bits[URAM], bits[URAM])
        if bits[LUT] + low[0] > 64 or bits[FF] + low[1] > 64:
            raise CostmodelError(
                "the largest foldings of this network take more than tables can add up; search them exactly, or limit "
                "max_weight_bits"
            )
        return cls(np.array(low, dtype=np.uint64))

    def words(self, *costs: Ints) -> NDArray[np.uint64]:
        """The words [n, 2] of costs [..., 5]."""
        flat = [np.zeros((0, len(RESOURCES)), dtype=np.int64), *(cost.reshape(-1, len(RESOURCES)) for cost in costs)]
        columns = np.concatenate(flat).astype(np.uint64).T
        first = (columns[LUT] << self.low[0]) | columns[BRAM]
        second = (columns[FF] << self.low[1]) | (columns[DSP] << self.low[2]) | columns[URAM]
        return np.ascontiguousarray(np.column_stack([first, second]))


def blocks(start: int, stop: int, size: int = 1 << 16) -> Iterator[tuple[int, int]]:
    """Ranges (start, count) that cover ``start`` to ``stop``."""
    for at in range(start, stop, size):
        yield at, min(size, stop - at)
