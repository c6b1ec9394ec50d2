"""Handlers of interpolation and of pooling with windows of unequal size: sums with constant weights, known exactly.

Both are separable and are counted one dimension after the other, the last one first, as kernels compute them. Along a
dimension every output is a sum of the inputs that have a weight: a weight of one is free, a power of two shifts, any
other multiplies; ``t`` terms take ``t - 1`` additions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from costmodel.graph.attrs import Stated
from costmodel.graph.domain import FLOAT, FLOAT_BITS
from costmodel.graph.vocabulary import Row
from costmodel.trace.arguments import function_of, node_of, numel
from costmodel.trace.domains import TOLERANCE
from costmodel.trace.lowering import Lowering
from costmodel.trace.values import Value

_MODES = {"linear1d": "linear", "bilinear2d": "bilinear", "trilinear3d": "trilinear", "bicubic2d": "bicubic"}


def interpolate(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[n, c, p] = sum over q of x[n, c, q] * weight[p, q], the weights being a product over the dimensions
    name = value.op.split(".")[1].replace("_aa", "").removeprefix("_").removeprefix("upsample_")
    antialias = "_aa" in value.op
    mode = "bilinear" if _MODES[name] in ("linear", "trilinear") else _MODES[name]
    align = bool(args[2])
    # The factors that were given decide where the samples lie; sizes alone give their own.
    factors = [a for a in args[3:] if isinstance(a, float)]
    spatial = len(value.shape) - 2

    def weights(size: int, out: int, axis: int) -> Tensor:
        # what the operation makes of each unit impulse along a row
        impulses = torch.eye(size).reshape(1, size, 1, size)
        factor = factors[axis] if len(factors) == spatial else None
        if factor is None:
            row = F.interpolate(impulses, (1, out), mode=mode, align_corners=align, antialias=antialias)
        else:
            row = F.interpolate(impulses, scale_factor=(1.0, factor), mode=mode, align_corners=align,
                                antialias=antialias, recompute_scale_factor=False)  # fmt: skip
        return row.reshape(size, -1).t()

    _separable(state, value, args, weights, "resample")


def uneven_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[n, c, p] = mean of the inputs from floor(p * size / out) to ceil((p + 1) * size / out)
    def weights(size: int, out: int, axis: int) -> Tensor:
        made = torch.zeros(out, size)
        for p in range(out):
            first, last = p * size // out, -(-(p + 1) * size // out)
            made[p, first:last] = 1.0 / (last - first)
        return made

    _separable(state, value, args, weights, "avgpool")


def _separable(
    state: Lowering, value: Value, args: tuple[Any, ...], weights: Callable[[int, int, int], Tensor], tag: str
) -> None:
    source = node_of(state, args[0])
    shape = list(state.shape(args[0]))
    counts = {"mul": 0, "shift_const": 0, "add": 0}
    for axis in reversed(range(len(shape) - 2)):
        rest = numel(tuple(shape)) // shape[2 + axis]
        matrix = weights(shape[2 + axis], value.shape[2 + axis], axis).abs()
        used = matrix > TOLERANCE
        if tag == "avgpool":  # all terms of a window have one weight: it multiplies their sum
            matrix, terms = matrix.amax(1, keepdim=True), used.sum(1)
            weighed = matrix > TOLERANCE
        else:
            terms, weighed = used.sum(1), used
        power = torch.exp2(torch.log2(matrix.clamp(min=TOLERANCE)).round())
        is_power = (matrix - power).abs() <= TOLERANCE * power
        unit = is_power & (power == 1)
        counts["add"] += rest * int((terms - 1).clamp(min=0).sum())
        counts["shift_const"] += rest * int((weighed & is_power & ~unit).sum())
        counts["mul"] += rest * int((weighed & ~is_power).sum())
        shape[2 + axis] = value.shape[2 + axis]
    rows = (Row("mul", tag, counts["mul"], FLOAT_BITS, FLOAT_BITS),
            Row("shift_const", tag, counts["shift_const"], FLOAT_BITS, 0),
            Row("add", tag, counts["add"], FLOAT_BITS, FLOAT_BITS, FLOAT_BITS))  # fmt: skip
    state.emit(value, "resample", (source,), domain=FLOAT, attrs=Stated(function_of(value), rows), tags=(tag,))
