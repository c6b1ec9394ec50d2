"""Rules of interpolation and of pooling with windows of unequal size: sums with constant weights, known exactly.

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
from costmodel.trace.arguments import node_of, numel
from costmodel.trace.grids import TOLERANCE
from costmodel.trace.lowering import Lowering
from costmodel.trace.rules import counts
from costmodel.trace.values import Value

_MODES = {"linear": "bilinear", "bilinear": "bilinear", "trilinear": "bilinear", "bicubic": "bicubic"}


@counts("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d",
        "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")  # fmt: skip
def interpolate(
    state: Lowering, value: Value, x: Any, output_size: tuple[int, ...], align_corners: bool,
    scales: float | None = None, scales_d: float | None = None, scales_h: float | None = None,
    scales_w: float | None = None,
) -> None:  # fmt: skip
    # y[n, c, p] = sum over q of x[n, c, q] * weight[p, q], the weights being a product over the dimensions
    mode = _MODES[value.fn.removeprefix("_").removeprefix("upsample_").removesuffix("_aa")[:-2]]
    antialias = value.fn.endswith("_aa")
    spatial = len(value.shape) - 2
    # The factors that were given decide where the samples lie; sizes alone give their own.
    factors = ((scales,) if spatial == 1 else (scales_d, scales_h, scales_w))[-spatial:]

    def weights(size: int, out: int, axis: int) -> Tensor:
        # what the operation makes of each unit impulse along a row
        impulses = torch.eye(size).reshape(1, size, 1, size)
        factor = factors[axis]
        if factor is None:
            row = F.interpolate(impulses, (1, out), mode=mode, align_corners=align_corners, antialias=antialias)
        else:
            row = F.interpolate(impulses, scale_factor=(1.0, factor), mode=mode, align_corners=align_corners,
                                antialias=antialias, recompute_scale_factor=False)  # fmt: skip
        return row.reshape(size, -1).t()

    _separable(state, value, x, weights, "resample", spatial)


def uneven_pool(state: Lowering, value: Value, x: Any, spatial: int) -> None:
    # y[n, c, p] = mean of the inputs from floor(p * size / out) to ceil((p + 1) * size / out)
    def weights(size: int, out: int, axis: int) -> Tensor:
        made = torch.zeros(out, size)
        for p in range(out):
            first, last = p * size // out, -(-(p + 1) * size // out)
            made[p, first:last] = 1.0 / (last - first)
        return made

    _separable(state, value, x, weights, "avgpool", spatial)


def _separable(
    state: Lowering, value: Value, x: Any, weights: Callable[[int, int, int], Tensor], tag: str, spatial: int
) -> None:
    source = node_of(state, x)
    shape = list(state.shape(x))
    counts = {"mul": 0, "shift_const": 0, "add": 0}
    first = len(shape) - spatial
    for axis in reversed(range(spatial)):
        rest = numel(tuple(shape)) // shape[first + axis]
        matrix = weights(shape[first + axis], value.shape[first + axis], axis).abs()
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
        shape[first + axis] = value.shape[first + axis]
    rows = (Row("mul", tag, counts["mul"], FLOAT_BITS, FLOAT_BITS),
            Row("shift_const", tag, counts["shift_const"], FLOAT_BITS, 0),
            Row("add", tag, counts["add"], FLOAT_BITS, FLOAT_BITS, FLOAT_BITS))  # fmt: skip
    state.emit(value, "resample", (source,), domain=FLOAT, attrs=Stated(value.fn, rows), tags=(tag,))
