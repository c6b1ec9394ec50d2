"""Compiled kernels that discard dominated points before an exact method sees them.

Both filters only ever discard a point for which they have found another point that is not worse in any objective and
better in at least one; what they keep still has to go through an exact method. All objectives are minimised here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Cells of the grid table, by number of objectives: the table stays within a few MB, near the size of a cache.
_CELLS_PER_AXIS = {2: 16384, 3: 768, 4: 100, 5: 32, 6: 16, 7: 10, 8: 7}
#: Slots of the piecewise linear quantile map of one objective.
_SLOTS = 4096


@njit(cache=True, nogil=True)
def _pivot_kernel(points, pivots, keep):  # type: ignore[no-untyped-def]
    n, d = points.shape
    last, kept = 0, 0
    for i in range(n):
        dominated = False
        for step in range(pivots.shape[0] + 1):
            # The pivot that succeeded last is tried first: neighbouring points tend to fall to the same one.
            p = last if step == 0 else step - 1
            lower, worse = False, False
            for j in range(d):
                if pivots[p, j] < points[i, j]:
                    lower = True
                elif not pivots[p, j] <= points[i, j]:
                    worse = True
                    break
            if lower and not worse:
                dominated, last = True, p
                break
        keep[i] = not dominated
        kept += keep[i]
    return kept


def drop_dominated_by(pivots: Floats, points: Floats, keep: Mask) -> int:
    """Write into ``keep`` which of ``points`` [n, d] no pivot [p, d] dominates; return how many."""
    if not len(pivots):  # the kernel would read beyond its end
        keep[:] = True
        return len(points)
    return int(_pivot_kernel(points, pivots, keep))


@dataclass(frozen=True)
class Grid:
    """For each cell of a grid over all objectives but ``last``: the least ``last`` among points of lower cells.

    A point is dominated when a point that lies in a strictly lower cell along every gridded axis is not worse in
    ``last``. Cell numbers come from a monotone map of the values, so "lower cell" implies "lower value".
    """

    axes: NDArray[np.int64]
    last: int
    low: Floats
    scale: Floats
    cell: NDArray[np.int64]
    strides: NDArray[np.int64]
    table: Floats

    def fill(self, points: Floats, keep: Mask) -> None:
        """Enter the points [n, d] whose ``keep`` is set."""
        _fill_kernel(points, keep, self.axes, self.last, self.low, self.scale, self.cell, self.strides, self.flat)

    def close(self) -> None:
        """Spread every entry to all higher cells; call once, after the last :meth:`fill`."""
        for axis in range(self.table.ndim):
            np.minimum.accumulate(self.table, axis=axis, out=self.table)

    def drop(self, points: Floats, keep: Mask) -> int:
        """Clear ``keep`` where a point that was entered dominates; return how many are left."""
        return int(
            _drop_kernel(points, keep, self.axes, self.last, self.low, self.scale, self.cell, self.strides, self.flat)
        )

    @property
    def flat(self) -> Floats:
        return self.table.reshape(-1)


def grid_for(sample: Floats) -> Grid | None:
    """An empty grid whose cells follow the distribution of ``sample`` [n, d]; None where a grid cannot help."""
    d = sample.shape[1]
    cells = _CELLS_PER_AXIS.get(d)
    finite = sample[np.isfinite(sample).all(axis=1)]
    if cells is None or len(finite) < 256:
        return None
    distinct = [len(np.unique(finite[:, j])) for j in range(d)]
    last = int(np.argmax(distinct))
    axes = np.array([j for j in range(d) if j != last], dtype=np.int64)
    low, high = finite.min(axis=0)[axes], finite.max(axis=0)[axes]
    if not np.all(high > low):
        return None
    with np.errstate(over="ignore"):
        scale = _SLOTS / (high - low)
    if not np.all(np.isfinite(scale)) or not np.all(np.isfinite(high - low)):
        return None
    slots = max(_SLOTS, cells)
    scale = scale * (slots / _SLOTS)
    cell = np.empty((len(axes), slots), dtype=np.int64)
    for q, axis in enumerate(axes):
        position = np.clip((finite[:, axis] - low[q]) * scale[q], 0, slots - 1).astype(np.int64)
        below = np.concatenate([[0], np.cumsum(np.bincount(position, minlength=slots))[:-1]]) / len(finite)
        # Half by rank and half by value: rank adapts to the distribution, value keeps resolution in the tails.
        cell[q] = np.minimum((below + np.arange(slots) / slots) * (cells / 2), cells - 1).astype(np.int64)
    table = np.full((cells + 1,) * len(axes), np.inf)
    strides = np.array(table.strides, dtype=np.int64) // table.itemsize
    return Grid(axes, last, low, scale, cell, strides, table)


@njit(cache=True, nogil=True)
def _fill_kernel(points, keep, axes, last, low, scale, cell, strides, table):  # type: ignore[no-untyped-def]
    top = cell.shape[1] - 1
    for i in range(points.shape[0]):
        if keep[i]:
            c = 0
            for q in range(axes.size):
                x = (points[i, axes[q]] - low[q]) * scale[q]
                slot = int(x) if 0.0 < x < top else (top if x >= top else 0)
                c += (cell[q, slot] + 1) * strides[q]
            if points[i, last] < table[c]:
                table[c] = points[i, last]


@njit(cache=True, nogil=True)
def _drop_kernel(points, keep, axes, last, low, scale, cell, strides, table):  # type: ignore[no-untyped-def]
    top, kept = cell.shape[1] - 1, 0
    for i in range(points.shape[0]):
        if keep[i]:
            c = 0
            for q in range(axes.size):
                x = (points[i, axes[q]] - low[q]) * scale[q]
                slot = int(x) if 0.0 < x < top else (top if x >= top else 0)
                c += cell[q, slot] * strides[q]
            if table[c] <= points[i, last] and table[c] < np.inf:  # an infinite entry is an empty one
                keep[i] = False
            else:
                kept += 1
    return kept
