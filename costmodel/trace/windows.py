"""Rules of pooling. k is the number of elements of a window."""

from __future__ import annotations

from typing import Any

import torch

from costmodel.graph.affine import Step, literal_constant
from costmodel.graph.attrs import Call, Pool, Stated
from costmodel.graph.domain import FLOAT
from costmodel.graph.operands import Window
from costmodel.graph.vocabulary import Row
from costmodel.trace.arguments import node_of, numel
from costmodel.trace.lowering import Lowering, window
from costmodel.trace.resample import uneven_pool
from costmodel.trace.rules import counts
from costmodel.trace.values import Value


@counts("max_pool2d_with_indices", "max_pool3d_with_indices", "max_pool2d", "mkldnn_max_pool2d")
def max_pool(
    state: Lowering, value: Value, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> None:
    # y[n, c, p] = max over k of x[n, c, p * stride + k]: k - 1 comparisons
    source = node_of(state, x)
    if _is_place(state, value):
        state.emit(value, "gather", (source,), attrs=Call(value.fn))
        return
    geometry = window(_kernel(kernel_size, value), stride, padding, dilation)
    state.emit(value, "max_pool", (source,), window=geometry, domain=state.domain_of(source), tags=("maxpool",))


def _is_place(state: Lowering, value: Value) -> bool:
    """Whether a value is where the maximum was found, of a pooling that is computed as well."""
    return value.output > 0 and value.id - value.output in state.names


def _kernel(kernel: Any, value: Value) -> tuple[int, ...]:
    sizes: tuple[int, ...] = kernel if isinstance(kernel, tuple) else (kernel,)
    return sizes * (3 if "3d" in value.fn else 2) if len(sizes) == 1 else sizes


@counts("avg_pool2d", "avg_pool3d")
def avg_pool(
    state: Lowering, value: Value, x: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor_override: int | None,
) -> None:  # fmt: skip
    # y[n, c, p] = 1 / k * sum over k of x[n, c, p * stride + k]: k - 1 additions and one scale
    kernel = _kernel(kernel_size, value)
    geometry = window(kernel, stride, padding, 1)
    spatial = len(kernel)
    size_in, size_out = state.shape(x)[-spatial:], value.shape[-spatial:]
    places = list(zip(size_out, geometry.stride, kernel, size_in, geometry.padding, strict=True))
    # A window that reaches over the border may be divided by fewer elements than the others.
    inside = all((o - 1) * s + k <= n + 2 * p for o, s, k, n, p in places)
    even = divisor_override is not None or (inside and (count_include_pad or not any(geometry.padding)))
    covered = 1  # elements of all windows, the padding's zeros included, what lies beyond them not
    for o, s, k, n, p in places:
        covered *= sum(min(i * s + k, n + 2 * p) - i * s for i in range(o))
    additions = numel(value.shape[:-spatial]) * covered - numel(value.shape)
    source, count = node_of(state, x), numel(kernel)
    if even:
        mean_of(state, value, source, count, "avg_pool", "avgpool", geometry, divisor_override, additions=additions)
        return
    total = state.emit(value, "avg_pool", (source,), window=geometry, attrs=Pool(count, additions),
                       domain=FLOAT, tags=("avgpool",))  # fmt: skip
    shares = _shares(size_in, (kernel, stride, padding, ceil_mode, count_include_pad))
    state.affine(value, total, Step("mul", (state.made(shares),), "avgpool"))


def _shares(size: tuple[int, ...], form: tuple[Any, ...]) -> torch.Tensor:
    """What each window's sum is multiplied by: one over the elements that it is divided by. [1, 1, *out]"""
    pool: Any = torch.nn.functional.avg_pool2d if len(size) == 2 else torch.nn.functional.avg_pool3d
    ones = torch.ones((1, 1, *size), dtype=torch.float64)
    result: torch.Tensor = pool(ones, *form) / pool(ones, *form, divisor_override=1)
    return result


@counts("adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_max_pool(state: Lowering, value: Value, x: Any, output_size: tuple[int, ...]) -> None:
    # windows from floor(p * size / out) to ceil((p + 1) * size / out), which may overlap and differ in size
    source, spatial = node_of(state, x), len(output_size)
    if _is_place(state, value):
        state.emit(value, "gather", (source,), attrs=Call(value.fn))
        return
    covered = 1
    for size, out in zip(state.shape(x)[-spatial:], value.shape[-spatial:], strict=True):
        covered *= sum(-(-(p + 1) * size // out) - p * size // out for p in range(out))
    maps = numel(value.shape[:-spatial])
    domain = state.domain_of(source)
    row = Row("compare", "maxpool", maps * covered - numel(value.shape), domain.bits, domain.bits)
    state.emit(value, "stated", (source,), domain=domain, attrs=Stated("adaptive_max_pool", (row,)))


@counts("_adaptive_avg_pool2d", "_adaptive_avg_pool3d")
def adaptive_avg_pool(state: Lowering, value: Value, x: Any, output_size: tuple[int, ...]) -> None:
    spatial = len(output_size)
    size_in, size_out = state.shape(x)[-spatial:], value.shape[-spatial:]
    if any(i % o for i, o in zip(size_in, size_out, strict=True)):
        uneven_pool(state, value, x, spatial)
        return
    kernel = tuple(i // o for i, o in zip(size_in, size_out, strict=True))
    whole = all(o == 1 for o in size_out)
    geometry = window(kernel, kernel, 0, 1)
    name, tag = ("gap", "gap") if whole else ("avg_pool", "avgpool")
    mean_of(state, value, node_of(state, x), numel(kernel), name, tag, geometry)


def mean_of(state: Lowering, value: Value, x: int, count: int, op: str, tag: str, geometry: Window | None,
            divisor: int | None = None, additions: int | None = None, axes: tuple[int, ...] = ()) -> None:  # fmt: skip
    """The sum of ``count`` elements over ``divisor``, which is their number if it is not given."""
    attrs = Pool(count, additions, axes)
    total = state.emit(value, op, (x,), window=geometry, attrs=attrs, domain=FLOAT, tags=(tag,))
    factor = 1.0 / (divisor or count or 1)
    if factor != 1.0:
        state.affine(value, total, Step("mul", (literal_constant(factor),), tag))
