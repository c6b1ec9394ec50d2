"""Rules of reading and writing by place: lookups, selections by mask, scattered additions."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import torch
import torch.nn.functional as F

from costmodel.graph.attrs import Call, Choose
from costmodel.graph.domain import FLOAT_BITS
from costmodel.graph.vocabulary import Row
from costmodel.trace.arguments import numel, online_inputs, operands_of
from costmodel.trace.lowering import Lowering
from costmodel.trace.reductions import stated
from costmodel.trace.rules import UncoveredError, counts
from costmodel.trace.values import Ref, Value


@counts("where")
def where(state: Lowering, value: Value, condition: Any, x: Any, other: Any) -> None:
    _choose(state, value, condition)


@counts("masked_fill")
def masked_fill(state: Lowering, made: Value, x: Any, mask: Any, value: Any) -> None:
    _choose(state, made, mask)


def _choose(state: Lowering, value: Value, choice: Any) -> None:
    # a choice by element; one that is the same for every input is none
    attrs = Choose(value.fn, operands_of(state, value), static=not state.is_online(choice))
    state.emit(value, "where", online_inputs(state, value), attrs=attrs, tags=("other",))


@counts("index_put", "_index_put_impl")
def put(state: Lowering, value: Value, x: Any, indices: tuple[Any, ...], values: Any, accumulate: bool) -> None:
    # x[index] = v or x[index] += v
    given = [i for i in indices if isinstance(i, Ref)]
    masks = [i for i in given if state.simplified.recording.values[i.id].tensor_dtype == torch.bool]
    if accumulate:
        count = numel(value.shape) if masks else _selected(state, value, indices)
        stated(state, value, Row("add", "other", count, *[FLOAT_BITS] * 3))
    elif any(state.is_online(mask) for mask in masks):
        attrs = Choose("index_put", operands_of(state, value))
        state.emit(value, "where", online_inputs(state, value), attrs=attrs, tags=("other",))
    else:
        _gather(state, value)


def _selected(state: Lowering, value: Value, indices: tuple[Any, ...]) -> int:
    """How many elements an index by integers names."""
    shapes = [state.shape(i) if isinstance(i, Ref) else None for i in indices]
    given = [s for s in shapes if s is not None]
    places = numel(tuple(max(sizes) for sizes in zip_longest(*(reversed(s) for s in given), fillvalue=1)))
    whole = [size for size, s in zip(value.shape, [*shapes, *[None] * len(value.shape)], strict=False) if s is None]
    return places * numel(tuple(whole))


@counts("scatter_add")
def scatter_add(state: Lowering, value: Value, x: Any, dim: int, index: Any, src: Any, alpha: float = 1) -> None:
    # one addition for every element that is written
    count = numel(state.shape(src))
    scale = [Row("mul", "other", count, FLOAT_BITS, FLOAT_BITS)] if alpha not in (1, -1) else []
    stated(state, value, *scale, Row("add", "other", count, *[FLOAT_BITS] * 3))


@counts("index_add")
def index_add(state: Lowering, value: Value, x: Any, dim: int, index: Any, src: Any, alpha: float) -> None:
    scatter_add(state, value, x, dim, index, src, alpha)


@counts("scatter_reduce", "index_reduce")
def scatter_reduce(
    state: Lowering, value: Value, x: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool
) -> None:
    if reduce not in ("sum", "add"):
        raise UncoveredError(f"its rule does not cover a scattered reduction by {reduce}")
    scatter_add(state, value, x, dim, index, src)


@counts("scatter")
def scatter(state: Lowering, made: Value, x: Any, dim: int, index: Any, src: Any = None, value: Any = None) -> None:
    _gather(state, made)


@counts("index_copy", "index_fill", "masked_scatter", "masked_select", "nonzero", "_pack_padded_sequence")
def move(state: Lowering, made: Value, **arguments: Any) -> None:
    _gather(state, made)


def _gather(state: Lowering, value: Value) -> None:
    state.emit(value, "gather", online_inputs(state, value), attrs=Call(value.fn, operands_of(state, value)))


@counts("embedding")
def embedding(state: Lowering, value: Value, weight: Any, indices: Any) -> None:
    _look_up(state, value, weight)


@counts("index", "index_select", "gather", "take")
def look_up(state: Lowering, value: Value, x: Any, **arguments: Any) -> None:
    _look_up(state, value, x)


def _look_up(state: Lowering, value: Value, table: Any) -> None:
    # y = table[index]: a table of constants that the input indexes is a memory, anything else moves elements
    constants = state.constant(table)
    if constants is None:
        _gather(state, value)
    else:
        state.emit(value, "embedding", online_inputs(state, value), consts={"table": constants})


@counts("_embedding_bag", "_embedding_bag_forward_only")
def embedding_bag(
    state: Lowering, value: Value, weight: Any, indices: Any, offsets: Any, mode: int, per_sample_weights: Any,
    include_last_offset: bool,
) -> None:  # fmt: skip
    # y[b] = sum, mean or maximum over the bag of table[index]
    if value.output:
        _gather(state, value)
        return
    width, results = value.shape[-1], numel(value.shape)
    read = numel(state.shape(indices)) * width
    rows = [Row("lut", "other", read, FLOAT_BITS, 0)]
    if per_sample_weights is not None:
        rows.append(Row("mul", "other", read, FLOAT_BITS, FLOAT_BITS))
    if mode == 2:
        rows.append(Row("compare", "other", read - results, FLOAT_BITS, FLOAT_BITS))
    else:
        rows.append(Row("add", "other", read - results, *[FLOAT_BITS] * 3))
    if mode == 1 and read > results:
        rows.append(Row("mul", "other", results, FLOAT_BITS, FLOAT_BITS))
    stated(state, value, *rows)


@counts("col2im")
def fold(
    state: Lowering, value: Value, x: Any, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> None:
    # y = sum of overlapping columns: for each element one addition fewer than columns that cover it
    ones = torch.ones(1, numel(kernel_size), state.shape(x)[-1])
    cover = F.fold(ones, output_size, kernel_size, dilation=dilation, padding=padding, stride=stride)
    channels = numel(value.shape) // numel(tuple(output_size))
    additions = channels * int((cover - 1).clamp(min=0).sum())
    stated(state, value, Row("add", "other", additions, *[FLOAT_BITS] * 3))
