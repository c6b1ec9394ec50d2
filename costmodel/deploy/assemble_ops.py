"""One function per node: which instruction it becomes, with its constants as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.deploy import moves
from costmodel.deploy.assembler import Assembler, builds, inherit
from costmodel.deploy.cone import recoding_of, steps_of, thresholds_of
from costmodel.deploy.constants import RESIDUE, TIED_RESIDUE, powers_of_two
from costmodel.deploy.layout import places_of
from costmodel.deploy.multipliers import nearest_sums, terms
from costmodel.deploy.pointwise import SPECIAL
from costmodel.deploy.program import REAL, Array, Type
from costmodel.graph.affine import chain_class, chain_per_channel, constant_class, literal_constant
from costmodel.graph.attrs import Add, Affine, Call, Choose, Clamp, Gate, Move, Registered, Round, Threshold
from costmodel.graph.charge import gate_kind, sign_by_sign
from costmodel.graph.node import Node
from costmodel.graph.operands import Constant, In
from costmodel.trace.custom import run_of


@builds("affine")
def affine(state: Assembler, node: Node) -> None:
    """x * scale + bias, as the ledger prices it: free, a sign, a shift, a multiplication or what replaces it."""
    (source,) = node.inputs
    attrs = node.of(Affine)
    steps = attrs.steps
    scale, bias = state.constants.chain(steps, len(node.shape), state.size, attrs.turned)
    scale, bias = scale * attrs.rescale, bias / attrs.unit
    tied = attrs.multiplier == "tied"
    kind = "pow2" if tied else chain_class(steps)
    mode = kind if tied else attrs.multiplier or kind
    common: dict[str, Any] = {"mode": mode, "per_channel": chain_per_channel(steps),
                              "has_bias": any(step.has_bias for step in steps)}  # fmt: skip
    if mode == "sign" and sign_by_sign(node, steps):
        common["signs"] = True
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
        if source not in state.levels_of:
            raise state.refuse(node, "its operand has too many values for a table")
        levels = state.levels_of[source]
        arrays["table"] = _table(scale, levels, grid)
        common |= {"levels": levels, "rows": list(scale.shape)}
    else:
        arrays["scale"] = scale * grid
    state.emit(node, "affine_int", (source,), state.stream, arrays, **common)


def _to_grid(values: Array, fraction: int) -> Array:
    return np.rint(values * 2.0**fraction).astype(np.int64)


def _table(scale: Array, levels: int, grid: float) -> Array:
    """Products of every integer in [-levels, levels] with each constant on the grid: [channels, 2 levels + 1]."""
    return np.rint(np.arange(-levels, levels + 1) * (scale.reshape(-1, 1) * grid)).astype(np.int64)


@builds("prelu")
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


@builds("threshold")
def threshold(state: Assembler, node: Node) -> None:
    """u = hi where d (x - T) >= 0; on integers T is the first integer on the upper side."""
    (source,) = node.inputs
    if node.of(Threshold).levels > 2:
        steps = steps_of(state, node)
        state.magnitude[node.id] = steps.unit
        arrays = _limits(state, node, steps.limits, steps.rising)
        state.emit(node, "levels", (source,), Type("int"), arrays, first=steps.first, stride=steps.stride)
        return
    found = thresholds_of(state, node)
    zero = node.domain.kind == "binary01"
    state.magnitude[node.id] = found.magnitude
    arrays = _limits(state, node, found.limits, found.rising)
    state.emit(node, "threshold", (source,), Type("bits", zero=zero), arrays, zero=zero)


def _limits(state: Assembler, node: Node, limits: Array, rising: Array) -> dict[str, Array]:
    have = state.types[node.inputs[0]]
    limits = limits / node.of(Threshold).unit
    if have.kind == "int":
        scaled = np.clip(limits * 2.0**have.fraction, -(2.0**61), 2.0**61)
        limits = np.where(rising, np.ceil(scaled), np.floor(scaled)).astype(np.int64)
    return {"limits": limits, "rising": np.broadcast_to(rising, limits.shape).astype(np.int8)}


@builds("add")
def add(state: Assembler, node: Node) -> None:
    types = [state.types[i] for i in node.inputs]
    if state.fraction is None or all(t.kind == "real" for t in types):
        inputs, out = tuple(state.real(i) for i in node.inputs), REAL
    else:
        out = Type("int", max([t.fraction for t in types] + [state.fraction * any(t.kind == "real" for t in types)]))
        inputs = tuple(state.cast(i, out) for i in node.inputs)
    state.emit(node, "add", inputs, out, subtract=node.of(Add).subtract)


@builds("relu")
def relu(state: Assembler, node: Node) -> None:
    state.emit(node, "relu", node.inputs, state.types[node.inputs[0]])


@builds("clamp")
def clamp(state: Assembler, node: Node) -> None:
    attrs, have = node.of(Clamp), state.types[node.inputs[0]]
    bounds = {k: v for k, v in (("min", attrs.low), ("max", attrs.high)) if v is not None}
    if any(isinstance(v, In) for v in bounds.values()):
        raise state.refuse(node, "its bounds depend on the input")
    if any(isinstance(v, Constant) for v in bounds.values()):
        held = {k: v if isinstance(v, Constant) else literal_constant(float(v)) for k, v in bounds.items()}
        arrays = {k: state.constants.array(v, len(node.shape)) for k, v in held.items()}
        state.emit(node, "clamp_real", (state.real(node.inputs[0]),), REAL, arrays)
        return
    if have.kind == "int":
        bounds = {k: round(v * 2.0**have.fraction) for k, v in bounds.items()}
    state.emit(node, "clamp", node.inputs, have, **bounds)


@builds("elementwise")
def pointwise(state: Assembler, node: Node) -> None:
    """What runs in double precision, element by element."""
    arrays: dict[str, Array] = {}
    params: dict[str, Any] = {"domain": node.domain.kind}
    match node.attrs:
        case Call(fn=fn, operands=operands):
            if operands is None or (node.op == "special" and fn not in SPECIAL):
                raise state.refuse(node, f"there is no executable form of {fn}")
            params["operands"], arrays = state.operands(operands, len(node.shape))
            params["fn"] = fn
        case Round(fn=fn):
            params["fn"] = fn
        case Gate(a=a, b=b) if node.op == "mul":
            params["kind"] = gate_kind(a or node.domain, b or node.domain)
    if isinstance(node.attrs, Choose):
        params["static"] = node.attrs.static
    if "bound" in node.consts:
        arrays["bound"] = state.constants.array(node.consts["bound"], len(node.shape))
    inputs = tuple(state.real(i) for i in node.inputs)
    # What a comparison gives is one bit, whoever reads it.
    out = Type("bits", zero=True) if node.op in ("compare", "logical") else REAL
    state.emit(node, f"{node.op}_real", inputs, out, arrays, **params)


@builds("registered")
def registered(state: Assembler, node: Node) -> None:
    """A user's own operation, in double precision."""
    attrs = node.of(Registered)
    run_of(attrs.fn)  # refused by name where nothing says how
    operands, arrays = state.operands(attrs.operands or (), len(node.shape))
    rows = [[row.kind, row.number] for row in attrs.rows]
    inputs = tuple(state.real(i) for i in node.inputs)
    state.emit(node, "registered", inputs, REAL, arrays, fn=attrs.fn, operands=operands, output=attrs.output, rows=rows)


