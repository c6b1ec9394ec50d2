"""Sums of products: packed signs where both operands are one bit, signed sums where one is, real sums for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from costmodel.deploy.constants import one_magnitude
from costmodel.deploy.program import REAL, Array, Type
from costmodel.domain import Domain
from costmodel.trace.graph import Node

if TYPE_CHECKING:
    from costmodel.deploy.assemble import Assembler

_NARROW = ("binary", "binary01", "ternary")


def sum_of_products(state: Assembler, node: Node) -> None:
    """``y[o] = sum x w (+ bias)``, with the scales that were folded into real weights."""
    weight_domain: Domain = node.attrs["weight_domain"]
    if node.attrs["dynamic"] or node.op == "matmul":
        raise state.refuse(node, "it multiplies two values that both depend on the input")
    if node.window is not None and (node.window.transposed or len(node.window.kernel) != 2):
        raise state.refuse(node, "only plain convolutions of two dimensions have an executable form")
    weight = _oriented(state, node)
    if weight_domain.kind in _NARROW and not one_magnitude(weight):
        raise state.refuse(node, "its weights do not have one magnitude a channel, as those it was traced with had")
    a = state.types[node.inputs[0]]
    if weight_domain.is_one_bit and a.kind == "bits" and weight_domain.kind == "binary":
        arrays = {"signs": np.where(weight >= 0, 1, -1).astype(np.int8)}
        _emit(state, node, "xnor_sum", node.inputs[0], Type("int", 0), arrays, zero=a.zero)
        state.levels_of[node.id] = node.attrs["n_terms"]
    elif weight_domain.kind == "binary":
        _signed_sum(state, node, weight)
    else:
        _real_sum(state, node, weight)
    if a.kind == "bits" and node.inputs[0] in state.magnitude:  # applied behind the sum
        state.magnitude[node.id] = state.magnitude[node.inputs[0]]


def _signed_sum(state: Assembler, node: Node, weight: Array) -> None:
    signs = np.where(weight >= 0, 1, -1).astype(np.int8)
    (source,) = node.inputs
    have = state.types[source]
    if state.fraction is None:
        source, have = state.real(source), REAL
    elif have.kind != "int":
        have = Type("int", 0) if have.kind == "bits" else state.stream
        source = state.cast(source, have)
    _emit(state, node, "signed_sum", source, have, {"signs": signs}, products=_products(node))


def _real_sum(state: Assembler, node: Node, weight: Array) -> None:
    domain: Domain = node.attrs["weight_domain"]
    bias: Array | None = None
    rank = len(node.shape)
    if domain.scale != "one" and domain.kind in (*_NARROW, "int"):  # its size comes as a step of its own
        sizes = state.constants.magnitudes(node.consts["weight"], rank).reshape(-1)
        weight = weight / sizes.reshape((-1,) + (1,) * (weight.ndim - 1))
        weight = weight if domain.kind == "int" else np.rint(weight)
    if "bias" in node.consts:
        bias = state.constants.array(node.consts["bias"], rank, channels=node.op == "conv")
    if "pre" in node.attrs:
        scale, _ = state.constants.chain(node.attrs["pre"], 4 if node.op == "conv" else rank)
        weight = weight * (_channels_in(scale, weight, node))
    weight = weight * node.attrs.get("rescale_in", 1.0)
    if "post" in node.attrs:
        scale, offset = state.constants.chain(node.attrs["post"], rank)
        outputs = np.broadcast_to(scale.reshape(-1), (weight.shape[0],)) if scale.size > 1 else scale.reshape(-1)
        weight = weight * outputs.reshape((-1,) + (1,) * (weight.ndim - 1))
        bias = offset if bias is None else bias * scale + offset
    unit = node.attrs.get("unit", 1.0)
    weight, bias = weight / unit, None if bias is None else bias / unit
    has_bias = "bias" in node.consts or any(step.has_bias for step in node.attrs.get("post", ()))
    arrays: dict[str, Array] = {"weight": weight}
    if has_bias and bias is not None:
        arrays["bias"] = bias.reshape(-1) if bias.size in (1, weight.shape[0]) else bias
    exact = state.types[node.inputs[0]].kind == "bits" and domain.kind in _NARROW
    out = Type("int", 0) if exact and "bias" not in arrays else state.stream
    _emit(state, node, "real_sum", state.real(node.inputs[0]), out, arrays, products=_products(node),
          fraction=-1 if out.kind == "real" else out.fraction)  # fmt: skip


def _channels_in(scale: Array, weight: Array, node: Node) -> Array:
    """A scale of the input's channels, laid along the second dimension of the weights ``[o, i, ...]``."""
    if scale.size == 1:
        return scale.reshape((1,) * weight.ndim)
    groups = node.window.groups if node.window is not None else 1
    if groups > 1:
        per_group = scale.reshape(groups, 1, weight.shape[1])
        spread = np.broadcast_to(per_group, (groups, weight.shape[0] // groups, weight.shape[1]))
        return spread.reshape(weight.shape[:2] + (1,) * (weight.ndim - 2))
    return scale.reshape((1, -1) + (1,) * (weight.ndim - 2))


def _oriented(state: Assembler, node: Node) -> Array:
    """The weights with output channels first: ``[o, i / groups, kh, kw]`` or ``[o, i]``."""
    weight = state.constants.tensor(node.consts["weight"])
    if node.op == "conv":
        return weight
    if weight.ndim != 2:
        raise state.refuse(node, "its weights are not a matrix")
    return weight if node.attrs.get("exchanged") else np.ascontiguousarray(weight.T)


def _products(node: Node) -> list[list[Any]]:
    """How the ledger counts one product: [kind, operations a product, whether a sum of n takes one less]."""
    a, b = node.attrs["a"], node.attrs["b"]
    if a.kind in _NARROW and b.kind in _NARROW:
        if a.is_one_bit and b.is_one_bit:
            return [["xnor" if a.kind == b.kind == "binary" else "and", 1, False], ["popcount", 1, False]]
        return [["xnor", 1, False], ["and", 1, False], ["popcount", 1, False]]
    if a.kind in (*_NARROW, "int") and b.kind in (*_NARROW, "int") and max(a.bits, b.bits) <= 4:
        return [["and", a.bits * b.bits, False], ["popcount", a.bits * b.bits, False]]
    if a.kind in _NARROW or b.kind in _NARROW:
        return [["signflip", 1, False]]
    if "pow2" in (a.kind, b.kind):
        return [["shift_var", 1, False], ["add", 1, True]]
    return [["mul", 1, False], ["add", 1, True]]


def _emit(
    state: Assembler, node: Node, op: str, source: int, type: Type, arrays: dict[str, Array], **params: Any
) -> None:
    window = node.window
    geometry: dict[str, Any] = {"conv": False}
    if window is not None:
        geometry = {"conv": True, "stride": list(window.stride), "padding": list(window.padding),
                    "dilation": list(window.dilation), "groups": window.groups}  # fmt: skip
    elif node.attrs.get("exchanged"):
        raise state.refuse(node, "the constant is the first factor of the product")
    state.emit(node, op, (source,), type, arrays, **geometry, **params)
