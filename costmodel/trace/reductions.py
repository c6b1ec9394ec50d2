"""Rules of what makes one number of many: sums, extremes, statistics. r results are made of n elements."""

from __future__ import annotations

import math
from typing import Any

from costmodel.graph.attrs import Call, Reduce, Stated, Variance
from costmodel.graph.domain import FLOAT, FLOAT_BITS
from costmodel.graph.vocabulary import Kind, Row
from costmodel.trace.arguments import axes_of, node_of, numel, online_inputs
from costmodel.trace.lowering import Lowering, window
from costmodel.trace.rules import UncoveredError, counts
from costmodel.trace.sums import product_of_elements
from costmodel.trace.values import Value
from costmodel.trace.windows import mean_of


@counts("mean")
def mean(state: Lowering, value: Value, x: Any, dim: Any = None) -> None:
    shape = state.shape(x)
    count = numel(shape) // max(1, numel(value.shape))
    axes = axes_of(dim, len(shape))
    spatial = len(shape) > 2 and set(axes) == set(range(2, len(shape)))
    geometry = window(shape[2:], shape[2:], 0, 1) if spatial else None
    name, tag = ("gap", "gap") if spatial else ("mean", "other")
    mean_of(state, value, node_of(state, x), count, name, tag, geometry, axes=axes)


@counts("sum", "nansum")
def total(state: Lowering, value: Value, x: Any, dim: Any = None) -> None:
    if value.fn != "sum" or not product_of_elements(state, value, x, dim):
        _reduce(state, value, x, dim, "add")


@counts("amax", "amin", "max", "min", "argmax", "argmin", "aminmax")
def extreme(state: Lowering, value: Value, x: Any, dim: Any = None) -> None:
    if value.fn == "aminmax" or not _by_product(state, value, x):
        _reduce(state, value, x, dim, "compare")


@counts("any", "all")
def quantifier(state: Lowering, value: Value, x: Any, dim: Any = None) -> None:
    _reduce(state, value, x, dim, "and")


@counts("prod")
def product(state: Lowering, value: Value, x: Any, dim: Any = None) -> None:
    _reduce(state, value, x, dim, "mul")


def _reduce(state: Lowering, value: Value, x: Any, dim: Any, kind: Kind) -> None:
    # n - r additions, comparisons, ...
    count = numel(state.shape(x)) // max(1, numel(value.shape))
    attrs = Reduce(kind, count, value.fn, axes_of(dim, len(state.shape(x))))
    state.emit(value, "reduce", (node_of(state, x),), attrs=attrs, tags=("other",))


def _by_product(state: Lowering, value: Value, x: Any) -> bool:
    """The second result of an operation whose first one is computed as well, such as the place of a maximum."""
    if not value.output or value.id - value.output not in state.names:
        return False
    state.emit(value, "gather", (node_of(state, x),), attrs=Call(value.fn))
    return True


@counts("var", "std", "var_mean", "std_mean")
def statistics(
    state: Lowering, value: Value, x: Any, dim: Any = None, correction: Any = None, unbiased: Any = None
) -> None:
    shape = state.shape(x)
    count = numel(shape) // max(1, numel(value.shape))
    if value.output:  # the mean next to a variance
        if not _by_product(state, value, x):
            axes = axes_of(dim, len(shape))
            mean_of(state, value, node_of(state, x), count, "mean", "other", None, axes=axes)
        return
    attrs = Variance(count, root=value.fn.startswith("std"))
    state.emit(value, "variance", (node_of(state, x),), attrs=attrs, tags=("normalize",))


@counts("cumsum", "cumprod")
def cumulative(state: Lowering, value: Value, x: Any, dim: int) -> None:
    # y[i] = y[i - 1] + x[i]: one operation for every element but the first along the dimension
    lanes = numel(value.shape) // max(1, value.shape[dim]) if value.shape else 1
    kind: Kind = "mul" if value.fn == "cumprod" else "add"
    acc = FLOAT_BITS if kind == "add" else 0
    stated(state, value, Row(kind, "other", numel(value.shape) - lanes, FLOAT_BITS, FLOAT_BITS, acc))


@counts("linalg_vector_norm")
def vector_norm(state: Lowering, value: Value, x: Any, ord: float, dim: Any) -> None:
    # (sum over n of abs(x) ** p) ** (1 / p)
    n, r = numel(state.shape(x)), max(1, numel(value.shape))
    if ord == 2:
        rows = [Row("mul", "normalize", n, FLOAT_BITS, FLOAT_BITS), Row("add", "normalize", n - r, *[FLOAT_BITS] * 3),
                Row("special", "normalize", r, FLOAT_BITS, 0)]  # fmt: skip
    elif ord == 1:
        rows = [Row("signflip", "normalize", n, FLOAT_BITS, 1), Row("add", "normalize", n - r, *[FLOAT_BITS] * 3)]
    elif math.isinf(ord):
        rows = [Row("signflip", "normalize", n, FLOAT_BITS, 1),
                Row("compare", "normalize", n - r, FLOAT_BITS, FLOAT_BITS)]  # fmt: skip
    else:
        raise UncoveredError(f"its rule does not cover a norm of order {ord}")
    stated(state, value, *rows)


@counts("norm")
def norm(state: Lowering, value: Value, x: Any, p: float | None = 2, dim: Any = None) -> None:
    vector_norm(state, value, x, 2 if p is None else p, dim)


@counts("logsumexp")
def log_sum_exp(state: Lowering, value: Value, x: Any, dim: Any) -> None:
    # log(sum of exp(x - max)) + max
    n, r = numel(state.shape(x)), max(1, numel(value.shape))
    stated(
        state, value, Row("compare", "activation", n - r, FLOAT_BITS, FLOAT_BITS),
        Row("special", "activation", n + r, FLOAT_BITS, 0), Row("add", "activation", 2 * n, *[FLOAT_BITS] * 3),
    )  # fmt: skip


@counts("_euclidean_dist")
def euclidean(state: Lowering, value: Value, x1: Any, x2: Any) -> None:
    distances(state, value, x1, x2, 2)


@counts("_cdist_forward")
def distances(state: Lowering, value: Value, x1: Any, x2: Any, p: float) -> None:
    # y[i, j] = norm of x1[i] - x2[j]
    width, pairs = state.shape(x1)[-1], numel(value.shape)
    terms = pairs * width
    add = Row("add", "other", 2 * terms - pairs, *[FLOAT_BITS] * 3)
    if p == 1:
        rows = [Row("signflip", "other", terms, FLOAT_BITS, 1), add]
    elif p == 2:
        rows = [Row("mul", "other", terms, FLOAT_BITS, FLOAT_BITS), add, Row("special", "other", pairs, FLOAT_BITS, 0)]
    else:
        raise UncoveredError(f"its rule does not cover distances of order {p}")
    stated(state, value, *rows)


def stated(state: Lowering, value: Value, *rows: Row) -> None:
    """A node whose charges the rule knows."""
    state.emit(value, "stated", online_inputs(state, value), domain=FLOAT, attrs=Stated(value.fn, rows))
