"""Handlers of sums of products. Names in the comments are those of the shapes: n batch, c channels, k kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costmodel.graph.affine import Step, along_channels, literal_step
from costmodel.graph.attrs import Affine, Product, Softmax
from costmodel.graph.domain import FLOAT, Domain, accumulator
from costmodel.graph.operands import Constant, Window
from costmodel.graph.vocabulary import Called
from costmodel.trace.arguments import node_of, numel
from costmodel.trace.lowering import Lowering, window
from costmodel.trace.values import Value


def _scaled(domain: Domain) -> bool:
    return domain.kind in ("binary", "binary01", "ternary", "int") and domain.scale != "one"


def sum_of_products(
    state: Lowering, value: Value, op: str, x: int, weight: int | Constant, bias: Any, n_terms: int, macs: int,
    geometry: Window | None, weight_shape: tuple[int, ...], stem: bool = False, exchanged: bool = False,
    made: int | None = None,
) -> None:  # fmt: skip
    """``y[o] = sum over n_terms of x * w``, then the scale of the weights and the bias.

    Weights of few values are used without their scale: ``s_c * (sum w_b x)``, which is where the hidden
    multiplications of binary networks stand.
    """
    a = state.domain_of(x)
    b = state.domain_of(weight) if isinstance(weight, int) else weight.domain
    out: Domain = FLOAT  # real numbers, summed: no need to look
    if a.kind != "float" and b.kind not in ("float", "pow2"):
        out = accumulator(n_terms, a, b)
    consts: dict[str, Constant] = {}
    if isinstance(weight, Constant):
        consts["weight"] = weight
    bias_constant = state.constant(bias) if bias is not None else None
    rescale = isinstance(weight, Constant) and _scaled(b)
    if bias_constant is not None and not rescale:
        consts["bias"] = bias_constant
    node = state.emit(
        value, op, (x, weight) if isinstance(weight, int) else (x,), consts=consts, window=geometry,
        domain=out, attrs=Product(a, b, n_terms, macs, weight_shape, made, stem=stem, exchanged=exchanged),
    )  # fmt: skip
    if rescale and isinstance(weight, Constant):
        channels = weight_shape[0]
        if geometry is not None and geometry.transposed:
            channels = weight_shape[1] * geometry.groups
        scale = Constant(weight.id, (channels,) if b.per_channel else (), _scale_domain(b), path=weight.path)
        node = state.affine(value, node, Step("mul", (along_channels(scale, geometry),), "weight_scale"))
        if bias_constant is not None:
            state.affine(value, node, Step("add", (along_channels(bias_constant, geometry),), "bias"))
    if bias is not None and bias_constant is None:  # a bias that depends on the input
        state.emit(value, "add", (state.names[value.id], node_of(state, bias)), tags=("bias",))


def _scale_domain(domain: Domain) -> Domain:
    if domain.scale == "pow2":
        return Domain("pow2", 7, "pow2", domain.per_channel, domain.evidence)
    return Domain("float", 32, "real", domain.per_channel, domain.evidence)


def convolution(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[n, co, p] = sum over ci / groups and k of x[n, ci, p * stride + k] * w[co, ci / groups, k]
    x, weight, bias, stride, padding, dilation, transposed, _, groups = args
    if not state.is_online(x):
        state.unknown(value, "a convolution whose weights depend on the input and whose input does not")
        return
    w = state.operand(weight, 1 if transposed else 0)
    assert w is not None
    shape = state.shape(weight)
    kernel = shape[2:]
    geometry = window(kernel, stride, padding, dilation, groups, transposed)
    if transposed:  # every input element meets co / groups * k weights
        macs = numel(state.shape(x)) * shape[1] * numel(kernel)
        n_terms = shape[0] // groups * numel(kernel)
    else:
        n_terms = shape[1] * numel(kernel)
        macs = numel(value.shape) * n_terms
    stem = state.names[state.simplified.canonical[x.id]] in {leaf.id for leaf in state.inputs}
    made = _touched(state.shape(x), value.shape, geometry) if transposed else None
    sum_of_products(state, value, "conv", node_of(state, x), w, bias, n_terms, macs, geometry, shape, stem, made=made)


def _touched(shape_in: tuple[int, ...], shape_out: tuple[int, ...], w: Window) -> int:
    """How many results of a transposed convolution have a term at all: a stride beyond the kernel leaves gaps."""
    count = numel(shape_out[:2])
    places = zip(shape_in[2:], shape_out[2:], w.kernel, w.stride, w.padding, w.dilation, strict=True)
    for size, out, kernel, stride, padding, dilation in places:
        hit = {i * stride + k * dilation - padding for i in range(size) for k in range(kernel)}
        count *= sum(0 <= place < out for place in hit)
    return count


def linear(state: Lowering, value: Value, x: Any, weight: Any, bias: Any) -> None:
    # y[n, o] = sum over i of x[n, i] * w[i, o]
    exchanged = False
    if not state.is_online(x):
        if not state.is_online(weight):
            state.unknown(value, "a product of two constants")
            return
        x, weight, exchanged = weight, x, True  # constant @ online: the same sum with the roles exchanged
        w = state.operand(weight, 0)
        n_terms = state.shape(weight)[-1]
        shape = state.shape(weight)
    else:
        w = state.operand(weight, len(state.shape(weight)) - 1)
        n_terms = state.shape(x)[-1]
        shape = tuple(reversed(state.shape(weight))) if len(state.shape(weight)) == 2 else state.shape(weight)
    assert w is not None
    op = "matmul" if isinstance(w, int) else "linear"
    macs = numel(value.shape) * n_terms
    sum_of_products(state, value, op, node_of(state, x), w, bias, n_terms, macs, None, shape, exchanged=exchanged)


def addmm(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # [n, p] = alpha * [n, m] @ [m, p] + beta * bias
    alpha, beta = value.kwargs.get("alpha", 1), value.kwargs.get("beta", 1)
    bias = args[0] if beta != 0 else None
    if alpha == beta == 1 or (bias is None and alpha == 1):
        linear(state, value, args[1], args[2], bias)
        return
    linear(state, value, args[1], args[2], None)
    node = state.names[value.id]
    if alpha != 1:
        node = state.affine(value, node, literal_step(alpha), domain=FLOAT)
    offset = state.operand(bias) if bias is not None else None
    if isinstance(offset, Constant):
        scaled = offset if beta == 1 else replace(offset, factor=offset.factor * beta, domain=FLOAT)
        state.affine(value, node, Step("add", (scaled,), "bias"))
    elif isinstance(offset, int):
        if beta != 1:
            offset = state.affine(value, offset, literal_step(beta), domain=FLOAT)
        state.emit(value, "add", (node, offset), tags=("bias",))


def mm(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    linear(state, value, args[0], args[1], None)


def attention(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # [b, h, l, e] x [b, h, s, e] -> [b, h, l, s] / sqrt(e) -> softmax -> x [b, h, s, e] -> [b, h, l, e]
    query, key, val = args[:3]
    value.called = value.called or Called("scaled_dot_product_attention", value.id)
    q, k, v = (node_of(state, t) for t in (query, key, val))
    *batch, length, width = state.shape(query)
    span = state.shape(key)[-2]
    scores = (*batch, length, span)
    under_mask = value.kwargs.get("attn_mask") is not None or any(a not in (None, False, 0) for a in args[3:])
    logits = state.emit(value, "matmul", (q, k), shape=scores, domain=FLOAT, attrs=Product(
        state.domain_of(q), state.domain_of(k), width, numel(scores) * width, state.shape(key), turned=True,
        masked=under_mask))  # fmt: skip
    given = value.kwargs.get("scale")
    factor = float(given) if isinstance(given, (int, float)) else width**-0.5
    step = literal_step(factor)
    scaled = state.emit(value, "affine", (logits,), shape=scores, domain=FLOAT, attrs=Affine((step,)))
    mask = state.operand(value.kwargs.get("attn_mask"))
    if isinstance(mask, Constant):
        bias = Step("add", (mask,), "bias")
        scaled = state.emit(value, "affine", (scaled,), shape=scores, domain=FLOAT, attrs=Affine((bias,)))
    elif isinstance(mask, int):
        scaled = state.emit(value, "add", (scaled, mask), shape=scores, domain=FLOAT, tags=("bias",))
    weights = state.emit(value, "softmax", (scaled,), shape=scores, domain=FLOAT, attrs=Softmax(-1))
    state.emit(value, "matmul", (weights, v), domain=FLOAT, attrs=Product(
        FLOAT, state.domain_of(v), span, numel(value.shape) * span, state.shape(val), masked=under_mask))  # fmt: skip
