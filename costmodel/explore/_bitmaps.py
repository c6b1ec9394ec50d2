"""Dominance by bitmaps: 64 comparisons in one machine word.

Every objective is cut into levels by a monotone map, so that a lower level implies a lower value. Of a block of
members, ``below[j, l]`` says bit by bit which have a level of at most ``l`` in objective ``j``. The members that may
dominate a point are then the AND of one row for each objective, and only those few are compared number by number. All
objectives are minimised here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Members of a block: its bitmaps, ``d * _LEVELS * _BLOCK / 8`` bytes, stay in the cache of a core.
_BLOCK = 4096
_LEVELS = 128
#: Words that are combined before they are looked at: what a processor does at once, a few times over.
_GROUP = 8
#: Slots of the piecewise linear quantile map of one objective.
_SLOTS = 4096


@dataclass(frozen=True)
class Levels:
    """A monotone map from the values of each objective to 0 .. ``_LEVELS - 1``."""

    low: Floats
    scale: Floats
    table: NDArray[np.uint8]


def levels_for(sample: Floats) -> Levels | None:
    """Levels by the quantiles of ``sample`` [n, d]; None where no finite map tells its values apart."""
    finite = sample[np.isfinite(sample).all(axis=1)]
    if len(finite) < 2:
        return None
    low, high = finite.min(axis=0), finite.max(axis=0)
    with np.errstate(over="ignore", divide="ignore"):
        scale = np.where(high > low, _SLOTS / (high - low), 0.0)
    if not (np.all(np.isfinite(scale)) and np.all(np.isfinite(high - low))):
        return None
    table = np.empty((len(low), _SLOTS), dtype=np.uint8)
    for j, column in enumerate(finite.T):
        slot = np.clip((column - low[j]) * scale[j], 0, _SLOTS - 1).astype(np.int64)
        below = np.concatenate([[0], np.cumsum(np.bincount(slot, minlength=_SLOTS))[:-1]]) / len(finite)
        table[j] = np.minimum(below * _LEVELS, _LEVELS - 1).astype(np.uint8)
    return Levels(low, scale, table)


@dataclass(frozen=True)
class Pivots:
    """Points that are known to be in a set, the strongest first, as a filter of that set."""

    points: Floats
    levels: Levels
    below: NDArray[np.uint64]

    def drop(self, points: Floats, keep: Mask) -> int:
        """Write into ``keep`` which of ``points`` [n, d] no pivot dominates; return how many."""
        levels = self.levels
        return int(_drop_kernel(points, levels.low, levels.scale, levels.table, self.points, self.below, keep))


def pivots_of(members: Floats, sample: Floats) -> Pivots | None:
    """A filter of ``members`` [p, d], at most ``_BLOCK`` of them, for a set that is spread like ``sample``."""
    levels = levels_for(sample)
    if levels is None or not len(members):
        return None
    members = np.ascontiguousarray(members[:_BLOCK])
    codes = np.empty(members.shape, dtype=np.uint8)
    _level_kernel(members, levels.low, levels.scale, levels.table, codes)
    words = -(-len(members) // (64 * _GROUP)) * _GROUP
    below = np.empty((members.shape[1], _LEVELS, words), dtype=np.uint64)
    _index_kernel(codes, below)
    return Pivots(members, levels, below)


def front_mask(points: Floats, keep_weakly: bool) -> Mask | None:
    """Which of ``points`` [n, d] no other dominates; of equal ones the first, or all with ``keep_weakly``.

    The points fall into cells of ``_BLOCK`` by halving the objectives in turn. Each cell is compared with itself, and
    what is left of it with every cell that it may reach: one whose upper corner is nowhere below its lower corner. An
    objective in which all of the one are below all of the other need not be looked at. None where no finite map tells
    the values apart. The points must not hold NaN.
    """
    levels = levels_for(points[:: max(1, len(points) // 65536)])
    if levels is None:
        return None
    codes = np.empty(points.shape, dtype=np.uint8)
    _level_kernel(points, levels.low, levels.scale, levels.table, codes)
    order, starts = _cells(codes)
    rows, codes = points[order], codes[order]
    mask = np.zeros(len(points), dtype=np.bool_)
    _front_kernel(rows, codes, order, starts, keep_weakly, mask)
    return mask


@njit(cache=True, nogil=True)
def _cells(codes):  # type: ignore[no-untyped-def]
    """An order of the rows [n] in which cells follow one another, and where each begins [cells + 1].

    In a cell rows of low levels come first: they are the ones that most others fall to.
    """
    n, d = codes.shape
    order, other = np.arange(n), np.empty(n, dtype=np.int64)
    waiting, starts = [(0, n)], [0]
    count, sums = np.empty(_LEVELS, dtype=np.int64), np.empty(_BLOCK, dtype=np.int64)
    while waiting:
        begin, end = waiting.pop()
        if end - begin <= _BLOCK:
            for i in range(begin, end):
                sums[i - begin] = 0
                for j in range(d):
                    sums[i - begin] += codes[order[i], j]
            other[begin:end] = order[begin:end]
            by_sum = np.argsort(sums[: end - begin])
            for i in range(end - begin):
                order[begin + i] = other[begin + by_sum[i]]
            starts.append(end)
            continue
        low, high = codes[order[begin]].copy(), codes[order[begin]].copy()
        for i in range(begin, end):
            for j in range(d):
                low[j], high[j] = min(low[j], codes[order[i], j]), max(high[j], codes[order[i], j])
        axis = np.argmax(high - low)
        half = (begin + end) // 2
        if high[axis] > low[axis]:
            count[:] = 0
            for i in range(begin, end):
                count[codes[order[i], axis]] += 1
            level, below = int(low[axis]), count[low[axis]]
            while below < (end - begin) // 2 and level + 1 < high[axis]:
                level += 1
                below += count[level]
            half, left, right = begin + below, begin, begin + below
            for i in range(begin, end):
                if codes[order[i], axis] <= level:
                    other[left] = order[i]
                    left += 1
                else:
                    other[right] = order[i]
                    right += 1
            order[begin:end] = other[begin:end]
        waiting.append((half, end))
        waiting.append((begin, half))
    return order, np.array(starts)


@njit(cache=True, nogil=True)
def _level_kernel(points, low, scale, table, codes):  # type: ignore[no-untyped-def]
    top = table.shape[1] - 1
    for i in range(points.shape[0]):
        for j in range(points.shape[1]):
            x = (points[i, j] - low[j]) * scale[j]
            codes[i, j] = table[j, int(x) if 0.0 < x < top else (top if x >= top else 0)]


@njit(cache=True, nogil=True)
def _index_kernel(codes, below):  # type: ignore[no-untyped-def]
    below[:] = np.uint64(0)
    for i in range(codes.shape[0]):
        bit = np.uint64(1) << np.uint64(i & 63)
        for j in range(codes.shape[1]):
            below[j, codes[i, j], i >> 6] |= bit
    for j in range(below.shape[0]):
        for level in range(1, below.shape[1]):
            for w in range(below.shape[2]):
                below[j, level, w] |= below[j, level - 1, w]


@intrinsic
def _position(context, word):  # type: ignore[no-untyped-def]
    """The number of the lowest bit that is set."""
    return types.int64(types.uint64), lambda context, builder, signature, words: builder.cttz(
        words[0], context.get_constant(types.boolean, True)
    )


@njit(inline="always")
def _fallen(point, name, code, members, names, below, words, axes, n_axes, found, weakly):  # type: ignore[no-untyped-def]
    """Whether one of ``members`` dominates ``point``, or equals it and has a lower name; only ``axes`` are open."""
    for group in range(0, words, _GROUP):
        row = below[axes[0], code[axes[0]]]
        for w in range(_GROUP):
            found[w] = row[group + w]
        for q in range(1, n_axes):
            row = below[axes[q], code[axes[q]]]
            for w in range(_GROUP):
                found[w] &= row[group + w]
        some = np.uint64(0)
        for w in range(_GROUP):
            some |= found[w]
        if some == 0:
            continue
        for w in range(_GROUP):
            left = found[w]
            while left:
                at = ((group + w) << 6) + _position(left)  # type: ignore[call-arg]
                left &= left - np.uint64(1)
                lower, worse = False, False
                for j in range(point.shape[0]):
                    if members[at, j] < point[j]:
                        lower = True
                    elif not members[at, j] <= point[j]:
                        worse = True
                        break
                if not worse and (lower or (not weakly and names[at] < name)):
                    return True
    return False


@njit(cache=True, nogil=True)
def _drop_kernel(points, low, scale, table, pivots, below, keep):  # type: ignore[no-untyped-def]
    n, d = points.shape
    top, kept = table.shape[1] - 1, 0
    code, found = np.empty(d, dtype=np.uint8), np.empty(_GROUP, dtype=np.uint64)
    axes, names = np.arange(d), np.empty(0, dtype=np.int64)
    for i in range(n):
        for j in range(d):
            x = (points[i, j] - low[j]) * scale[j]
            code[j] = table[j, int(x) if 0.0 < x < top else (top if x >= top else 0)]
        keep[i] = not _fallen(points[i], 0, code, pivots, names, below, below.shape[2], axes, d, found, True)
        kept += keep[i]
    return kept


@njit(cache=True, nogil=True)
def _front_kernel(rows, codes, names, starts, weakly, mask):  # type: ignore[no-untyped-def]
    d, cells = rows.shape[1], starts.shape[0] - 1
    found, axes, every = np.empty(_GROUP, dtype=np.uint64), np.arange(d), np.arange(d)
    below = np.empty((d, _LEVELS, _BLOCK // 64), dtype=np.uint64)
    ends = starts[1:].copy()
    low, high, corner = np.empty((cells, d)), np.empty((cells, d)), np.empty((cells, d), dtype=np.uint8)
    for a in range(cells):
        _corners(rows, codes, starts[a], ends[a], low[a], high[a], corner[a])
    # Cells of low corners first: what falls to them need not be compared with others.
    for a in np.argsort(corner.astype(np.int64).sum(axis=1)):
        first, last = starts[a], ends[a]
        if first == last:
            continue
        members, called = rows[first:last].copy(), names[first:last].copy()
        _index_kernel(codes[first:last], below)
        words, left = -(-(last - first) // (64 * _GROUP)) * _GROUP, first
        for i in range(first, last):
            if not _fallen(rows[i], names[i], codes[i], members, called, below, words, every, d, found, weakly):
                rows[left], codes[left], names[left] = rows[i], codes[i], names[i]
                left += 1
        ends[a] = last = left
        _corners(rows, codes, first, last, low[a], high[a], corner[a])
        members, called = rows[first:last], names[first:last]
        _index_kernel(codes[first:last], below)
        words = -(-(last - first) // (64 * _GROUP)) * _GROUP
        for b in range(cells):
            if a == b or ends[b] == starts[b]:
                continue
            apart, n_axes = False, 0
            for j in range(d):
                if low[a, j] > high[b, j]:
                    apart = True
                    break
                if high[a, j] > low[b, j]:
                    axes[n_axes] = j
                    n_axes += 1
            if apart:
                continue
            if n_axes == 0:
                axes[0], n_axes = 0, 1
            if _fallen(low[b], 0, corner[b], members, called, below, words, axes, n_axes, found, True):
                ends[b] = starts[b]  # what dominates the lower corner dominates all
                continue
            left = starts[b]
            for i in range(starts[b], ends[b]):
                beyond = True
                for j in range(d):
                    beyond = beyond and rows[i, j] >= low[a, j]
                if not beyond or not _fallen(
                    rows[i], names[i], codes[i], members, called, below, words, axes, n_axes, found, weakly
                ):
                    if left < i:
                        rows[left], codes[left], names[left] = rows[i], codes[i], names[i]
                    left += 1
            ends[b] = left
    for a in range(cells):
        for i in range(starts[a], ends[a]):
            mask[names[i]] = True


@njit(cache=True, nogil=True)
def _corners(rows, codes, first, last, low, high, corner):  # type: ignore[no-untyped-def]
    low[:], high[:], corner[:] = rows[first], rows[first], codes[first]
    for i in range(first + 1, last):
        for j in range(rows.shape[1]):
            low[j], high[j] = min(low[j], rows[i, j]), max(high[j], rows[i, j])
            corner[j] = min(corner[j], codes[i, j])
