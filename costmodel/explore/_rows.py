"""Compiled kernels on fronts of rows (key, key, value): sums, unions, pruning.

A front is an array [n, 3] sorted by its first key, none of whose rows is as good as another in all three columns. A
ragged list of fronts is their concatenation with the start of each. With ``scale`` > 0 the keys are compared by boxes
of a logarithmic grid, and one row, that of the least value, is kept in each box: this makes a front certified to a
factor rather than exact.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

FAR = np.iinfo(np.int64).max // 4
#: Sums of two fronts that are formed before they are pruned.
_BLOCK_ROWS = 1 << 20
#: Cells of a table of sums, at most: 64 MB.
_CELLS = 1 << 23


@njit(cache=True, nogil=True)
def box(value, scale):  # type: ignore[no-untyped-def]
    """Index of the box of a key: the key itself where ``scale`` is 0; otherwise 0 has a box of its own."""
    if scale == 0.0 or value <= 0:
        return value
    return 1 + int(math.log(float(value)) * scale)


@njit(cache=True, nogil=True)
def _front_dense(rows, scale, low1, low2, n1, n2, out):  # type: ignore[no-untyped-def]
    """Write the front of ``rows`` [n, 3] into ``out`` through a table of n1 by n2 cells; return how many."""
    value = np.full((n1, n2), FAR)
    at = np.empty((n1, n2), np.int64)
    for r in range(rows.shape[0]):
        p, q = box(rows[r, 0], scale) - low1, box(rows[r, 1], scale) - low2
        if rows[r, 2] < value[p, q]:
            value[p, q], at[p, q] = rows[r, 2], r
    lower = np.full(n2, FAR)
    m = 0
    for p in range(n1):
        run = FAR
        for q in range(n2):
            v = value[p, q]
            if v < lower[q] and v < run:
                out[m] = rows[at[p, q]]
                m += 1
            run = min(run, v)
            lower[q] = min(lower[q], run)
            run = lower[q]
    return m


@njit(cache=True, nogil=True)
def _front_sorted(rows, scale, low1, low2, n2, out):  # type: ignore[no-untyped-def]
    """The same by sorting: rows by ascending cell, the least value among smaller second keys in a Fenwick tree."""
    cell = np.empty(rows.shape[0], np.int64)
    for r in range(rows.shape[0]):
        cell[r] = (box(rows[r, 0], scale) - low1) * n2 + box(rows[r, 1], scale) - low2
    order = np.argsort(cell, kind="mergesort")
    tree = np.full(n2 + 1, FAR)
    m, i = 0, 0
    while i < order.shape[0]:
        r = order[i]
        i += 1
        while i < order.shape[0] and cell[order[i]] == cell[r]:
            if rows[order[i], 2] < rows[r, 2]:
                r = order[i]
            i += 1
        q, v = cell[r] % n2 + 1, rows[r, 2]
        k, least = q, FAR
        while k > 0:
            least = min(least, tree[k])
            k -= k & -k
        if v < least:
            out[m] = rows[r]
            m += 1
            while q <= n2:
                tree[q] = min(tree[q], v)
                q += q & -q
    return m


@njit(cache=True, nogil=True)
def _front(rows, scale, out):  # type: ignore[no-untyped-def]
    """Write the front of ``rows`` [n, 3], in any order, into ``out``, sorted by its keys; return how many."""
    if rows.shape[0] == 0:
        return 0
    low1, high1, low2, high2 = rows[0, 0], rows[0, 0], rows[0, 1], rows[0, 1]
    for r in range(rows.shape[0]):
        low1, high1 = min(low1, rows[r, 0]), max(high1, rows[r, 0])
        low2, high2 = min(low2, rows[r, 1]), max(high2, rows[r, 1])
    low1, low2 = box(low1, scale), box(low2, scale)
    n1, n2 = box(high1, scale) - low1 + 1, box(high2, scale) - low2 + 1
    if n1 * n2 <= 4 * rows.shape[0]:
        m = _front_dense(rows, scale, low1, low2, n1, n2, out)
    else:
        m = _front_sorted(rows, scale, low1, low2, n2, out)
    if scale > 0.0:  # by boxes until here, and a box holds several keys
        out[:m] = out[:m][np.argsort(out[:m, 0], kind="mergesort")]
    return m


@njit(cache=True, nogil=True)
def front(rows):  # type: ignore[no-untyped-def]
    """The exact front of ``rows`` [n, 3], in any order."""
    out = np.empty_like(rows)
    return out[: _front(rows, 0.0, out)].copy()


@njit(cache=True, nogil=True)
def minkowski(a, b, cap1, cap2, scale):  # type: ignore[no-untyped-def]
    """The front of all sums of a row of ``a`` and a row of ``b`` whose keys stay within the caps."""
    if a.shape[0] > b.shape[0]:
        a, b = b, a
    if scale == 0.0 and a.shape[0] > 0:
        low1, low2 = a[0, 0] + b[0, 0], a[:, 1].min() + b[:, 1].min()
        n1 = min(cap1, a[-1, 0] + b[-1, 0]) - low1 + 1
        n2 = min(cap2, a[:, 1].max() + b[:, 1].max()) - low2 + 1
        if n1 <= 0 or n2 <= 0:
            return np.empty((0, 3), np.int64)
        if n1 * n2 <= min(4 * a.shape[0] * b.shape[0], _CELLS):
            return _sums_dense(a, b, low1, low2, n1, n2)
    return _sums_listed(a, b, cap1, cap2, scale)


@njit(cache=True, nogil=True)
def _sums_dense(a, b, low1, low2, n1, n2):  # type: ignore[no-untyped-def]
    """The sums through a table of n1 by n2 cells: for each pair of keys the least value."""
    value = np.full(n1 * n2, FAR)
    one_key = a[:, 1].max() + b[:, 1].max() == low2
    key, second, add = b[:, 0] * n2 + b[:, 1], b[:, 1].copy(), b[:, 2].copy()
    for i in range(a.shape[0]):
        start, least = (a[i, 0] - low1) * n2 + a[i, 1] - low2, a[i, 2]
        count, most = b.shape[0], n1 - 1 - a[i, 0] + low1
        while count > 0 and b[count - 1, 0] > most:
            count -= 1
        if one_key:
            for j in range(count):
                cell = np.uint64(start + key[j])
                value[cell] = min(value[cell], least + add[j])
        else:
            room = n2 - 1 - a[i, 1] + low2
            for j in range(count):
                if second[j] <= room:
                    cell = np.uint64(start + key[j])
                    value[cell] = min(value[cell], least + add[j])
    out = np.empty((min(n1 * n2, a.shape[0] * b.shape[0]), 3), np.int64)
    return out[: _listed(value, low1, low2, n1, n2, out)].copy()


@njit(cache=True, nogil=True)
def _listed(value, low1, low2, n1, n2, out):  # type: ignore[no-untyped-def]
    """Write the front of a table of n1 by n2 least values into ``out``; return how many rows it has."""
    lower, m = np.full(n2, FAR), 0
    for p in range(n1):
        run = FAR
        for q in range(n2):
            v = value[p * n2 + q]
            if v < lower[q] and v < run:
                out[m, 0], out[m, 1], out[m, 2] = low1 + p, low2 + q, v
                m += 1
            run = min(run, v, lower[q])
            lower[q] = run
    return m


@njit(cache=True, nogil=True)
def _sums_listed(a, b, cap1, cap2, scale):  # type: ignore[no-untyped-def]
    """The sums one by one, in blocks of rows of ``a``, each with the front so far, so that memory stays bounded."""
    limit = min(_BLOCK_ROWS, a.shape[0] * b.shape[0])
    rows = np.empty((limit + b.shape[0], 3), np.int64)
    best = np.empty((0, 3), np.int64)
    filled = 0
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            k1 = a[i, 0] + b[j, 0]
            if k1 > cap1:
                break
            k2 = a[i, 1] + b[j, 1]
            if k2 <= cap2:
                rows[filled, 0], rows[filled, 1], rows[filled, 2] = k1, k2, a[i, 2] + b[j, 2]
                filled += 1
        if filled >= limit or i == a.shape[0] - 1:
            both = np.concatenate((best, rows[:filled]))
            out = np.empty_like(both)
            best = out[: _front(both, scale, out)].copy()
            filled = 0
    return best


@njit(cache=True, nogil=True)
def gather(rows, starts, source, cost, able, group, n_groups, cap1, cap2, scale):  # type: ignore[no-untyped-def]
    """For each group the front of the union of ``fronts[source[c]] + cost[c]`` over the group's able choices c.

    ``rows`` and ``starts`` are a ragged list of fronts; ``group`` [c] is ascending. Returns a ragged list.
    """
    least, most = np.zeros(starts.shape[0] - 1, np.int64), np.zeros(starts.shape[0] - 1, np.int64)
    for s in range(least.shape[0]):
        if starts[s] < starts[s + 1]:
            least[s], most[s] = rows[starts[s], 1], rows[starts[s], 1]
        for r in range(starts[s], starts[s + 1]):
            least[s], most[s] = min(least[s], rows[r, 1]), max(most[s], rows[r, 1])
    fronts, out_starts = [np.empty((0, 3), np.int64)], np.zeros(n_groups + 1, np.int64)
    begin = 0
    for g in range(n_groups):
        end = begin
        while end < group.shape[0] and group[end] == g:
            end += 1
        size, low1, high1, low2, high2 = 0, FAR, -FAR, FAR, -FAR
        for c in range(begin, end):
            s = source[c]
            if able[c] and starts[s] < starts[s + 1]:
                size += starts[s + 1] - starts[s]
                low1, high1 = (
                    min(low1, rows[starts[s], 0] + cost[c, 0]),
                    max(high1, rows[starts[s + 1] - 1, 0] + cost[c, 0]),
                )
                low2, high2 = min(low2, least[s] + cost[c, 1]), max(high2, most[s] + cost[c, 1])
        n1, n2 = min(high1, cap1) - low1 + 1, min(high2, cap2) - low2 + 1
        if size and n1 > 0 and n2 > 0:
            bounds = (rows, starts, source, cost, able, begin, end, cap1, cap2)
            if scale == 0.0 and n1 * n2 <= min(4 * size, _CELLS):
                front = _union_dense(*bounds, low1, low2, n1, n2)
            else:
                front = _union_listed(*bounds, size, scale)
            out_starts[g + 1] = front.shape[0]
            if n_groups == 1:  # most calls: nothing to put together
                return front, out_starts
            fronts.append(front)
        out_starts[g + 1] += out_starts[g]
        begin = end
    out = np.empty((out_starts[n_groups], 3), np.int64)
    filled = 0
    for front in fronts:
        out[filled : filled + front.shape[0]] = front
        filled += front.shape[0]
    return out, out_starts


@njit(cache=True, nogil=True)
def _union_dense(rows, starts, source, cost, able, begin, end, cap1, cap2, low1, low2, n1, n2):  # type: ignore[no-untyped-def]
    """The front of a union through a table of n1 by n2 cells: for each pair of keys the least value."""
    value = np.full(n1 * n2, FAR)
    for c in range(begin, end):
        if able[c]:
            key1, key2, add = cost[c, 0] - low1, cost[c, 1] - low2, cost[c, 2]
            for r in range(starts[source[c]], starts[source[c] + 1]):
                p, q = rows[r, 0] + key1, rows[r, 1] + key2
                if p >= n1:
                    break
                if q < n2:
                    cell = np.uint64(p * n2 + q)
                    value[cell] = min(value[cell], rows[r, 2] + add)
    out = np.empty((n1 * n2, 3), np.int64)
    return out[: _listed(value, low1, low2, n1, n2, out)].copy()


@njit(cache=True, nogil=True)
def _union_listed(rows, starts, source, cost, able, begin, end, cap1, cap2, size, scale):  # type: ignore[no-untyped-def]
    """The front of a union from all of its rows."""
    listed, count = np.empty((size, 3), np.int64), 0
    for c in range(begin, end):
        if able[c]:
            for r in range(starts[source[c]], starts[source[c] + 1]):
                k1, k2 = rows[r, 0] + cost[c, 0], rows[r, 1] + cost[c, 1]
                if k1 > cap1:
                    break
                if k2 <= cap2:
                    listed[count, 0], listed[count, 1], listed[count, 2] = k1, k2, rows[r, 2] + cost[c, 2]
                    count += 1
    out = np.empty((count, 3), np.int64)
    return out[: _front(listed[:count], scale, out)].copy()


@njit(cache=True, nogil=True)
def improves(rows, best):  # type: ignore[no-untyped-def]
    """Which rows [n, 3] no row of ``best`` with second key 0 equals or dominates.

    Complete where the second key is 0 throughout; else dominated rows may be left, for the caller to remove.
    """
    keep = np.ones(rows.shape[0], np.bool_)
    j, least = 0, FAR
    for i in range(rows.shape[0]):
        while j < best.shape[0] and best[j, 0] <= rows[i, 0]:
            if best[j, 1] == 0:
                least = min(least, best[j, 2])
            j += 1
        keep[i] = rows[i, 2] < least
    return keep


@njit(cache=True, nogil=True)
def find(rows, begin, end, key1, key2, value):  # type: ignore[no-untyped-def]
    """Position of a row in ``rows[begin:end]``, which is sorted by its first key; -1 where it is not there."""
    lo, hi = begin, end
    while lo < hi:
        mid = (lo + hi) // 2
        if rows[mid, 0] < key1:
            lo = mid + 1
        else:
            hi = mid
    while lo < end and rows[lo, 0] == key1:
        if rows[lo, 1] == key2 and rows[lo, 2] == value:
            return lo
        lo += 1
    return -1


@njit(cache=True, nogil=True)
def split(row, left, right):  # type: ignore[no-untyped-def]
    """Positions of a row of ``left`` and one of ``right`` that add up to ``row`` [3]; (-1, -1) where there is none."""
    for i in range(left.shape[0]):
        j = find(right, 0, right.shape[0], row[0] - left[i, 0], row[1] - left[i, 1], row[2] - left[i, 2])
        if j >= 0:
            return i, j
    return -1, -1


@njit(cache=True, nogil=True)
def behind(row, rows, starts, source, cost, able, group, wanted):  # type: ignore[no-untyped-def]
    """The first able choice of group ``wanted`` that makes ``row`` [3] from a row of its source; that row's place."""
    for c in range(group.shape[0]):
        if group[c] == wanted and able[c]:
            s = source[c]
            at = find(rows, starts[s], starts[s + 1], row[0] - cost[c, 0], row[1] - cost[c, 1], row[2] - cost[c, 2])
            if at >= 0:
                return c, at
    return -1, -1
