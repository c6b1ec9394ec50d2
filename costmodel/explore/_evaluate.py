"""Compiled evaluation of many designs from tables: gather one row per unit, then add up or take the largest."""

from __future__ import annotations

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_U16, _U27, _U30, _U31, _U32 = np.uint64(16), np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_STREAM = np.uint64(0xFFFF)


@njit(cache=True, nogil=True)
def draw(seed, start, sizes, out):  # type: ignore[no-untyped-def]
    """Random choices ``out`` [n, units] of the designs number ``start``, ``start + 1``, ... of a seed.

    The generator is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) in counter mode: a design depends on its number
    alone, whatever the blocks in which it is drawn.
    """
    units = sizes.shape[0]
    for i in range(out.shape[0]):
        state = (np.uint64(seed) << _U32) + np.uint64(start + i) * np.uint64(units)
        for u in range(units):
            z = (state + np.uint64(u)) * _GOLDEN
            z = (z ^ (z >> _U30)) * _MIX1
            z = (z ^ (z >> _U27)) * _MIX2
            z = z ^ (z >> _U31)
            out[i, u] = ((z >> _U32) * np.uint64(sizes[u])) >> _U32


@njit(cache=True, nogil=True)
def unrank(start, sizes, out):  # type: ignore[no-untyped-def]
    """Choices ``out`` [n, units] of the designs number ``start``, ...; the last unit varies fastest."""
    for i in range(out.shape[0]):
        rest = start + i
        for u in range(sizes.shape[0] - 1, -1, -1):
            out[i, u] = rest % sizes[u]
            rest //= sizes[u]


@njit(cache=True, nogil=True)
def sums(choices, table, stride, fixed, out):  # type: ignore[no-untyped-def]
    """``out`` [n, 2]: for each row of ``choices`` [n, units] the sums of what was chosen of ``table``
    [units * stride, 2], added up in the order of the units, and ``fixed`` [2] at the end.
    """
    for i in range(choices.shape[0]):
        a, b, start = 0.0, 0.0, np.uint64(0)
        for u in range(choices.shape[1]):
            row = start + choices[i, u]
            a += table[row, 0]
            b += table[row, 1]
            start += stride
        out[i, 0], out[i, 1] = a + fixed[0], b + fixed[1]


@njit(cache=True, nogil=True)
def dataflow(choices, stride, table, intervals, overhead, moving, where, ends, links, joins, low, out):  # type: ignore[no-untyped-def]
    """``out`` [n, 6]: interval, LUT, block RAM, DSP, FF and UltraRAM of each design; all integers.

    ``table`` [units * stride, 4] has for each choice two packed words (LUT above block RAM, FF above DSP above
    UltraRAM, in ``low`` [3] bits; sums of packed words are packed sums), and a third with the position of its cycles
    among the intervals above the numbers of the streams into and out of it, 16 bits each; the largest third word of a
    design has its interval. A row is one half of a cache line. Streams whose other end follows from the interval:
    ``moving`` [m, 2] (unit, bits below the number of the stream), ``where`` [intervals, m] the first row of its table
    in ``ends``.
    ``links`` [k, 4]: (source, target, first row of its table in ``joins``, widths into the target).
    """
    one = np.uint64(1)
    brams, blocks, urams = (one << low[0]) - one, (one << low[1]) - one, (one << low[2]) - one
    units = choices.shape[1]
    held = np.empty(units, np.uint64)
    for i in range(choices.shape[0]):
        a, b, top, start = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
        for u in range(units):
            row = start + choices[i, u]
            a += table[row, 0]
            b += table[row, 1]
            held[u] = table[row, 2]
            top = max(top, held[u])
            start += stride
        at = top >> _U32
        a += overhead[at, 0]
        b += overhead[at, 1]
        for m in range(moving.shape[0]):
            row = where[at, m] + ((held[moving[m, 0]] >> moving[m, 1]) & _STREAM)
            a += ends[row, 0]
            b += ends[row, 1]
        for k in range(links.shape[0]):
            leaves, enters = held[links[k, 0]] & _STREAM, (held[links[k, 1]] >> _U16) & _STREAM
            row = links[k, 2] + leaves * links[k, 3] + enters
            a += joins[row, 0]
            b += joins[row, 1]
        out[i, 0] = intervals[at]
        out[i, 1], out[i, 2] = a >> low[0], a & brams
        out[i, 3], out[i, 4], out[i, 5] = (b & blocks) >> low[2], b >> low[1], b & urams
