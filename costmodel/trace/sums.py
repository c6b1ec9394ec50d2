"""Rules of sums of products. Names in the comments are those of the shapes: n batch, c channels, k kernel."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from costmodel.graph.affine import Step, along_channels, literal_step
from costmodel.graph.attrs import Add, Affine, Move, Product, Softmax
from costmodel.graph.domain import FLOAT, Domain, accumulator
from costmodel.graph.operands import Constant, Window
from costmodel.graph.vocabulary import Called
from costmodel.trace.arguments import axes_of, node_of, numel
from costmodel.trace.lowering import Lowering, window
from costmodel.trace.ranges import Range
from costmodel.trace.rules import UncoveredError, counts
from costmodel.trace.values import Ref, Value


def _scaled(domain: Domain) -> bool:
    return domain.kind in ("binary", "binary01", "ternary", "int") and domain.scale != "one"


def sum_of_products(
    state: Lowering, value: Value, op: str, x: int, weight: int | Constant, bias: Any, n_terms: int, macs: int,
    geometry: Window | None, weight_shape: tuple[int, ...], stem: bool = False, exchanged: bool = False,
    made: int | None = None, by_rows: bool = False, shape: tuple[int, ...] | None = None,
) -> None:  # fmt: skip
    """``y[o] = sum over n_terms of x * w``, then the scale of the weights and the bias.

    Weights of few values are used without their scale: ``s_c * (sum w_b x)``, which is where the hidden
    multiplications of binary networks stand.
    """
    a = state.domain_of(x)
    if a.per_channel:  # a size of each channel is no common factor of the sum: its terms are real numbers
        a = replace(FLOAT, why=f"{a.why}: a size per channel is no common factor of a sum")
    b = state.domain_of(weight) if isinstance(weight, int) else weight.domain
    out: Domain = FLOAT  # real numbers, summed: no need to look
    if a.kind != "float" and b.kind not in ("float", "pow2") and not b.asymmetric:
        out = accumulator(n_terms, a, b)
        if a.scale == "one" and b.scale == "one":
            state.known.ranges[value.id] = _sum_range(n_terms, a, b)
    consts: dict[str, Constant] = {}
    if isinstance(weight, Constant):
        consts["weight"] = weight
        if b.asymmetric:
            channels = _channels(weight_shape, geometry)
            consts["offset"] = Constant(weight.id, (channels,) if b.per_channel else (), FLOAT, path=weight.path)
    bias_constant = state.constant(bias) if bias is not None else None
    rescale = isinstance(weight, Constant) and _scaled(b)
    if bias_constant is not None and not rescale:
        consts["bias"] = bias_constant
    node = state.emit(
        value, op, (x, weight) if isinstance(weight, int) else (x,), consts=consts, window=geometry, shape=shape,
        domain=out, attrs=Product(a, b, n_terms, macs, weight_shape, made, _shared(weight_shape, geometry), stem=stem,
                                  exchanged=exchanged, by_rows=by_rows),
    )  # fmt: skip
    if rescale and isinstance(weight, Constant):
        channels = _channels(weight_shape, geometry)
        scale = Constant(weight.id, (channels,) if b.per_channel else (), _scale_domain(b), path=weight.path)
        node = state.affine(value, node, Step("mul", (along_channels(scale, geometry),), "weight_scale"), shape=shape)
        if bias_constant is not None:
            state.affine(value, node, Step("add", (along_channels(bias_constant, geometry),), "bias"))
    if bias is not None and bias_constant is None:  # a bias that depends on the input
        state.emit(value, "add", (state.names[value.id], node_of(state, bias)), attrs=Add(), tags=("bias",))


def _sum_range(terms: int, a: Domain, b: Domain) -> Range:
    """Of integer sums."""
    top = float(terms * a.largest * b.largest)
    return Range(-top if a.signed or b.signed else 0.0, top, 1.0, sums=True)


def _channels(weight_shape: tuple[int, ...], geometry: Window | None) -> int:
    transposed = geometry is not None and geometry.transposed
    return weight_shape[1] * geometry.groups if transposed and geometry is not None else weight_shape[0]


def _shared(weight_shape: tuple[int, ...], geometry: Window | None) -> int:
    """How many results read each window."""
    channels = _channels(weight_shape, geometry) if weight_shape else 1
    return channels // geometry.groups if geometry is not None else channels


def _scale_domain(domain: Domain) -> Domain:
    if domain.scale == "pow2":
        return Domain("pow2", 7, "pow2", domain.per_channel, domain.evidence)
    return Domain("float", 32, "real", domain.per_channel, domain.evidence)


@counts("convolution", "_convolution")
def convolution(
    state: Lowering, value: Value, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any,
    groups: int, transposed: bool = False, output_padding: Any = 0,
) -> None:  # fmt: skip
    # y[n, co, p] = sum over ci / groups and k of x[n, ci, p * stride + k] * w[co, ci / groups, k]
    if not state.is_online(x):
        raise UncoveredError("a convolution whose weights depend on the input and whose input does not")
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


@counts("mkldnn_convolution")
def fused_convolution(
    state: Lowering, value: Value, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> None:
    convolution(state, value, x, weight, bias, stride, padding, dilation, groups)


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
            raise UncoveredError("a product of two constants")
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


def product_of_elements(state: Lowering, value: Value, x: Any, dim: Any) -> bool:
    """``(x[..., 1, i] * w[o, i]).sum(-1)`` is ``linear(x, w)``; False for any other sum.

    Only where nothing else reads the product, whose node is taken back.
    """
    product, shape = state.simplified.value(x.id), state.shape(x)
    rank, node = len(shape), state.nodes[-1] if state.nodes else None
    if product.fn != "mul" or axes_of(dim, rank) != (rank - 1,) or rank < 2 or state.readers(x.id) != 1:
        return False
    given = (product.args["x"], product.args["other"])
    online = [a for a in given if state.is_online(a)]
    weights = [a for a in given if isinstance(a, Ref) and not state.is_online(a)]
    if len(online) != 1 or len(weights) != 1 or node is None or node.id != state.names[product.id] or node.inner:
        return False
    factor, weight = (1,) * (rank - len(state.shape(online[0]))) + state.shape(online[0]), state.shape(weights[0])
    terms, outputs = shape[-1], math.prod(weight[:-1])
    rows = (*weight[-2:-1], terms) if len(weight) > 1 else (1, terms)
    one_by_one = len(weight) > 1 and factor[-2] == 1 and outputs == weight[-2] == shape[-2]
    if weight[-1:] != (terms,) or factor[-1] != terms or not (one_by_one or (outputs == 1 and len(weight) == 1)):
        return False
    w = state.operand(weights[0], len(weight) - 2 if len(weight) > 1 else None)
    assert w is not None
    state.nodes.pop()
    source = state.names[state.simplified.canonical[online[0].id]]
    flat = (*factor[:-2], terms) if one_by_one else factor
    if flat != state.shape(online[0]):
        moved = Move("view", (None, flat))
        source = state.emit(value, "view", (source,), shape=flat, domain=state.known_domain(source), attrs=moved)
    out = (*flat[:-1], rows[0])
    macs = numel(out) * terms
    sum_of_products(state, value, "linear", source, w, None, terms, macs, None, rows, by_rows=True, shape=out)
    if out != value.shape:
        moved, made_of = Move("view", (None, value.shape)), state.names[value.id]
        state.emit(value, "view", (made_of,), domain=state.known_domain(made_of), attrs=moved)
    return True


@counts("addmm", "baddbmm")
def addmm(state: Lowering, value: Value, x: Any, mat1: Any, mat2: Any, beta: float, alpha: float) -> None:
    # [n, p] = alpha * [n, m] @ [m, p] + beta * bias
    bias = x if beta != 0 else None
    if alpha == 1 and (beta == 1 or bias is None):
        linear(state, value, mat1, mat2, bias)
        return
    linear(state, value, mat1, mat2, None)
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
        state.emit(value, "add", (node, offset), attrs=Add(), tags=("bias",))


@counts("mm", "bmm", "mv", "dot")
def mm(state: Lowering, value: Value, x: Any, mat2: Any) -> None:
    linear(state, value, x, mat2, None)


@counts("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math")
def attention(
    state: Lowering, made: Value, query: Any, key: Any, value: Any, is_causal: bool = False, attn_mask: Any = None,
    scale: float | None = None,
) -> None:  # fmt: skip
    # [b, h, l, e] x [b, h, s, e] -> [b, h, l, s] / sqrt(e) -> softmax -> x [b, h, s, e] -> [b, h, l, e]
    if made.output:
        raise UncoveredError("what attention keeps for its gradient is used at inference")
    made.called = made.called or Called("scaled_dot_product_attention", made.id)
    q, k, v = (node_of(state, t) for t in (query, key, value))
    *batch, length, width = state.shape(query)
    span = state.shape(key)[-2]
    scores = (*batch, length, span)
    under_mask = attn_mask is not None or is_causal
    logits = state.emit(made, "matmul", (q, k), shape=scores, domain=FLOAT, attrs=Product(
        state.domain_of(q), state.domain_of(k), width, numel(scores) * width, state.shape(key), turned=True,
        masked=under_mask))  # fmt: skip
    step = literal_step(width**-0.5 if scale is None else scale)
    scaled = state.emit(made, "affine", (logits,), shape=scores, domain=FLOAT, attrs=Affine((step,)))
    mask = state.operand(attn_mask)
    if isinstance(mask, Constant):
        bias = Step("add", (mask,), "bias")
        scaled = state.emit(made, "affine", (scaled,), shape=scores, domain=FLOAT, attrs=Affine((bias,)))
    elif isinstance(mask, int):
        scaled = state.emit(made, "add", (scaled, mask), shape=scores, domain=FLOAT, attrs=Add(), tags=("bias",))
    weights = state.emit(made, "softmax", (scaled,), shape=scores, domain=FLOAT, attrs=Softmax(-1))
    state.emit(made, "matmul", (weights, v), domain=FLOAT, attrs=Product(
        FLOAT, state.domain_of(v), span, numel(made.shape) * span, state.shape(value), masked=under_mask))  # fmt: skip
