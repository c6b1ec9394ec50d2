"""Every folding of every matrix unit, priced at once: the tables from which the search for a folding reads.

The coefficients of a unit depend on its shape and on the fabric, not on the constants of a device, so they are computed
once for all devices of a family; pricing them is a weighted sum. Matrices that differ in their sizes alone are one
array: a network has many matrices and few kinds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.folding import Fold, divisors, matrix_stages, simd_choices
from costmodel.targets.fpga.pipeline import Style
from costmodel.targets.fpga.streams import WindowShape, window
from costmodel.targets.fpga.units import Fabric, Impl, MatrixShape, Part, cycles, mvu
from costmodel.targets.kept import kept
from costmodel.targets.spec import Target

LIMITED = ("lut", "ff", "bram18", "uram", "dsp")
#: Resources that decide which fold is the cheapest.
WEIGHED = ("lut", "bram18", "dsp")
#: What matrix units and their windows are made of.
UNITS_TAKE = ("lut", "ff", "bram18", "dsp")
_NOTHING = (0.0,) * len(UNITS_TAKE)


@dataclass(frozen=True, eq=False)
class Rates:
    """Constants of a target as plain numbers; compared by identity, so that they are a cheap key.

    ``spread``: by how much a constant may be lower and higher, relative to itself.
    """

    values: Mapping[str, float]
    spread: Mapping[str, tuple[float, float]]


@kept
def rates(target: Target) -> Rates:
    """The constants of a target as plain numbers."""
    constants = target.constants.items()
    return Rates(
        {name: q.value for name, q in constants},
        {name: (1 - q.low / q.value, q.high / q.value - 1) for name, q in constants if q.value},
    )


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """All foldings of one matrix by rising cycles that are cheaper than those of fewer cycles.

    ``amounts`` are what each takes, with its sliding window, in the order of ``UNITS_TAKE``.
    """

    cycles: list[int]
    pe: list[int]
    simd: list[int]
    amounts: list[tuple[float, ...]]
    folds: dict[int, Fold] = field(default_factory=dict, repr=False)

    def at_most(self, limit: int) -> Fold | None:
        """The cheapest fold within ``limit`` cycles, or None when even the whole matrix at once needs more."""
        position = bisect_right(self.cycles, limit) - 1
        if position < 0:
            return None
        found = self.folds.get(position)
        if found is None:  # the same object for matrices of one shape
            found = self.folds[position] = Fold(self.pe[position], self.simd[position])
        return found

    def taken(self, limit: int) -> tuple[float, ...]:
        """What that fold takes; nothing where there is none."""
        position = bisect_right(self.cycles, limit) - 1
        return _NOTHING if position < 0 else self.amounts[position]


@kept
def tables(design: Sequence[Stage], style: Style, known: Rates, stress: int) -> dict[int, Table]:
    """The table of each matrix unit by its stage. A fold costs the sum of its shares of the device's LUTs, block RAMs
    and DSPs, where a block RAM counts ``stress`` times."""
    found: dict[int, Table] = {}
    for grid, used in zip(_grids(design, style.impl, style.fabric), _used(design, style, known), strict=True):
        cost: Any = 0
        for name in WEIGHED:
            has = known.values[f"device_{name}"]
            weight = (stress if name == "bram18" else 1) / has if has else 1.0
            cost = cost + used.get(name, 0) * weight
        for stages, table in zip(grid.stages, cheapest(grid, cost, used), strict=True):
            found.update(dict.fromkeys(stages, table))
    return {stage.index: found[stage.index] for stage in matrix_stages(design)}


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """All foldings of the matrices of one kind, one matrix after the other.

    ``stages`` are, for each matrix, the stages that have it; its foldings are ``starts[i]`` to ``starts[i + 1]`` of
    ``pe``, ``simd`` and ``cycles``, and of the coefficients of ``parts``.
    """

    stages: list[list[int]]
    starts: list[int]
    pe: Any
    simd: Any
    cycles: Any
    parts: tuple[Part, ...]


@kept
def _grids(design: Sequence[Stage], impl: Impl, fabric: Fabric) -> list[Grid]:
    """The foldings of a design's matrices with the parts of their units and windows."""
    shapes: dict[tuple[MatrixShape, WindowShape | None], list[int]] = {}
    for stage in matrix_stages(design):
        assert stage.matrix is not None
        shapes.setdefault((stage.matrix, stage.window), []).append(stage.index)
    kinds: dict[tuple[Any, ...], list[tuple[MatrixShape, WindowShape | None]]] = {}
    for m, w in shapes:
        around = None if w is None else (w.bits, w.kernel, w.stride)
        kinds.setdefault((m.bits_a, m.bits_w, m.n_thresholds, m.depthwise, m.pow2, around), []).append((m, w))
    return [
        grid_of([(m, w, simd_choices(design[shapes[m, w][0]])) for m, w in alike], impl, fabric,
                [shapes[each] for each in alike]) for alike in kinds.values()
    ]  # fmt: skip


