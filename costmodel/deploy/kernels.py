"""The inner loops of the integer executor, compiled by numba.

Signs are packed 64 to a word, bit 1 for +1. With ``n`` the number of bits, the sum of products of two vectors of signs
is ``n - 2 popcount(a xor b)``. Zero padding contributes nothing to a convolution, but a cleared bit stands for -1: at a
border the taps that fall outside are taken back, ``n`` being the bits of the taps inside (the valid taps).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from costmodel.deploy.program import Array

WORD = 64


def _count_bits(typing_context: Any, word: Any) -> Any:
    """Number of set bits of a 64-bit word; one machine instruction, on vectors where the machine has it."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), build


_popcount: Any = intrinsic(_count_bits)


@njit(cache=True, nogil=True)
def pack_signs(signs: Array) -> Array:
    """Signs ``[n, c, h, w]`` (int8, positive is bit 1) -> words ``[n, h, w, ceil(c / 64)]``."""
    n, c, h, w = signs.shape
    words = np.zeros((n, h, w, (c + WORD - 1) // WORD), np.uint64)
    for i in range(n):
        for channel in range(c):
            word, bit = channel // WORD, np.uint64(channel % WORD)
            for y in range(h):
                for x in range(w):
                    words[i, y, x, word] |= np.uint64(signs[i, channel, y, x] > 0) << bit
    return words


@njit(cache=True, nogil=True)
def gather(words: Array, image: int, row: int, kernel: tuple[int, int], stride: tuple[int, int],
           pads: tuple[int, int], dilation: tuple[int, int], patches: Array, inside: Array) -> None:  # fmt: skip
    """The windows of one row of outputs, ``[w_out, kh * kw * words]``, and how many taps of each lie in the map."""
    h, w, count = words.shape[1], words.shape[2], words.shape[3]
    for x in range(patches.shape[0]):
        inside[x] = 0
        place = 0
        for ky in range(kernel[0]):
            iy = row * stride[0] - pads[0] + ky * dilation[0]
            for kx in range(kernel[1]):
                ix = x * stride[1] - pads[1] + kx * dilation[1]
                if 0 <= iy < h and 0 <= ix < w:
                    for j in range(count):
                        patches[x, place + j] = words[image, iy, ix, j]
                    inside[x] += 1
                else:
                    for j in range(count):
                        patches[x, place + j] = np.uint64(0)
                place += count


@njit(cache=True, nogil=True)
def take_back(sums: Array, ones: Array, size: tuple[int, int], row: int, x: int, kernel: tuple[int, int],
              stride: tuple[int, int], pads: tuple[int, int], dilation: tuple[int, int]) -> None:  # fmt: skip
    """Of the differing bits of window ``x``, those that its cleared taps outside the map counted."""
    for ky in range(kernel[0]):
        iy = row * stride[0] - pads[0] + ky * dilation[0]
        for kx in range(kernel[1]):
            ix = x * stride[1] - pads[1] + kx * dilation[1]
            if not (0 <= iy < size[0] and 0 <= ix < size[1]):
                for c in range(sums.shape[1]):
                    sums[x, c] -= np.uint64(ones[ky * kernel[1] + kx, c])


@njit(cache=True, nogil=True)
def xnor_row(patches: Array, weights: Array, out: Array) -> None:
    """Differing bits of every window with every filter: ``[w, k]`` with ``[k, c_out]`` -> ``[w, c_out]``."""
    k, c_out = weights.shape
    w = patches.shape[0]
    for x in range(0, w - 3, 4):
        o0, o1, o2, o3 = out[x], out[x + 1], out[x + 2], out[x + 3]
        for c in range(c_out):
            o0[c] = 0
            o1[c] = 0
            o2[c] = 0
            o3[c] = 0
        j = 0
        while j + 3 <= k:  # three words at a time, so that the sums are read and written a third as often
            p0, p1, p2, p3 = patches[x, j], patches[x + 1, j], patches[x + 2, j], patches[x + 3, j]
            q0, q1, q2, q3 = patches[x, j + 1], patches[x + 1, j + 1], patches[x + 2, j + 1], patches[x + 3, j + 1]
            r0, r1, r2, r3 = patches[x, j + 2], patches[x + 1, j + 2], patches[x + 2, j + 2], patches[x + 3, j + 2]
            first, second, third = weights[j], weights[j + 1], weights[j + 2]
            for c in range(c_out):
                u, v, t = first[c], second[c], third[c]
                o0[c] += _popcount(p0 ^ u) + _popcount(q0 ^ v) + _popcount(r0 ^ t)
                o1[c] += _popcount(p1 ^ u) + _popcount(q1 ^ v) + _popcount(r1 ^ t)
                o2[c] += _popcount(p2 ^ u) + _popcount(q2 ^ v) + _popcount(r2 ^ t)
                o3[c] += _popcount(p3 ^ u) + _popcount(q3 ^ v) + _popcount(r3 ^ t)
            j += 3
        while j < k:
            p0, p1, p2, p3 = patches[x, j], patches[x + 1, j], patches[x + 2, j], patches[x + 3, j]
            row = weights[j]
            for c in range(c_out):
                word = row[c]
                o0[c] += _popcount(p0 ^ word)
                o1[c] += _popcount(p1 ^ word)
                o2[c] += _popcount(p2 ^ word)
                o3[c] += _popcount(p3 ^ word)
            j += 1
    for x in range(w - w % 4, w):
        o0 = out[x]
        for c in range(c_out):
            o0[c] = 0
        for j in range(k):
            p0 = patches[x, j]
            row = weights[j]
            for c in range(c_out):
                o0[c] += _popcount(p0 ^ row[c])


@njit(cache=True, nogil=True)
def and_row(patches: Array, weights: Array, out: Array) -> None:
    """Common set bits of every window with every filter, twice, less the set bits of the window: the 0/1 by ±1 sum."""
    k, c_out = weights.shape
    for x in range(patches.shape[0]):
        row = out[x]
        for c in range(c_out):
            row[c] = 0
        ones = np.uint64(0)
        for j in range(k):
            word = patches[x, j]
            ones += _popcount(word)
            filters = weights[j]
            for c in range(c_out):
                row[c] += np.uint64(2) * _popcount(word & filters[c])
        for c in range(c_out):
            row[c] -= ones


@njit(cache=True, nogil=True)
def xnor_conv(words: Array, weights: Array, ones: Array, channels: int, kernel: tuple[int, int],
              stride: tuple[int, int], pads: tuple[int, int], dilation: tuple[int, int], zero: bool,
              out: Array) -> None:  # fmt: skip
    """Packed maps ``[n, h, w, words]`` with filters ``[kh * kw * words, c_out]`` -> sums ``[n, c_out, h_out, w_out]``.

    ``ones [kh * kw, c_out]`` are the set bits of each tap of each filter; ``zero``: a cleared bit of a map is 0.
    """
    n, c_out, h_out, w_out = out.shape
    taps = kernel[0] * kernel[1]
    patches = np.empty((w_out, weights.shape[0]), np.uint64)
    inside = np.empty(w_out, np.int64)
    sums = np.empty((w_out, c_out), np.uint64)
    size = (words.shape[1], words.shape[2])
    for image in range(n):
        for y in range(h_out):
            gather(words, image, y, kernel, stride, pads, dilation, patches, inside)
            if zero:
                and_row(patches, weights, sums)
                for c in range(c_out):
                    for x in range(w_out):
                        out[image, c, y, x] = np.int32(np.int64(sums[x, c]))
                continue
            xnor_row(patches, weights, sums)
            for x in range(w_out):
                if inside[x] < taps:
                    take_back(sums, ones, size, y, x, kernel, stride, pads, dilation)
            for c in range(c_out):
                row = out[image, c, y]
                for x in range(w_out):
                    row[x] = np.int32(inside[x] * channels - 2 * np.int64(sums[x, c]))


@njit(cache=True, nogil=True)
def add_or_subtract(columns: Array, masks: Array) -> Array:
    """``[m, k]`` integers with ``[k, o]`` masks (0 adds, -1 subtracts) -> sums ``[m, o]``; no product is formed."""
    m, k = columns.shape
    o = masks.shape[1]
    out = np.zeros((m, o), np.int64)
    for r in range(m):
        row = out[r]
        for j in range(k):
            value = columns[r, j]
            mask = masks[j]
            for c in range(o):
                row[c] += (value ^ mask[c]) - mask[c]
    return out


@njit(cache=True, nogil=True)
def max_windows(x: Array, kernel: tuple[int, int], stride: tuple[int, int], pads: tuple[int, int],
                dilation: tuple[int, int], lowest: Any, out: Array) -> None:  # fmt: skip
    """The largest element of every window of maps ``[n, c, h, w]``, ``lowest`` where nothing lies in the map.

    Rows of a window first, which reads memory in order, then its columns.
    """
    n, c, h_out, w_out = out.shape
    h, w = x.shape[2], x.shape[3]
    before = pads[1]
    width = max((w_out - 1) * stride[1] + dilation[1] * (kernel[1] - 1) + 1, before + w)
    tallest = np.empty(width, x.dtype)
    for i in range(n):
        for channel in range(c):
            for y in range(h_out):
                tallest[:] = lowest
                middle = tallest[before : before + w]
                for ky in range(kernel[0]):
                    iy = y * stride[0] - pads[0] + ky * dilation[0]
                    if 0 <= iy < h:
                        row = x[i, channel, iy]
                        for at in range(w):
                            middle[at] = max(middle[at], row[at])
                best = out[i, channel, y]
                for at in range(w_out):
                    value = tallest[at * stride[1]]
                    for kx in range(1, kernel[1]):
                        value = max(value, tallest[at * stride[1] + kx * dilation[1]])
                    best[at] = value


@njit(cache=True, nogil=True)
def depthwise(x: Array, weight: Array, stride: tuple[int, int], pads: tuple[int, int], dilation: tuple[int, int],
              out: Array) -> None:  # fmt: skip
    """Real maps ``[n, c, h, w]`` with ``[o, kh, kw]`` filters, ``o / c`` of them a channel -> ``out [n, o, h, w]``."""
    n, o, h_out, w_out = out.shape
    h, w = x.shape[2], x.shape[3]
    each = o // x.shape[1]
    step = stride[1]
    for i in range(n):
        for filters in range(o):
            rows = x[i, filters // each]
            for y in range(h_out):
                sums = out[i, filters, y]
                sums[:] = 0.0
                for ky in range(weight.shape[1]):
                    iy = y * stride[0] - pads[0] + ky * dilation[0]
                    if iy < 0 or iy >= h:
                        continue
                    for kx in range(weight.shape[2]):
                        factor = weight[filters, ky, kx]
                        shift = kx * dilation[1] - pads[1]
                        first = max(0, (step - 1 - shift) // step)
                        last = max(first, min(w_out, (w - 1 - shift) // step + 1))
                        inside = sums[first:last]
                        if step == 1:
                            row = rows[iy, first + shift : last + shift]
                            for at in range(len(inside)):
                                inside[at] += row[at] * factor
                        else:
                            for at in range(len(inside)):
                                inside[at] += rows[iy, (first + at) * step + shift] * factor
