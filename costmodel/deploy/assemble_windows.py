"""Pooling, reductions and normalisations: which instruction each node becomes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from costmodel.deploy.assembler import Assembler, builds, inherit
from costmodel.deploy.program import REAL, Array, Type
from costmodel.deploy.tally import OPS
from costmodel.graph.attrs import Norm, Pool, Reduce
from costmodel.graph.node import Node


@builds("avg_pool", "gap", "mean")
def pooled_sum(state: Assembler, node: Node) -> None:
    inherit(state, node)
    if node.op == "mean" or node.window is None:
        _reduced(state, node, "sum", node.of(Pool).axes)
        return
    source = _wide(state, node.inputs[0])
    state.emit(node, "pooled_sum", (source,), state.types[source], **_window(node))


@builds("max_pool")
def max_pool(state: Assembler, node: Node) -> None:
    if _has_empty_window(node, state.nodes[node.inputs[0]].shape):
        raise state.refuse(node, "a window lies in the padding alone, and its largest element is minus infinity")
    inherit(state, node)
    state.emit(node, "max_pool", node.inputs, state.types[node.inputs[0]], **_window(node))


def _has_empty_window(node: Node, source: tuple[int, ...]) -> bool:
    """Whether no tap of some window meets the map along one dimension: dilation can step over all of it."""
    window = node.window
    assert window is not None
    rank = len(window.kernel)
    for size, places, kernel, stride, padding, dilation in zip(
        source[-rank:], node.shape[-rank:], window.kernel, window.stride, window.padding, window.dilation, strict=True
    ):
        taps = [range(place * stride - padding, size, dilation)[:kernel] for place in range(places)]
        if any(not tap or tap[-1] < 0 for tap in taps):
            return True
    return False


@builds("reduce")
def reduce(state: Assembler, node: Node) -> None:
    attrs = node.of(Reduce)
    name = attrs.fn
    if name not in ("sum", "amax", "amin", "max", "min"):
        raise state.refuse(node, f"there is no executable form of {name}")
    inherit(state, node)
    _reduced(state, node, name.removeprefix("a"), attrs.axes)


def _reduced(state: Assembler, node: Node, fn: str, axes: tuple[int, ...]) -> None:
    if 0 in axes or not axes:
        raise state.refuse(node, "it goes over the images of a batch")
    source = _wide(state, node.inputs[0])
    state.emit(node, "reduced", (source,), state.types[source], fn=fn, axes=list(axes))


@builds("norm")
def norm(state: Assembler, node: Node) -> None:
    attrs = node.of(Norm)
    fn = attrs.fn
    if fn not in ("native_layer_norm", "native_group_norm", "native_batch_norm", "_native_batch_norm_legit"):
        raise state.refuse(node, f"there is no executable form of {fn}")
    if node.shape[0] != 1:
        raise state.refuse(node, "its first dimension is not that of the images")
    rank, own = len(node.shape), fn != "native_layer_norm"  # gains lie along the channels, or as they are
    arrays: dict[str, Array] = {}
    for name, key in (("weight", "gain"), ("bias", "shift")):
        if key in node.consts:
            arrays[name] = state.constants.array(node.consts[key], rank, channels=own)
    state.emit(node, "norm_real", (state.real(node.inputs[0]),), REAL, arrays, eps=attrs.eps, groups=attrs.groups,
               charged=[attrs.gain, attrs.shift])  # fmt: skip


@builds("plain")
def plain(state: Assembler, node: Node) -> None:
    """What runs in double precision: its attributes are numbers, and those of the instruction ``NAME_real``."""
    name, attrs = f"{node.op}_real", asdict(node.attrs)
    if name not in OPS:
        raise state.refuse(node, "there is no executable form of it")
    if "axis" in attrs and attrs["axis"] % len(node.shape) == 0:
        raise state.refuse(node, "it goes over the images of a batch")
    state.emit(node, name, tuple(state.real(i) for i in node.inputs), REAL, **attrs)


def _wide(state: Assembler, source: int) -> int:
    """A value that can be added up."""
    return state.cast(source, Type("int", 0)) if state.types[source].kind == "bits" else source


def _window(node: Node) -> dict[str, Any]:
    window = node.window
    assert window is not None
    return {"kernel": list(window.kernel), "stride": list(window.stride), "padding": list(window.padding),
            "dilation": list(window.dilation)}  # fmt: skip