def grid_of(
    matrices: Sequence[tuple[MatrixShape, WindowShape | None, Sequence[int]]],
    impl: Impl,
    fabric: Fabric,
    stages: list[list[int]],
) -> Grid:
    """One grid; ``matrices``: of each its shape, its window and the SIMD that are tried."""
    import numpy as np

    sides = [(divisors(shape.mh), simds) for shape, _, simds in matrices]
    sizes = [len(pes) * len(simds) for pes, simds in sides]
    pe = np.concatenate([np.repeat(np.array(pes), len(simds)) for pes, simds in sides])
    simd = np.concatenate([np.tile(np.array(simds), len(pes)) for pes, simds in sides])

    def column(values: Sequence[int]) -> Any:
        return np.repeat(np.array(values), sizes)

    first, around, _ = matrices[0]
    mw, mh, vectors, bits_acc = (
        column([getattr(shape, name) for shape, _, _ in matrices]) for name in ("mw", "mh", "vectors", "bits_acc")
    )
    shape = replace(first, mw=mw, mh=mh, vectors=vectors, bits_acc=bits_acc)
    parts = mvu(shape, pe, simd, impl, fabric)
    if around is not None:
        width, channels = (
            column([getattr(w, name) for _, w, _ in matrices if w is not None]) for name in ("width", "channels")
        )
        rows = replace(around, width=width, channels=channels)
        parts += window(rows, pe * simd if first.depthwise else simd, impl, fabric=fabric)
    starts = [0, *np.cumsum(sizes).tolist()]
    limited = tuple(part for part in parts if part.metric in LIMITED)
    return Grid(stages, starts, pe, simd, cycles(shape, pe, simd), limited)


@kept
def _used(design: Sequence[Stage], style: Style, known: Rates) -> list[dict[str, Any]]:
    """What the foldings of each grid take of each resource, as arrays or, where it is the same for all, as numbers."""
    found = []
    for grid in _grids(design, style.impl, style.fabric):
        used: dict[str, Any] = {}
        for part in grid.parts:
            value = part.coefficient
            for name in part.factors:
                value = value * known.values[name]
            used[part.metric] = used.get(part.metric, 0) + value
        found.append(used)
    return found


def cheapest(grid: Grid, cost: Any, used: Mapping[str, Any]) -> list[Table]:
    """For each matrix of a grid, of its foldings those that no other beats in cycles and cost."""
    import numpy as np

    size = len(grid.pe)
    cost = np.broadcast_to(cost, (size,))
    which = np.repeat(np.arange(len(grid.stages)), np.diff(grid.starts))
    order = np.lexsort((cost, grid.cycles, which))
    ordered = cost[order]
    best = np.empty(size)
    for start, stop in pairwise(grid.starts):
        np.minimum.accumulate(ordered[start:stop], out=best[start:stop])
    # the row at which the running minimum was last lowered is the cheapest so far
    lowered = np.concatenate([[True], best[1:] < best[:-1]])
    lowered[grid.starts[:-1]] = True
    kept = order[lowered]
    ends = np.searchsorted(np.flatnonzero(lowered), grid.starts).tolist()
    spent, pe, simd = (array[kept].tolist() for array in (grid.cycles, grid.pe, grid.simd))
    columns = [np.broadcast_to(used.get(name, 0), (size,))[kept].tolist() for name in UNITS_TAKE]
    amounts = list(zip(*columns, strict=True))
    return [Table(spent[a:b], pe[a:b], simd[a:b], amounts[a:b]) for a, b in pairwise(ends)]