@builds("move")
def move(state: Assembler, node: Node) -> None:
    """Renames, reorders or copies elements; the type stays."""
    if node.op == "gather":
        _take(state, node)
        return
    if node.consts:
        _join_constants(state, node)
        return
    types = [state.types[i] for i in node.inputs]
    inputs = node.inputs
    if len(set(types)) > 1:  # a concatenation of different formats
        kinds = {t.kind for t in types}
        out = REAL if kinds == {"real"} or state.fraction is None else Type("int", max(t.fraction for t in types))
        if "real" in kinds and out.kind == "int":
            out = state.stream
        inputs = tuple(state.cast(i, out) for i in inputs)
    have = state.types[inputs[0]]
    inherit(state, node)
    if node.op == "recode":  # a one-bit value under other names for its two values
        rising, magnitude = recoding_of(state, node)
        state.magnitude[node.id] = magnitude
        zero = node.domain.kind == "binary01"
        state.emit(node, "recode", inputs, Type("bits", zero=zero), invert=not rising, zero=zero)
        return
    attrs = node.of(Move)
    if attrs.fn not in moves.SUPPORTED:
        raise state.refuse(node, f"there is no executable form of {attrs.fn}")
    filled: dict[str, Any] = {}
    if attrs.fill is not None:
        inputs, have, filled["fill"] = _with_fill(state, node, inputs, attrs.fill)
    state.emit(node, "move", inputs, have, fn=attrs.fn, arguments=moves.listed(attrs.arguments), output=attrs.output,
               traced=list(node.shape), **filled)  # fmt: skip


def _join_constants(state: Assembler, node: Node) -> None:
    """A concatenation of data and constants."""
    operands = node.of(Move).operands
    if not operands or any(state.magnitude.get(i, 1.0) != 1.0 for i in node.inputs):
        raise state.refuse(node, "it joins the data with constants")
    out = state.stream
    arrays: dict[str, Array] = {}
    parts: list[int | str] = []
    for operand in operands[0]:
        if isinstance(operand, In):
            parts.append(operand.position)
            continue
        parts.append(f"part{len(parts)}")
        value = state.constants.tensor(operand)
        arrays[str(parts[-1])] = value if out.kind == "real" else _to_grid(value, out.fraction)
    inputs = tuple(state.cast(i, out) for i in node.inputs)
    axis = operands[1] if len(operands) > 1 else 0
    state.emit(node, "move", inputs, out, arrays, fn="concat" if node.op == "concat" else "stack", output=0,
               arguments=[None, axis], traced=list(node.shape), parts=parts)  # fmt: skip


def _take(state: Assembler, node: Node) -> None:
    """Elements at places that are known offline, along one dimension."""
    taken = places_of(node)
    if taken is None:
        raise state.refuse(node, "it reads from computed places")
    axis, places = taken
    index = state.constants.tensor(places)
    if index.ndim != 1:
        raise state.refuse(node, "it reads from computed places")
    inherit(state, node)
    arrays = {"places": index.astype(np.int64)}
    state.emit(node, "move", node.inputs, state.types[node.inputs[0]], arrays, fn="take", arguments=[None, axis],
               output=0, traced=list(node.shape))  # fmt: skip


def _with_fill(
    state: Assembler, node: Node, inputs: tuple[int, ...], fill: float
) -> tuple[tuple[int, ...], Type, float | int]:
    """Operands and type of what puts one number next to the data, and that number."""
    have, size = state.types[inputs[0]], state.magnitude.get(inputs[0], 1.0)
    if have.kind == "bits":
        unit = fill / size
        if unit in ((0.0, 1.0) if have.zero else (-1.0, 1.0)):
            return inputs, have, int(unit)
        have = Type("int", 0)  # a third value
        inputs = (state.cast(inputs[0], have), *inputs[1:])
    if have.kind == "real":
        return inputs, have, fill
    scaled = fill / size * 2.0**have.fraction
    if scaled != round(scaled) and have.fraction == 0:
        raise state.refuse(node, f"it puts {fill} next to integers")
    return inputs, have, round(scaled)
