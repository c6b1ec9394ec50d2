"""Handlers of what makes one number of many: sums, extremes, statistics. r results are made of n elements."""

from __future__ import annotations

import math
from typing import Any

from costmodel.graph.attrs import Call, Reduce, Stated, Variance
from costmodel.graph.domain import FLOAT, FLOAT_BITS
from costmodel.graph.vocabulary import Kind, Row
from costmodel.trace.arguments import function_of, node_of, numel
from costmodel.trace.lowering import Lowering, window
from costmodel.trace.values import Value
from costmodel.trace.windows import mean_of

_ADDS = frozenset({"sum", "nansum"})
_COMPARES = frozenset({"amax", "amin", "max", "min", "argmax", "argmin", "aminmax"})
_ANDS = frozenset({"any", "all"})


def mean(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    shape = state.shape(args[0])
    count = numel(shape) // max(1, numel(value.shape))
    dims = args[1] if len(args) > 1 and isinstance(args[1], tuple) else tuple(range(len(shape)))
    spatial = len(shape) > 2 and {d % len(shape) for d in dims} == set(range(2, len(shape)))
    geometry = window(shape[2:], shape[2:], 0, 1) if spatial else None
    name, tag = ("gap", "gap") if spatial else ("mean", "other")
    axes = () if len(dims) == len(shape) else tuple(d % len(shape) for d in dims)
    mean_of(state, value, node_of(state, args[0]), count, name, tag, geometry, axes=axes)


def reduce(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # n - r additions or comparisons
    name = value.op.split(".")[1]
    if ":" in value.op and name != "aminmax" and by_product(state, value, args):
        return
    count = numel(state.shape(args[0])) // max(1, numel(value.shape))
    fn: Kind = "add" if name in _ADDS else "compare" if name in _COMPARES else "and" if name in _ANDS else "mul"
    given = args[1] if len(args) > 1 and not isinstance(args[1], bool) else ()
    axes = given if isinstance(given, tuple) else () if given is None else (given,)
    rank = len(state.shape(args[0]))
    attrs = Reduce(fn, count, name, tuple(a % rank for a in axes))
    state.emit(value, "reduce", (node_of(state, args[0]),), attrs=attrs, tags=("other",))


def by_product(state: Lowering, value: Value, args: tuple[Any, ...]) -> bool:
    """The second result of an operation whose first one is computed as well, such as the place of a maximum."""
    first = value.id - int(value.op.rsplit(":", 1)[1])
    if first not in state.names:
        return False
    state.emit(value, "gather", (node_of(state, args[0]),), attrs=Call(function_of(value)))
    return True


def statistics(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    count = numel(state.shape(args[0])) // max(1, numel(value.shape))
    if ":" in value.op:  # the mean beside a variance
        if not by_product(state, value, args):
            mean_of(state, value, node_of(state, args[0]), count, "mean", "other", None)
        return
    attrs = Variance(count, root=function_of(value).startswith("std"))
    state.emit(value, "variance", (node_of(state, args[0]),), attrs=attrs, tags=("normalize",))


def cumulative(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[i] = y[i - 1] + x[i]: one operation for every element but the first along the dimension
    lanes = numel(value.shape) // value.shape[args[1]] if value.shape else 1
    kind: Kind = "mul" if "prod" in value.op else "add"
    acc = FLOAT_BITS if kind == "add" else 0
    stated(state, value, args, [Row(kind, "other", numel(value.shape) - lanes, FLOAT_BITS, FLOAT_BITS, acc)])


def vector_norm(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # (sum over n of abs(x) ** p) ** (1 / p)
    order = 2 if len(args) < 2 or args[1] is None else args[1]
    n, r = numel(state.shape(args[0])), max(1, numel(value.shape))
    if order == 2:
        rows = [Row("mul", "normalize", n, FLOAT_BITS, FLOAT_BITS), Row("add", "normalize", n - r, *[FLOAT_BITS] * 3),
                Row("special", "normalize", r, FLOAT_BITS, 0)]  # fmt: skip
    elif order == 1:
        rows = [Row("signflip", "normalize", n, FLOAT_BITS, 1), Row("add", "normalize", n - r, *[FLOAT_BITS] * 3)]
    elif math.isinf(order):
        rows = [Row("signflip", "normalize", n, FLOAT_BITS, 1),
                Row("compare", "normalize", n - r, FLOAT_BITS, FLOAT_BITS)]  # fmt: skip
    else:
        state.unknown(value, f"a norm of order {order}")
        return
    stated(state, value, args, rows)


def log_sum_exp(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # log(sum of exp(x - max)) + max
    n, r = numel(state.shape(args[0])), max(1, numel(value.shape))
    stated(state, value, args, [
        Row("compare", "activation", n - r, FLOAT_BITS, FLOAT_BITS), Row("special", "activation", n + r, FLOAT_BITS, 0),
        Row("add", "activation", 2 * n, *[FLOAT_BITS] * 3)])  # fmt: skip


def distances(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[i, j] = norm of x1[i] - x2[j]
    width, pairs = state.shape(args[0])[-1], numel(value.shape)
    terms = pairs * width
    add = Row("add", "other", 2 * terms - pairs, *[FLOAT_BITS] * 3)
    if args[2] == 1:
        rows = [Row("signflip", "other", terms, FLOAT_BITS, 1), add]
    elif args[2] == 2:
        rows = [Row("mul", "other", terms, FLOAT_BITS, FLOAT_BITS), add, Row("special", "other", pairs, FLOAT_BITS, 0)]
    else:
        state.unknown(value, f"distances of order {args[2]}")
        return
    stated(state, value, args, rows)


def stated(state: Lowering, value: Value, args: tuple[Any, ...], rows: list[Row]) -> None:
    """A node whose charges the handler knows."""
    inputs = tuple(dict.fromkeys(state.names[state.simplified.canonical[i]] for i in value.inputs if
                                 state.simplified.online[state.simplified.canonical[i]]))  # fmt: skip
    state.emit(value, "stated", inputs, domain=FLOAT, attrs=Stated(function_of(value), tuple(rows)))
