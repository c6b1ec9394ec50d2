"""Sums of products: packed signs where both operands are one bit, signed sums where one is, real sums for the rest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from costmodel.deploy.assembler import Assembler, builds
from costmodel.deploy.constants import one_magnitude
from costmodel.deploy.program import REAL, Array, Type
from costmodel.graph.attrs import Product
from costmodel.graph.domain import Domain
from costmodel.graph.node import Node

_NARROW = ("binary", "binary01", "ternary")


@builds("conv", "linear", "matmul")
def sum_of_products(state: Assembler, node: Node) -> None:
    """``y[o] = sum x w (+ bias)``, with the scales that were folded into real weights."""
    attrs = node.of(Product)
    weight_domain = attrs.weight
    if not node.row.weighted:
        _product(state, node, attrs)
        return
    if "weight" not in node.consts:
        raise state.refuse(node, "it is a convolution whose weights depend on the input")
    weight = state.constants.oriented(node)
    if attrs.turn:
        scale, _ = state.constants.chain(attrs.turn, len(node.shape), state.size)
        turned = np.broadcast_to(np.where(scale.reshape(-1) < 0, -1.0, 1.0), (weight.shape[0],))
        weight = weight * turned.reshape((-1,) + (1,) * (weight.ndim - 1))
    if node.op == "linear" and weight.ndim != 2:
        raise state.refuse(node, "its weights are not a matrix")
    flat = node.window is None or (len(node.window.kernel) <= 2 and not node.window.transposed)
    signs = weight_domain.kind == "binary" and not weight_domain.asymmetric
    if weight_domain.kind in _NARROW and not weight_domain.asymmetric and not one_magnitude(weight):
        raise state.refuse(node, "its weights do not have one magnitude per channel, as those it was traced with had")
    a = state.types[node.inputs[0]]
    if signs and "bias" in node.consts and flat:
        raise state.refuse(node, "its bias is not a step of its own")  # split_biases leaves none behind
    if signs and a.kind == "bits" and flat:
        arrays = {"signs": np.where(weight >= 0, 1, -1).astype(np.int8)}
        _emit(state, node, "xnor_sum", node.inputs[0], Type("int", 0), arrays, zero=a.zero)
    elif signs and flat:
        _signed_sum(state, node, attrs, weight)
    else:
        _real_sum(state, node, attrs, weight)
    if signs and attrs.a.is_one_bit and state.types[node.id].fraction == 0:
        state.levels_of[node.id] = attrs.n_terms


def _product(state: Assembler, node: Node, attrs: Product) -> None:
    """Both factors depend on the input; the sizes of one-bit factors come behind the product."""
    if attrs.masked:
        raise state.refuse(node, "it is attention under a mask")
    inputs = tuple(state.real(i) for i in node.inputs)
    state.emit(node, "matmul_real", inputs, REAL, products=_products(attrs), turned=attrs.turned)


def _signed_sum(state: Assembler, node: Node, attrs: Product, weight: Array) -> None:
    signs = np.where(weight >= 0, 1, -1).astype(np.int8)
    (source,) = node.inputs
    have = state.types[source]
    if state.fraction is None:
        source, have = state.real(source), REAL
    elif have.kind != "int":
        have = Type("int", 0) if have.kind == "bits" or _is_units(attrs.a) else state.stream
        source = state.cast(source, have)
    _emit(state, node, "signed_sum", source, have, {"signs": signs}, products=_products(attrs))


def _is_units(domain: Domain) -> bool:
    return domain.kind in _NARROW and domain.scale == "one"


def _real_sum(state: Assembler, node: Node, attrs: Product, weight: Array) -> None:
    domain = attrs.weight
    bias: Array | None = None
    rank = len(node.shape)
    if domain.scale != "one" and domain.kind in (*_NARROW, "int"):  # its size comes as a step of its own
        sizes = state.constants.magnitudes(node.consts["weight"], rank).reshape(-1)
        weight = weight / sizes.reshape((-1,) + (1,) * (weight.ndim - 1))
        weight = weight if domain.kind == "int" or domain.asymmetric else np.rint(weight)
    if "bias" in node.consts:
        bias = state.constants.array(node.consts["bias"], rank, channels=node.op == "conv")
    if attrs.pre:
        scale, offset = state.constants.chain(attrs.pre, weight.ndim if node.op == "conv" else rank, state.size)
        if any(step.has_bias for step in attrs.pre):  # W (a x + b) + c = (W a) x + (W b + c)
            added = (weight * _channels_in(offset, weight, node)).reshape(len(weight), -1).sum(1)
            added = added.reshape((1, -1) + (1,) * (rank - 2) if node.op == "conv" else (1,) * (rank - 1) + (-1,))
            bias = added if bias is None else bias + added
        weight = weight * _channels_in(scale, weight, node)
    weight = weight * attrs.unit_in
    if attrs.post:
        scale, offset = state.constants.chain(attrs.post, rank, state.size)
        outputs = np.broadcast_to(scale.reshape(-1), (weight.shape[0],)) if scale.size > 1 else scale.reshape(-1)
        weight = weight * outputs.reshape((-1,) + (1,) * (weight.ndim - 1))
        bias = offset if bias is None else bias * scale + offset
    weight, bias = weight / attrs.unit, None if bias is None else bias / attrs.unit
    has_bias = "bias" in node.consts or any(step.has_bias for step in (*attrs.pre, *attrs.post))
    arrays: dict[str, Array] = {"weight": weight}
    if has_bias and bias is not None:
        arrays["bias"] = bias.reshape(-1) if bias.size in (1, weight.shape[0]) else bias
    exact = state.types[node.inputs[0]].kind == "bits" and domain.kind in _NARROW and not domain.asymmetric
    out = Type("int", 0) if exact and "bias" not in arrays else state.stream
    second = {"second": 0 if domain.kind == "ternary" else attrs.shared} if domain.asymmetric else {}
    _emit(state, node, "real_sum", state.real(node.inputs[0]), out, arrays, products=_products(attrs),
          fraction=-1 if out.kind == "real" else out.fraction, **second)  # fmt: skip


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


def _products(attrs: Product) -> list[list[Any]]:
    """How the ledger counts one product: [kind, operations per product, whether a sum of n takes one less]."""
    a, b = attrs.a, attrs.b
    if a.is_one_bit and b.kind == "ternary" and b.asymmetric:
        return [["and", 2, False], ["popcount", 2, False]]
    if a.kind in _NARROW and b.kind in _NARROW:
        if a.is_one_bit and b.codes.is_one_bit:
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
        if window.transposed:
            made = node.of(Product).results
            each = math.prod(node.shape[1:]) if made is None else made // node.shape[0]  # of one of its images
            geometry |= {"transposed": True, "results": each}
    elif node.of(Product).exchanged:
        raise state.refuse(node, "the constant is the first factor of the product")
    state.emit(node, op, (source,), type, arrays, **geometry, **params)
