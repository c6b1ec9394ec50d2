"""Handlers of pooling and of reductions. k is the number of elements of a window."""

from __future__ import annotations

from typing import Any

from costmodel.domain import FLOAT
from costmodel.ledger.ledger import Window
from costmodel.trace.affine import Step
from costmodel.trace.arguments import node_of, numel
from costmodel.trace.domains import classify_literal
from costmodel.trace.graph import Constant
from costmodel.trace.lower import Lowering, window
from costmodel.trace.values import Value


def max_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[n, c, p] = max over k of x[n, c, p * stride + k]: k - 1 comparisons
    if ":" in value.op:
        state.unknown(value, "the indices of a max pool are used")
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
    _, _, stride, padding, _, include_pad, divisor = (*args, *(None, None, (), 0, False, True, None)[len(args) :])
    geometry = window(kernel, stride, padding, 1)
    # A window that reaches over the border may be divided by fewer elements than the others.
    inside = all((o - 1) * s + k <= n + 2 * p for o, s, k, n, p in zip(
        value.shape[2:], geometry.stride, kernel, state.shape(args[0])[2:], geometry.padding, strict=True))  # fmt: skip
    even = divisor is not None or (inside and (include_pad or not any(geometry.padding)))
    _mean(state, value, node_of(state, args[0]), numel(kernel), "avg_pool", "avgpool", geometry, divisor, even=even)


def adaptive_avg_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    size_in, size_out = state.shape(args[0])[2:], value.shape[2:]
    if any(i % o for i, o in zip(size_in, size_out, strict=True)):
        state.unknown(value, "adaptive average pooling with windows of unequal size")
        return
    kernel = tuple(i // o for i, o in zip(size_in, size_out, strict=True))
    whole = all(o == 1 for o in size_out)
    geometry = window(kernel, kernel, 0, 1)
    name, tag = ("gap", "gap") if whole else ("avg_pool", "avgpool")
    _mean(state, value, node_of(state, args[0]), numel(kernel), name, tag, geometry)


def mean(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    shape = state.shape(args[0])
    count = numel(shape) // max(1, numel(value.shape))
    dims = args[1] if len(args) > 1 and isinstance(args[1], tuple) else tuple(range(len(shape)))
    spatial = len(shape) > 2 and {d % len(shape) for d in dims} == set(range(2, len(shape)))
    geometry = window(shape[2:], shape[2:], 0, 1) if spatial else None
    name, tag = ("gap", "gap") if spatial else ("mean", "other")
    _mean(state, value, node_of(state, args[0]), count, name, tag, geometry, args=args)


def _mean(state: Lowering, value: Value, x: int, count: int, op: str, tag: str, geometry: Window | None,
          divisor: int | None = None, **attrs: Any) -> None:  # fmt: skip
    """The sum of ``count`` elements over ``divisor``, which is their number if it is not given."""
    attrs = {"count": count, **attrs}
    total = state.emit(value, op, (x,), window=geometry, attrs=attrs, domain=FLOAT, tags=(tag,))
    factor = 1.0 / (divisor or count)
    if factor != 1.0:
        literal = Constant(-1, (), classify_literal(factor), factor)
        state.affine(value, total, Step("mul", (literal,), tag))


def reduce(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # sum, max, min, ... over some dimensions
    if ":" in value.op:
        state.unknown(value, "the indices of a reduction are used")
        return
    count = numel(state.shape(args[0])) // max(1, numel(value.shape))
    name = value.op.split(".")[1]
    fn = "add" if name in ("sum", "nansum") else "compare" if name in ("amax", "amin", "max", "min") else name
    if fn not in ("add", "compare"):
        state.unknown(value)
        return
    attrs = {"fn": fn, "count": count, "name": name, "args": args}
    state.emit(value, "reduce", (node_of(state, args[0]),), attrs=attrs, tags=("other",))


def statistics(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    count = numel(state.shape(args[0])) // max(1, numel(value.shape))
    state.emit(value, "variance", (node_of(state, args[0]),), attrs={"count": count}, tags=("normalize",))
