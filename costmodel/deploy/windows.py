"""Pooling, reductions and what is computed from the statistics of a map. Maps are ``[n, c, ...]``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from costmodel.deploy.program import Array, Instruction
from costmodel.deploy.tally import Tally, count, executes


def windows(i: Instruction, x: Array, fill: Any) -> Array:
    """All windows: ``[n, c, *maps]`` -> ``[n, c, *out, *kernel]`` (a view); past every border stands ``fill``.

    The last window of a dimension may reach beyond the padding (``ceil_mode``): the shape of the result decides.
    """
    kernel, stride, padding = i.params["kernel"], i.params["stride"], i.params["padding"]
    dilation = i.params.get("dilation") or [1] * len(kernel)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if len(i.shape) == x.ndim:
        out = list(i.shape[2:])
    else:
        out = [(n + 2 * p - r) // s + 1 for n, p, r, s in zip(x.shape[2:], padding, reach, stride, strict=True)]
    behind = [(o - 1) * s + r - n - p for o, s, r, n, p in zip(out, stride, reach, x.shape[2:], padding, strict=True)]
    if any(padding) or max(behind) > 0:
        widths = [(0, 0), (0, 0), *((p, max(0, b)) for p, b in zip(padding, behind, strict=True))]
        x = np.pad(x, widths, constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, tuple(reach), tuple(range(2, x.ndim)))
    chosen = [slice(0, (o - 1) * s + 1, s) for o, s in zip(out, stride, strict=True)]
    return view[(slice(None), slice(None), *chosen, *(slice(None, None, d) for d in dilation))]


def _fold(fn: Any, view: Array, rank: int) -> Array:
    """Tap by tap, which reads memory in order; the taps are the last ``rank`` dimensions."""
    first, *rest = np.ndindex(view.shape[-rank:])
    result = view[(..., *first)].copy()
    for tap in rest:
        fn(result, view[(..., *tap)], out=result)
    return result


@executes("max_pool")
def max_pool(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    (value,) = x
    kernel = i.params["kernel"]
    lowest = -np.inf if value.dtype.kind == "f" else np.iinfo(value.dtype).min
    flat = len(kernel) == 2 and value.ndim == 4 and value.dtype == np.int64  # narrower ones are as fast tap by tap
    result = _largest(i, value, lowest) if flat else _fold(np.maximum, windows(i, value, lowest), len(kernel))
    count(tally, i, "compare", result.size * (math.prod(kernel) - 1))
    return result


def _largest(i: Instruction, x: Array, lowest: float) -> Array:
    from costmodel.deploy.kernels import max_windows

    shape = windows(i, x[:1, :1], lowest).shape[2:4]
    out = np.empty((*x.shape[:2], *shape), x.dtype)
    kernel, stride, padding = (tuple(i.params[name]) for name in ("kernel", "stride", "padding"))
    dilation = tuple(i.params.get("dilation") or (1, 1))
    max_windows(np.ascontiguousarray(x), kernel, stride, padding, dilation, x.dtype.type(lowest), out)
    return out


@executes("pooled_sum")
def pooled_sum(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """Sums of windows; the mean is the sum and a scale behind it."""
    (value,) = x
    kernel = i.params["kernel"]
    if tuple(kernel) == value.shape[2:] and not any(i.params["padding"]):
        result = value.sum(tuple(range(2, value.ndim)), dtype=value.dtype)
    else:
        result = _fold(np.add, windows(i, value, 0), len(kernel))
    count(tally, i, "add", math.prod(result.shape[:2]) * _covered(i, value, result.shape[2:]) - result.size)
    return result.reshape((value.shape[0], *i.shape[1:]))


def _covered(i: Instruction, x: Array, out: tuple[int, ...]) -> int:
    """Elements of all windows of one map, the padding's zeros included; what lies beyond the padding is not added."""
    total = 1
    sizes = out or (1,) * len(i.params["kernel"])
    for o, s, k, n, p in zip(sizes, i.params["stride"], i.params["kernel"], x.shape[2:], i.params["padding"],
                             strict=True):  # fmt: skip
        total *= sum(min(at * s + k, n + 2 * p) - at * s for at in range(o))
    return total


@executes("reduced")
def reduced(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """Sum, maximum or minimum along the dimensions ``axes``."""
    (value,) = x
    name, axes = i.params["fn"], tuple(i.params["axes"])
    extreme = np.max if name == "max" else np.min
    result = value.sum(axes, dtype=value.dtype) if name == "sum" else extreme(value, axes)
    terms = math.prod(value.shape[a] for a in axes)
    count(tally, i, "add" if name == "sum" else "compare", result.size * (terms - 1))
    return np.asarray(result).reshape((value.shape[0], *i.shape[1:]))


@executes("norm_real")
def norm_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """Every group of elements less its mean, over its deviation; then a gain and a bias if there are any."""
    (value,) = x
    rows = value.reshape((value.shape[0] * i.params["groups"], -1))
    distance = rows - rows.mean(1, keepdims=True)
    root = 1.0 / np.sqrt((distance**2).mean(1, keepdims=True) + i.params["eps"])
    result = (distance * root).reshape(value.shape) * i.arrays.get("weight", 1.0) + i.arrays.get("bias", 0.0)
    gain, shift = i.params["charged"]
    n, g = value.size, root.size  # sums n - g twice, g and n scaled, n squared, n centred, g with eps
    count(tally, i, "mul", 2 * n + 2 * g + n * gain)
    count(tally, i, "add", 3 * n - g + n * shift)
    count(tally, i, "special", g)
    return np.asarray(result)


@executes("softmax_real")
def softmax_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """Softmax along ``axis``, or its logarithm."""
    (value,) = x
    distance = value - value.max(i.params["axis"], keepdims=True)
    powers = np.exp(distance)
    total = powers.sum(i.params["axis"], keepdims=True)
    n, g = value.size, total.size
    count(tally, i, "compare", n - g)
    count(tally, i, "special", n + g)  # an exponential each, a reciprocal or logarithm for all
    count(tally, i, "add", (3 if i.params["log"] else 2) * n - g)
    count(tally, i, "mul", 0 if i.params["log"] else n)
    return np.asarray(distance - np.log(total) if i.params["log"] else powers / total)
