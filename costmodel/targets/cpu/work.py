"""What a processor does for each layer of a ledger, as exact amounts: the terms whose seconds are measured.

Two engines. ``executor`` is the packed executor (:mod:`costmodel.deploy`): words of 64 signs, windows gathered row by
row, four windows at a time in its inner loop. ``pytorch`` runs the modules as they are written, in single precision.

Kinds of layer have a slope for each amount; what a call costs is shared by all that are compiled and by all that are
numpy's, and bytes beyond the second-level cache cost the same wherever they are moved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import Layer, Ledger

Engine = Literal["executor", "pytorch"]
ENGINES: tuple[Engine, ...] = ("executor", "pytorch")
WORD = 64

#: engine -> kind of layer -> the amounts that it is measured by. A kind that no measured network has takes the slopes
#: of the one named in ``ALIKE``, with wide bounds.
TERMS: Mapping[Engine, Mapping[str, tuple[str, ...]]] = {
    "executor": {
        "xnor": ("input", "gather", "word", "word_rest", "output"),
        "and": ("input", "gather", "word", "output"),
        "signed": ("mac", "output", "weight"),
        "conv": ("mac", "column", "output", "weight"),
        "depthwise": ("column", "output", "group"),
        "linear": ("weight",),
        **dict.fromkeys(
            ("threshold", "shift", "scale", "prelu", "prelu_real", "add", "relu", "move", "other"), ("element",)
        ),
        **dict.fromkeys(("max_pool", "pool"), ("tap",)),
    },
    "pytorch": {
        **dict.fromkeys(("conv", "conv1x1", "depthwise"), ("mac", "map", "weight")),
        "linear": ("weight",),
        "pool": ("tap",),
        **dict.fromkeys(("norm", "pass", "move"), ("element",)),
    },
}
CALLS: Mapping[Engine, tuple[str, ...]] = {
    "executor": ("call_compiled", "call_numpy"),
    "pytorch": ("call_layer", "call_pass"),
}
ALIKE: Mapping[Engine, Mapping[str, str]] = {
    "executor": {
        "and": "xnor", "signed": "conv", "scale": "shift", "prelu": "shift", "prelu_real": "scale", "relu": "add",
        "move": "add", "other": "add", "pool": "max_pool", "linear": "conv",
        "depthwise": "conv",
    },
    "pytorch": {"conv1x1": "conv", "depthwise": "conv", "linear": "conv", "norm": "pass", "move": "pass",
                "pool": "pass"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Amount:
    """``count`` times the constant ``name``; ``component`` is what of the processor it takes."""

    name: str
    component: str
    count: float


def amounts(ledger: Ledger, engine: Engine, cache: float) -> Iterator[tuple[Layer, str, tuple[Amount, ...]]]:
    """Every layer with its kind and its work; ``cache`` are the bytes of the second-level cache."""
    kinds = ledger.by_layer()
    of = _executor if engine == "executor" else _pytorch
    for layer in ledger.layers:
        kind, found = of(layer, kinds[layer.index], cache)
        yield layer, kind, tuple(amount for amount in found if amount.count)


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


def _terms(kind: str, call: str, slopes: Mapping[str, float], moved: float, cache: float) -> list[Amount]:
    named = [Amount(call, "calls", 1)]
    named += [Amount(f"{kind}.{term}", "compute", count) for term, count in slopes.items()]
    return [*named, Amount("excess", "memory", max(0.0, moved - cache))]


def _executor(layer: Layer, charged: Mapping[str, int], cache: float) -> tuple[str, list[Amount]]:
    came, left = _size(layer.shape_in), _size(layer.shape_out)
    if OPS[layer.op].product:
        return _product(layer, came, left, cache)
    if layer.op == "threshold":
        return "threshold", _terms("threshold", "call_compiled", {"element": left}, 9 * left, cache)
    if layer.op == "affine":
        kind = "scale" if charged.get("mul") else "shift"
        return kind, _terms(kind, "call_compiled", {"element": left}, 16 * left, cache)
    if layer.op == "prelu":
        kind = "prelu_real" if charged.get("mul") else "prelu"
        return kind, _terms(kind, "call_compiled", {"element": left}, 16 * left, cache)
    if OPS[layer.op].pool or layer.op in ("gap", "mean", "reduce"):
        taps = math.prod(layer.window.kernel) if layer.window else max(1, came // max(left, 1))
        kind = "max_pool" if layer.op == "max_pool" else "pool"
        return kind, _terms(kind, "call_numpy", {"tap": left * taps}, 8 * (came + left), cache)
    if OPS[layer.op].moves:
        copies = layer.op in ("concat", "pad", "stack", "gather")
        return "move", _terms("move", "call_numpy", {"element": left if copies else 0}, 16 * left * copies, cache)
    kind = layer.op if layer.op in ("add", "relu") else "other"
    return kind, _terms(kind, "call_numpy", {"element": left}, 8 * (came + left), cache)


def _product(layer: Layer, came: int, left: int, cache: float) -> tuple[str, list[Amount]]:
    window, b = layer.window, layer.b
    groups = window.groups if window else 1
    outputs = layer.shape_out[1] if layer.op == "conv" and len(layer.shape_out) > 1 else layer.shape_out[-1]
    rows, columns = _positions(layer, left, outputs)
    taps = math.prod(window.kernel) if window and layer.op == "conv" else 1
    if layer.a.is_one_bit and b is not None and b.kind == "binary":
        words = taps * math.ceil(max(1, layer.n_terms // taps) / WORD)
        whole = rows * (columns - columns % 4)
        kind = "and" if layer.a.kind == "binary01" else "xnor"
        slopes: dict[str, float] = {
            "input": came, "gather": rows * columns * words * groups, "output": left,
            "word": whole * words * outputs, "word_rest": rows * (columns % 4) * words * outputs,
        }  # fmt: skip
        if kind == "and":  # its loop takes one window at a time
            slopes |= {"word": rows * columns * words * outputs, "word_rest": 0}
        return kind, _terms(kind, "call_compiled", slopes, came + 4 * left + 8 * words * outputs, cache)
    if b is not None and b.kind == "binary" and not layer.a.is_one_bit:
        slopes = {"mac": layer.macs, "output": left, "weight": layer.n_terms * outputs}
        return "signed", _terms("signed", "call_numpy", slopes, 8 * (came + left), cache)
    if layer.op == "conv":
        gathered = rows * columns * layer.n_terms * groups
        if groups > 1:
            slopes = {"column": gathered, "output": left, "group": groups}
            return "depthwise", _terms("depthwise", "call_numpy", slopes, 8 * (came + left + gathered), cache)
        slopes = {"mac": layer.macs, "column": gathered, "output": left, "weight": layer.n_terms * outputs}
        return "conv", _terms("conv", "call_numpy", slopes, 8 * (came + left + gathered), cache)
    weights = _size(layer.shape_b) or layer.n_terms * outputs
    return "linear", _terms("linear", "call_numpy", {"weight": weights}, 0.0, cache)


def _positions(layer: Layer, left: int, outputs: int) -> tuple[int, int]:
    """Rows and columns of the result, whose windows are gathered a row at a time."""
    places = left // max(outputs, 1)
    columns = layer.shape_out[-1] if layer.op == "conv" and len(layer.shape_out) > 2 else 1
    return places // max(columns, 1), columns


def _pytorch(layer: Layer, charged: Mapping[str, int], cache: float) -> tuple[str, list[Amount]]:
    came, left = _size(layer.shape_in), _size(layer.shape_out)
    moved = 4.0 * (came + left)
    if OPS[layer.op].product:
        weights = _size(layer.shape_b)
        if layer.op != "conv":
            return "linear", _terms("linear", "call_layer", {"weight": weights}, 0.0, cache)
        window = layer.window
        taps = math.prod(window.kernel) if window else 1
        depthwise = window is not None and window.groups > 1 and layer.n_terms == taps
        kind = "depthwise" if depthwise else "conv" if taps > 1 else "conv1x1"
        slopes = {"mac": layer.macs, "map": came + left, "weight": weights}
        return kind, _terms(kind, "call_layer", slopes, moved, cache)
    if OPS[layer.op].pool:
        taps = math.prod(layer.window.kernel) if layer.window else 1
        return "pool", _terms("pool", "call_layer", {"tap": left * taps}, moved, cache)
    if OPS[layer.op].moves:
        copies = layer.op in ("concat", "pad", "stack", "gather")
        return "move", _terms("move", "call_pass", {"element": left if copies else 0}, 0.0, cache)
    kind = "norm" if layer.op == "norm" else "pass"
    return kind, _terms(kind, "call_pass", {"element": left}, moved, cache)
