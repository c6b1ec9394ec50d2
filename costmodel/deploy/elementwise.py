"""Scale, bias, slope and threshold on integer maps in one pass over memory, compiled by numba.

Maps are ``[n, c, s]``, all positions of a channel behind each other; the constants have one entry per channel. A right
shift rounds half up: the bit that falls off last is added, which in hardware is a carry into the next adder.
"""

from __future__ import annotations

import numpy as np

from costmodel.deploy.program import Array
from costmodel.errors import MissingExtraError

try:
    from numba import njit
except ImportError as error:  # every way to the executor leads through this module
    raise MissingExtraError("running a deployed network", "numba", "deploy") from error


@njit(cache=True, nogil=True)
def shift_add(x: Array, factor: Array, left: Array, bias: Array) -> Array:
    """x * factor * 2^left + bias."""
    out = np.empty(x.shape, np.int64)
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            f, k, b = factor[c], left[c], bias[c]
            if k >= 0:
                for s in range(x.shape[2]):
                    out[i, c, s] = ((np.int64(x[i, c, s]) * f) << k) + b
            else:
                half = np.int64(1) << (-k - 1)
                for s in range(x.shape[2]):
                    out[i, c, s] = ((np.int64(x[i, c, s]) * f + half) >> -k) + b
    return out


@njit(cache=True, nogil=True)
def scale_add(x: Array, scale: Array, bias: Array) -> Array:
    """x * scale rounded to nearest, + bias; ``scale`` are real numbers."""
    out = np.empty(x.shape, np.int64)
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            f, b = scale[c], bias[c]
            for s in range(x.shape[2]):
                out[i, c, s] = np.int64(np.rint(x[i, c, s] * f)) + b
    return out


@njit(cache=True, nogil=True)
def shift_negative(x: Array, factor: Array, left: Array) -> Array:
    """x where x >= 0, else x * factor * 2^left."""
    out = np.empty(x.shape, np.int64)
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            f, k = factor[c], left[c]
            if k >= 0:
                for s in range(x.shape[2]):
                    value = np.int64(x[i, c, s])
                    out[i, c, s] = value if value >= 0 else (value * f) << k
            else:
                half = np.int64(1) << (-k - 1)
                for s in range(x.shape[2]):
                    value = np.int64(x[i, c, s])
                    out[i, c, s] = value if value >= 0 else (value * f + half) >> -k
    return out


@njit(cache=True, nogil=True)
def scale_negative(x: Array, slope: Array) -> Array:
    """x where x >= 0, else x * slope rounded to nearest; ``slope`` are real numbers."""
    out = np.empty(x.shape, np.int64)
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            f = slope[c]
            for s in range(x.shape[2]):
                value = np.int64(x[i, c, s])
                out[i, c, s] = value if value >= 0 else np.int64(np.rint(x[i, c, s] * f))
    return out


@njit(cache=True, nogil=True)
def cut(x: Array, limits: Array, rising: Array, low: int) -> Array:
    """1 from the limit on (rising) or up to it (falling), else ``low``, as int8."""
    out = np.empty(x.shape, np.int8)
    step = 1 - low
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            limit = limits[c]
            if rising[c] > 0:
                for s in range(x.shape[2]):
                    out[i, c, s] = low + step * (x[i, c, s] >= limit)
            else:
                for s in range(x.shape[2]):
                    out[i, c, s] = low + step * (x[i, c, s] <= limit)
    return out


def by_channel(x: Array, *constants: Array) -> tuple[Array, ...] | None:
    """``x`` as ``[n, c, s]`` and each constant as ``[c]``; None where a constant differs within a channel."""
    if x.ndim < 2:
        return None
    channels = x.shape[1]
    rows = []
    for constant in constants:
        along = constant.ndim == x.ndim and constant.size == constant.shape[1] == channels
        if constant.size != 1 and not along:
            return None
        kind = np.float64 if constant.dtype.kind == "f" else np.int64
        rows.append(np.ascontiguousarray(np.broadcast_to(constant.reshape(-1), (channels,)), dtype=kind))
    return (np.ascontiguousarray(x).reshape(x.shape[0], channels, -1), *rows)
