"""Handlers of reading and writing by place: lookups, selections by mask, scattered additions."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import torch
import torch.nn.functional as F

from costmodel.graph.attrs import Call, Choose
from costmodel.graph.domain import FLOAT_BITS
from costmodel.graph.vocabulary import Row
from costmodel.trace.arguments import function_of, numel, online_inputs, operands_of
from costmodel.trace.lowering import Lowering
from costmodel.trace.reductions import stated
from costmodel.trace.values import Ref, Value


def where(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # a choice by element; one that is the same for every input is none
    choice = args[1] if "masked_fill" in value.op else args[0]
    attrs = Choose(function_of(value), operands_of(state, value), static=not state.is_online(choice))
    state.emit(value, "where", online_inputs(state, value), attrs=attrs, tags=("other",))


def put(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # x[index] = v or x[index] += v
    indices = [i for i in args[1] if isinstance(i, Ref)]
    masks = [i for i in indices if state.simplified.recording.values[i.id].tensor_dtype == torch.bool]
    if len(args) > 3 and args[3]:
        count = numel(value.shape) if masks else _selected(state, value, args)
        stated(state, value, args, [Row("add", "other", count, *[FLOAT_BITS] * 3)])
    elif any(state.is_online(mask) for mask in masks):
        attrs = Choose("index_put", operands_of(state, value))
        state.emit(value, "where", online_inputs(state, value), attrs=attrs, tags=("other",))
    else:
        state.emit(value, "gather", online_inputs(state, value), attrs=Call(function_of(value)))


def _selected(state: Lowering, value: Value, args: tuple[Any, ...]) -> int:
    """How many elements an index by integers names."""
    shapes = [state.shape(i) if isinstance(i, Ref) else None for i in args[1]]
    given = [s for s in shapes if s is not None]
    places = numel(tuple(max(sizes) for sizes in zip_longest(*(reversed(s) for s in given), fillvalue=1)))
    whole = [size for size, s in zip(value.shape, [*shapes, *[None] * len(value.shape)], strict=False) if s is None]
    return places * numel(tuple(whole))


def scatter_add(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # one addition for every element that is written
    how = value.kwargs.get("reduce", args[4] if len(args) > 4 else "sum")
    if "reduce" in value.op and how not in ("sum", "add"):
        state.unknown(value, f"a scattered reduction by {how}")
        return
    stated(state, value, args, [Row("add", "other", numel(state.shape(args[3])), *[FLOAT_BITS] * 3)])


def move(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.emit(value, "gather", online_inputs(state, value), attrs=Call(function_of(value)))


def lookup(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = table[index]: a table of constants that the input indexes is a memory, anything else moves elements
    table = state.constant(args[0]) if isinstance(args[0], Ref) else None
    if table is None:
        attrs = Call(function_of(value), operands_of(state, value))
        state.emit(value, "gather", online_inputs(state, value), attrs=attrs)
    else:
        state.emit(value, "embedding", online_inputs(state, value), consts={"table": table})


def embedding_bag(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[b] = sum, mean or maximum over the bag of table[index]
    if ":" in value.op:
        state.emit(value, "gather", online_inputs(state, value), attrs=Call(function_of(value)))
        return
    width, results = value.shape[-1], numel(value.shape)
    read = numel(state.shape(args[1])) * width
    mode = args[4] if len(args) > 4 else 0
    rows = [Row("lut", "other", read, FLOAT_BITS, 0)]
    if mode == 2:
        rows.append(Row("compare", "other", read - results, FLOAT_BITS, FLOAT_BITS))
    else:
        rows.append(Row("add", "other", read - results, *[FLOAT_BITS] * 3))
    if mode == 1 and read > results:
        rows.append(Row("mul", "other", results, FLOAT_BITS, FLOAT_BITS))
    stated(state, value, args, rows)


def fold(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = sum of overlapping columns: for each element one addition fewer than columns that cover it
    size, kernel, dilation, padding, stride = args[1:6]
    columns = state.shape(args[0])
    ones = torch.ones(1, numel(kernel), columns[-1])
    cover = F.fold(ones, size, kernel, dilation=dilation, padding=padding, stride=stride)
    channels = numel(value.shape) // numel(tuple(size))
    additions = channels * int((cover - 1).clamp(min=0).sum())
    stated(state, value, args, [Row("add", "other", additions, *[FLOAT_BITS] * 3)])
