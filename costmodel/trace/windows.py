"""Handlers of pooling. k is the number of elements of a window."""

from __future__ import annotations

from typing import Any

import torch

from costmodel.graph.affine import Step, literal_constant
from costmodel.graph.attrs import Call, Pool, Stated
from costmodel.graph.domain import FLOAT
from costmodel.graph.operands import Window
from costmodel.graph.vocabulary import Row
from costmodel.trace.arguments import function_of, node_of, numel
from costmodel.trace.lowering import Lowering, window
from costmodel.trace.resample import uneven_pool
from costmodel.trace.values import Value


def max_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[n, c, p] = max over k of x[n, c, p * stride + k]: k - 1 comparisons
    if ":" in value.op and value.id - 1 in state.names:  # where the maximum was found
        state.emit(value, "gather", (node_of(state, args[0]),), attrs=Call(function_of(value)))
        return
    kernel, stride = args[1], args[2] if len(args) > 2 else ()
    padding = args[3] if len(args) > 3 else 0
    geometry = window(_pair(kernel, value), stride, padding, args[4] if len(args) > 4 else 1)
    source = node_of(state, args[0])
    state.emit(value, "max_pool", (source,), window=geometry, domain=state.domain_of(source), tags=("maxpool",))


def _pair(kernel: Any, value: Value) -> tuple[int, ...]:
    sizes: tuple[int, ...] = tuple(kernel) if isinstance(kernel, (list, tuple)) else (kernel,)
    spatial = len(value.shape) - 2
    return sizes * spatial if len(sizes) == 1 else sizes


def avg_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[n, c, p] = 1 / k * sum over k of x[n, c, p * stride + k]: k - 1 additions and one scale
    kernel = _pair(args[1], value)
    defaults: tuple[Any, ...] = (None, None, (), 0, False, True, None)
    _, _, stride, padding, _, include_pad, divisor = (*args, *defaults[len(args) :])
    geometry = window(kernel, stride, padding, 1)
    # A window that reaches over the border may be divided by fewer elements than the others.
    inside = all((o - 1) * s + k <= n + 2 * p for o, s, k, n, p in zip(
        value.shape[2:], geometry.stride, kernel, state.shape(args[0])[2:], geometry.padding, strict=True))  # fmt: skip
    even = divisor is not None or (inside and (include_pad or not any(geometry.padding)))
    covered = 1  # elements of all windows, the padding's zeros included, what lies beyond them not
    for o, s, k, n, p in zip(
        value.shape[2:], geometry.stride, kernel, state.shape(args[0])[2:], geometry.padding, strict=True
    ):
        covered *= sum(min(i * s + k, n + 2 * p) - i * s for i in range(o))
    additions = numel(value.shape[:2]) * covered - numel(value.shape)
    source, count = node_of(state, args[0]), numel(kernel)
    if even:
        mean_of(state, value, source, count, "avg_pool", "avgpool", geometry, divisor, additions=additions)
        return
    total = state.emit(value, "avg_pool", (source,), window=geometry, attrs=Pool(count, additions),
                       domain=FLOAT, tags=("avgpool",))  # fmt: skip
    state.affine(value, total, Step("mul", (state.made(_shares(state.shape(args[0])[2:], kernel, args)),), "avgpool"))


def _shares(size: tuple[int, ...], kernel: tuple[int, ...], args: tuple[Any, ...]) -> torch.Tensor:
    """What each window's sum is multiplied by: one over the elements that it is divided by. [1, 1, *out]"""
    pool: Any = torch.nn.functional.avg_pool2d if len(kernel) == 2 else torch.nn.functional.avg_pool3d
    ones = torch.ones((1, 1, *size), dtype=torch.float64)
    result: torch.Tensor = pool(ones, *args[1:6]) / pool(ones, *args[1:6], divisor_override=1)
    return result


def adaptive_max_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # windows from floor(p * size / out) to ceil((p + 1) * size / out), which may overlap and differ in size
    if ":" in value.op and value.id - 1 in state.names:
        state.emit(value, "gather", (node_of(state, args[0]),), attrs=Call(function_of(value)))
        return
    covered = 1
    for size, out in zip(state.shape(args[0])[2:], value.shape[2:], strict=True):
        covered *= sum(-(-(p + 1) * size // out) - p * size // out for p in range(out))
    maps, source = numel(value.shape[:2]), node_of(state, args[0])
    domain = state.domain_of(source)
    row = Row("compare", "maxpool", maps * covered - numel(value.shape), domain.bits, domain.bits)
    state.emit(value, "stated", (source,), domain=domain, attrs=Stated("adaptive_max_pool", (row,)))


def adaptive_avg_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    size_in, size_out = state.shape(args[0])[2:], value.shape[2:]
    if any(i % o for i, o in zip(size_in, size_out, strict=True)):
        uneven_pool(state, value, args)
        return
    kernel = tuple(i // o for i, o in zip(size_in, size_out, strict=True))
    whole = all(o == 1 for o in size_out)
    geometry = window(kernel, kernel, 0, 1)
    name, tag = ("gap", "gap") if whole else ("avg_pool", "avgpool")
    mean_of(state, value, node_of(state, args[0]), numel(kernel), name, tag, geometry)


def mean_of(state: Lowering, value: Value, x: int, count: int, op: str, tag: str, geometry: Window | None,
            divisor: int | None = None, additions: int | None = None, axes: tuple[int, ...] = ()) -> None:  # fmt: skip
    """The sum of ``count`` elements over ``divisor``, which is their number if it is not given."""
    attrs = Pool(count, additions, axes)
    total = state.emit(value, op, (x,), window=geometry, attrs=attrs, domain=FLOAT, tags=(tag,))
    factor = 1.0 / (divisor or count)
    if factor != 1.0:
        literal = literal_constant(factor)
        state.affine(value, total, Step("mul", (literal,), tag))
