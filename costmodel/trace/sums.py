"""Rules of sums of products. Names in the comments are those of the shapes: n batch, c channels, k kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costmodel.graph.affine import Step, along_channels, literal_step
from costmodel.graph.attrs import Add, Affine, Product, Softmax
from costmodel.graph.domain import FLOAT, Domain, accumulator
from costmodel.graph.operands import Constant, Window
from costmodel.graph.vocabulary import Called
from costmodel.trace.arguments import node_of, numel
from costmodel.trace.lowering import Lowering, window
from costmodel.trace.rules import UncoveredError, counts
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
    if a.per_channel:  # a size of each channel is no common factor of the sum: its terms are real numbers
        a = FLOAT
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
        state.emit(value, "add", (state.names[value.id], node_of(state, bias)), attrs=Add(), tags=("bias",))


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
