"""One function a node: which instruction it becomes, with its constants as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.deploy.assemble import Assembler
from costmodel.deploy.assemble_sums import sum_of_products
from costmodel.deploy.cone import thresholds_of
from costmodel.deploy.constants import RESIDUE, TIED_RESIDUE, powers_of_two
from costmodel.deploy.multipliers import nearest_sums, terms
from costmodel.deploy.program import REAL, Array, Type
from costmodel.ledger.rules import gate_kind
from costmodel.trace.affine import chain_class, chain_per_channel, constant_class
from costmodel.trace.graph import Node
from costmodel.trace.values import Ref

#: ``torch.special``-like functions that have an executable form.
FUNCTIONS = frozenset(
    {"tanh", "sigmoid", "exp", "sqrt", "rsqrt", "reciprocal", "silu", "hardsigmoid", "hardswish", "erf", "div", "pow",
     "log", "softplus", "gelu", "atan"}
)  # fmt: skip


def affine(state: Assembler, node: Node) -> None:
    """x * scale + bias, as the ledger prices it: free, a sign, a shift, a multiplication or what replaces it."""
    (source,) = node.inputs
    steps = node.attrs["steps"]
    scale, bias = state.constants.chain(steps, len(node.shape), state.magnitude.get(source, 1.0))
    scale, bias = scale * node.attrs.get("rescale", 1.0), bias / node.attrs.get("unit", 1.0)
    tied = node.attrs.get("multiplier") == "tied"
    kind = "pow2" if tied else chain_class(steps)
    mode = kind if tied else node.attrs.get("multiplier", kind)
    common: dict[str, Any] = {"mode": mode, "per_channel": chain_per_channel(steps),
                              "has_bias": any(step.has_bias for step in steps)}  # fmt: skip
    have = state.types[source]
    if mode in ("pow2", "sign", "one") and kind == mode:
        factor, exponent = powers_of_two(scale, node.module, TIED_RESIDUE if tied else RESIDUE)
        scale = factor * np.exp2(exponent)
    elif mode in ("pow2", "csd2", "csd3"):
        factor, exponent = nearest_sums(scale, terms(mode))
        common["terms"] = terms(mode)
        scale = factor * np.exp2(exponent)
    if state.fraction is None or have.kind == "real":
        state.emit(node, "affine_real", (state.real(source),), REAL, {"scale": scale, "bias": bias}, **common)
        return
    grid = 2.0 ** (state.fraction - have.fraction)
    arrays: dict[str, Array] = {"bias": _to_grid(bias, state.fraction)}
    if mode in ("pow2", "sign", "one", "csd2", "csd3"):
        arrays |= {"factor": factor, "left": exponent + state.fraction - have.fraction}
    elif mode == "lut":
        levels = state.levels_of[source]
        arrays["table"] = _table(scale, levels, grid)
        common["levels"] = levels
    else:
        arrays["scale"] = scale * grid
    state.emit(node, "affine_int", (source,), state.stream, arrays, **common)


def _to_grid(values: Array, fraction: int) -> Array:
    return np.rint(values * 2.0**fraction).astype(np.int64)


def _table(scale: Array, levels: int, grid: float) -> Array:
    """Products of every integer in [-levels, levels] with each constant on the grid: [channels, 2 levels + 1]."""
    return np.rint(np.arange(-levels, levels + 1) * (scale.reshape(-1, 1) * grid)).astype(np.int64)


def prelu(state: Assembler, node: Node) -> None:
    (source,) = node.inputs
    slope = node.consts["slope"]
    if slope.literal == 0:
        state.emit(node, "relu", (source,), state.types[source])
        return
    values = state.constants.array(slope, len(node.shape), node.source.startswith("aten.prelu"))
    kind = constant_class(slope)
    common: dict[str, Any] = {"mode": kind, "per_channel": slope.numel > 1}
    have = state.types[source]
    if kind != "real":
        sign, exponent = powers_of_two(values, node.module)
        if have.kind == "int":
            state.emit(node, "prelu_int", (source,), have, {"factor": sign, "left": exponent}, **common)
            return
    if have.kind == "int":
        state.emit(node, "prelu_int", (source,), have, {"slope": values}, **common)
    else:
        state.emit(node, "prelu_real", (state.real(source),), REAL, {"slope": values}, **common)


def threshold(state: Assembler, node: Node) -> None:
    """u = hi where d (x - T) >= 0; on integers T is the first integer on the upper side."""
    found = thresholds_of(state, node)
    (source,) = node.inputs
    have = state.types[source]
    limits = found.limits / node.attrs.get("unit", 1.0)
    if have.kind == "int":
        scaled = np.clip(limits * 2.0**have.fraction, -(2.0**61), 2.0**61)
        limits = np.where(found.rising, np.ceil(scaled), np.floor(scaled)).astype(np.int64)
    zero = node.domain.kind == "binary01"
    state.magnitude[node.id] = found.magnitude
    arrays = {"limits": limits, "rising": np.broadcast_to(found.rising, limits.shape).astype(np.int8)}
    state.emit(node, "threshold", (source,), Type("bits", zero=zero), arrays, zero=zero)


def add(state: Assembler, node: Node) -> None:
    types = [state.types[i] for i in node.inputs]
    if state.fraction is None or all(t.kind == "real" for t in types):
        inputs, out = tuple(state.real(i) for i in node.inputs), REAL
    else:
        out = Type("int", max([t.fraction for t in types] + [state.fraction * any(t.kind == "real" for t in types)]))
        inputs = tuple(state.cast(i, out) for i in node.inputs)
    state.emit(node, "add", inputs, out, subtract=bool(node.attrs.get("subtract")))


def pooled_sum(state: Assembler, node: Node) -> None:
    if node.op == "mean" or node.window is None:
        raise state.refuse(node, "it is a mean over dimensions that are not those of a map")
    (source,) = node.inputs
    if state.types[source].kind == "bits":
        source = state.cast(source, Type("int", 0))
    window = node.window
    state.emit(node, "pooled_sum", (source,), state.types[source], kernel=list(window.kernel),
               stride=list(window.stride), padding=list(window.padding))  # fmt: skip


def max_pool(state: Assembler, node: Node) -> None:
    window = node.window
    assert window is not None
    if set(window.dilation) != {1} or len(window.kernel) != 2:
        raise state.refuse(node, "only undilated windows of two dimensions have an executable form")
    _inherit(state, node)
    state.emit(node, "max_pool", node.inputs, state.types[node.inputs[0]], kernel=list(window.kernel),
               stride=list(window.stride), padding=list(window.padding))  # fmt: skip


def relu(state: Assembler, node: Node) -> None:
    state.emit(node, "relu", node.inputs, state.types[node.inputs[0]])


def clamp(state: Assembler, node: Node) -> None:
    (source,) = node.inputs
    have = state.types[source]
    bounds = {k: node.attrs[k] for k in ("min", "max") if node.attrs[k] is not None}
    if any(not isinstance(v, (int, float)) for v in bounds.values()):
        raise state.refuse(node, "its bounds are tensors")
    if have.kind == "int":
        bounds = {k: round(v * 2.0**have.fraction) for k, v in bounds.items()}
    state.emit(node, "clamp", node.inputs, have, **bounds)


def pointwise(state: Assembler, node: Node) -> None:
    """What runs in double precision, element by element."""
    arrays: dict[str, Array] = {}
    params: dict[str, Any] = {"domain": node.domain.kind}
    if "operands" in node.attrs:
        params["operands"], arrays = state.operands(node, len(node.shape))
        params["fn"] = node.attrs["fn"]
    elif node.op == "round":
        params["fn"] = node.attrs["fn"]
    if node.op == "mul":
        params["kind"] = gate_kind(node.attrs.get("a", node.domain), node.attrs.get("b", node.domain))
    if "bound" in node.consts:
        arrays["bound"] = state.constants.array(node.consts["bound"], len(node.shape))
    if node.op == "special" and node.attrs["fn"] not in FUNCTIONS:
        raise state.refuse(node, f"there is no executable form of {node.attrs['fn']}")
    inputs = tuple(state.real(i) for i in node.inputs)
    state.emit(node, f"{node.op}_real", inputs, REAL, arrays, **params)


def move(state: Assembler, node: Node) -> None:
    """Renames, reorders or copies elements; the type stays."""
    if node.op in ("alias_write", "gather"):
        raise state.refuse(node, "it writes or reads through computed places")
    types = [state.types[i] for i in node.inputs]
    inputs = node.inputs
    if len(set(types)) > 1:  # a concatenation of different formats
        kinds = {t.kind for t in types}
        out = REAL if kinds == {"real"} or state.fraction is None else Type("int", max(t.fraction for t in types))
        if "real" in kinds and out.kind == "int":
            out = state.stream
        inputs = tuple(state.cast(i, out) for i in inputs)
    have = state.types[inputs[0]]
    _inherit(state, node)
    if node.attrs.get("recode"):  # a one-bit value under other names for its two values
        rising, magnitude = thresholds_of(state, node).recoding()
        state.magnitude[node.id] = magnitude
        state.emit(node, "recode", inputs, Type("bits", zero=node.domain.kind == "binary01"), invert=not rising)
        return
    padded = node.op == "pad"
    if padded and have.kind == "bits":  # zeros are a third value
        have = Type("int", 0)
        inputs = (state.cast(inputs[0], have),)
    if node.consts:
        raise state.refuse(node, "it joins the data with constants")
    name = node.source.split(".")[1].rstrip("_") if "." in node.source else node.source
    arguments = [_plain(a) for a in node.attrs.get("args", ())]
    output = int(node.source.rsplit(":", 1)[1]) if ":" in node.source else 0
    state.emit(node, "move", inputs, have, fn=name, arguments=arguments, output=output,
               traced=list(node.shape))  # fmt: skip


def _plain(argument: Any) -> Any:
    if isinstance(argument, Ref):
        return None
    if isinstance(argument, tuple):
        return [_plain(a) for a in argument]
    return argument if isinstance(argument, (int, float, bool)) or argument is None else str(argument)


def _inherit(state: Assembler, node: Node) -> None:
    sizes = {state.magnitude.get(i) for i in node.inputs} - {None}
    if len(sizes) > 1:
        raise state.refuse(node, "it joins one-bit values of different size")
    if sizes:
        state.magnitude[node.id] = float(sizes.pop() or 1.0)


BUILDERS = {
    "conv": sum_of_products, "linear": sum_of_products, "matmul": sum_of_products, "affine": affine, "prelu": prelu,
    "threshold": threshold, "add": add, "avg_pool": pooled_sum, "gap": pooled_sum, "mean": pooled_sum,
    "max_pool": max_pool, "relu": relu, "clamp": clamp, "move": move,
    **dict.fromkeys(("sign", "compare", "where", "logical", "round", "abs", "minimum", "maximum", "mul", "square",
                     "special"), pointwise),
}  # fmt: skip
