"""Many designs at once: the tables of a space, and their evaluation without a Python loop over designs.

A table holds, for every unit, one row a choice. What one design costs by the scalar path (:meth:`Design.price`, or
:meth:`LayerTables.price`) and what the table path says are equal to the last bit: dataflow costs are integers, and the
sums of the others are taken in the order of the layers on both paths.
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
from costmodel.explore.choices import Design, Ints
from costmodel.ledger.ledger import Ledger
from costmodel.targets.spec import Target

Choices = NDArray[np.uint16]
#: Largest space that can be numbered.
_MAX_RANK = 1 << 62
#: Bits of block RAM and DSP counts in a packed word; 40 are left for LUT and FF in parts of RESOLUTION.
_LOW = 24


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
        design = self.design
        stride = max(self.sizes)
        table = np.zeros((len(design.units), stride, 4), dtype=np.uint64)
        for rows, unit in zip(table, design.units, strict=True):
            place = np.searchsorted(design.intervals, unit.cycles)
            rows[: len(unit), :2] = _pack(unit.cost)
            rows[: len(unit), 2] = (place << 32) | (unit.enters << 16) | unit.leaves
        moving, where, ends, start = [], [], [], 0
        for shift, tables in ((16, design.entry), (0, design.exit)):
            for index, costs in tables.items():
                moving.append([index, shift])
                where.append(start + costs.shape[1] * np.arange(len(design.intervals)))
                ends.append(costs.reshape(-1, 4))
                start += len(ends[-1])
        links, joins, start = [], [], 0
        for link in design.links:
            links.append([link.source, link.target, start, link.cost.shape[1]])
            joins.append(link.cost.reshape(-1, 4))
            start += len(joins[-1])
        empty = np.zeros((0, 4), dtype=np.int64)
        first = np.array(where, dtype=np.uint64).reshape(len(where), len(design.intervals)).T
        return (
            np.uint64(stride), table.reshape(-1, 4), design.intervals, _pack(design.overhead),
            np.array(moving, dtype=np.uint64).reshape(-1, 2), np.ascontiguousarray(first),
            _pack(np.concatenate([empty, *ends])), np.array(links, dtype=np.uint64).reshape(-1, 4),
            _pack(np.concatenate([empty, *joins])), np.uint64(_LOW),
        )  # fmt: skip

    def evaluate(self, choices: Choices) -> Ints:
        """Interval, LUT, block RAM, DSP and FF [n, 5] of designs [n, units]; LUT and FF in parts of RESOLUTION."""
        out = np.empty((len(choices), 5), dtype=np.int64)
        _evaluate.dataflow(choices, *self._arrays, out)  # type: ignore[call-arg]
        return out


def _pack(cost: Ints) -> NDArray[np.uint64]:
    """Costs [n, 4] as two words [n, 2]: LUT and block RAM, FF and DSP."""
    lut, bram, dsp, ff = cost.astype(np.uint64).T
    low = np.uint64(_LOW)
    return np.ascontiguousarray(np.column_stack([(lut << low) | bram, (ff << low) | dsp]))


@dataclass(frozen=True)
class LayerTables:
    """Layers that run one after the other, each with the same few choices: two metrics that add up over the layers.

    ``layers`` are the ledger's layers whose choices differ, ``values`` [layers, choices, 2] their metrics, ``fixed``
    [2] those of all the rest.
    """

    metrics: tuple[str, ...]
    choice_names: tuple[str, ...]
    layers: tuple[int, ...]
    values: NDArray[np.float64]
    fixed: NDArray[np.float64]

    @property
    def sizes(self) -> list[int]:
        return [self.values.shape[1]] * self.values.shape[0]

    def evaluate(self, choices: Choices) -> NDArray[np.float64]:
        """Metrics [n, 2] of designs [n, layers]."""
        out = np.empty((len(choices), 2))
        base = np.arange(len(self.values), dtype=np.uint64) * np.uint64(self.values.shape[1])
        first, second = (np.ascontiguousarray(self.values[:, :, j].reshape(-1)) for j in range(2))
        _evaluate.sums(choices, base, first, second, out)
        out += self.fixed
        return out

    def price(self, choices: Sequence[int]) -> list[float]:
        """Metrics [2] of one design, layer by layer: the scalar path."""
        totals = [float(v) for v in self.values[0, choices[0]]]
        for layer, choice in enumerate(choices[1:], start=1):
            for j in range(len(totals)):
                totals[j] += float(self.values[layer, choice, j])
        return [total + float(f) for total, f in zip(totals, self.fixed, strict=True)]


def dataflow_tables(ledger: Ledger, target: Target, settings: dict[str, Any]) -> LayerTables:
    """Tables of an accelerator chip whose layers each choose what stays in the array: ``output`` or ``weight``.

    Metrics: dynamic energy in J and time in s. Leakage, which follows from the sum of the times, is left to the caller.
    """
    from costmodel.targets import asic

    names, metrics = ("output", "weight"), ("energy_J", "latency_s")
    values = np.zeros((len(ledger.layers), len(names), len(metrics)))
    fixed = np.zeros(len(metrics))
    for column, name in enumerate(names):
        bill = asic.price(ledger, target, {**settings, "dataflow": name, "leakage": False})
        for line in bill.lines:
            if line.metric in metrics:
                where = metrics.index(line.metric)
                if line.layer >= 0:
                    values[line.layer, column, where] += bill.cost(line)
                elif column == 0:
                    fixed[where] += bill.cost(line)
    differ = np.flatnonzero(np.any(values[:, 0] != values[:, 1], axis=1))
    same = np.setdiff1d(np.arange(len(values)), differ)
    fixed += values[same, 0].sum(axis=0)
    return LayerTables(metrics, names, tuple(differ.tolist()), values[differ], fixed)


def blocks(start: int, stop: int, size: int = 1 << 16) -> Iterator[tuple[int, int]]:
    """Ranges (start, count) that cover ``start`` to ``stop``."""
    for at in range(start, stop, size):
        yield at, min(size, stop - at)
