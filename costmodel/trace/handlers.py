"""One handler an aten operation. Names in the comments are those of the shapes: n batch, c channels, k kernel."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from costmodel.domain import FLOAT, Domain, accumulator_bits, integer
from costmodel.ledger.ledger import Window
from costmodel.trace.affine import Step
from costmodel.trace.domains import classify, classify_literal
from costmodel.trace.graph import Constant, In
from costmodel.trace.lower import Handler, Lowering, window
from costmodel.trace.record import Ref, Value

#: Operations that move elements without computing, by the op name they get.
FREE: dict[str, str] = {
    **dict.fromkeys(
        ("aten.view", "aten.reshape", "aten._unsafe_view", "aten.squeeze", "aten.unsqueeze", "aten.flatten",
         "aten.view_as", "aten._reshape_alias", "aten.resize", "aten.unflatten"), "view"),
    **dict.fromkeys(
        ("aten.permute", "aten.transpose", "aten.t", "aten.movedim", "aten.flip", "aten.roll", "aten.pixel_shuffle",
         "aten.pixel_unshuffle", "aten.channel_shuffle", "aten.native_channel_shuffle", "aten.swapaxes"), "permute"),
    **dict.fromkeys(
        ("aten.slice", "aten.select", "aten.split", "aten.split_with_sizes", "aten.unsafe_split",
         "aten.unsafe_split_with_sizes", "aten.unsafe_chunk", "aten.chunk", "aten.narrow",
         "aten.unbind", "aten.unfold", "aten.im2col", "aten.as_strided", "aten.diagonal", "aten.tril", "aten.triu",
         "aten.slice_scatter", "aten.select_scatter"), "slice"),
    **dict.fromkeys(("aten.expand", "aten.expand_as", "aten.repeat", "aten.broadcast_to", "aten.repeat_interleave",
                     "aten.upsample_nearest2d"), "expand"),
    **dict.fromkeys(("aten.cat", "aten.concat"), "concat"),
    "aten.stack": "stack",
    **dict.fromkeys(("aten.constant_pad_nd", "aten.reflection_pad1d", "aten.reflection_pad2d",
                     "aten.replication_pad1d", "aten.replication_pad2d"), "pad"),
    **dict.fromkeys(("aten._to_copy", "aten.copy", "aten.clone", "aten.contiguous", "aten.fill", "aten.zero",
                     "aten.detach", "aten.lift_fresh"), "cast"),
    **dict.fromkeys(("aten.zeros_like", "aten.ones_like", "aten.full_like", "aten.empty_like", "aten.new_zeros",
                     "aten.new_ones", "aten.new_full", "aten.new_empty", "aten.new_empty_strided",
                     "aten.empty_strided"), "cast"),
    "costmodel.alias_write": "alias_write", "costmodel.alias": "view",
}  # fmt: skip


def _unit(domain: Domain) -> Domain:
    """The kind without its scale, which is applied after the sum."""
    return Domain(domain.kind, domain.bits, "one", False, domain.evidence)


def _scaled(domain: Domain) -> bool:
    return domain.kind in ("binary", "binary01", "ternary", "int") and domain.scale != "one"


def sum_of_products(
    state: Lowering, value: Value, op: str, x: int, weight: int | Constant, bias: Any, n_terms: int, macs: int,
    geometry: Window | None, weight_shape: tuple[int, ...], stem: bool = False, exchanged: bool = False,
) -> None:  # fmt: skip
    """``y[o] = sum over n_terms of x * w``, then the scale of the weights and the bias.

    Weights of few values are used without their scale: ``s_c * (sum w_b x)``, which is where the hidden
    multiplications of binary networks stand.
    """
    a = state.domain_of(x)
    online = isinstance(weight, int)
    b = state.domain_of(weight) if isinstance(weight, int) else weight.domain
    out: Domain = FLOAT  # real numbers, summed: no need to look
    if a.kind != "float" and b.kind not in ("float", "pow2"):
        out = integer(accumulator_bits(n_terms, a.bits, b.bits))
    consts: dict[str, Constant] = {}
    if isinstance(weight, Constant):
        consts["weight"] = weight
    bias_constant = state.constant(bias) if bias is not None else None
    rescale = isinstance(weight, Constant) and _scaled(b)
    if bias_constant is not None and not rescale:
        consts["bias"] = bias_constant
    node = state.emit(
        value, op, (x, weight) if isinstance(weight, int) else (x,), consts=consts, window=geometry,
        domain=out, attrs={"a": a, "b": _unit(b), "n_terms": n_terms, "macs": macs, "weight_shape": weight_shape,
               "weight_domain": b, "dynamic": online, "stem": stem, "exchanged": exchanged},
    )  # fmt: skip
    if rescale and isinstance(weight, Constant):
        scale = Constant(weight.id, (weight_shape[0],) if b.per_channel else (), _scale_domain(b), path=weight.path)
        node = state.affine(value, node, Step("mul", (scale,), "weight_scale"))
        if bias_constant is not None:
            state.affine(value, node, Step("add", (bias_constant,), "bias"))
    if bias is not None and bias_constant is None:  # a bias that depends on the input
        state.emit(value, "add", (state.names[value.id], _node(state, bias)), tags=("bias",))


def _scale_domain(domain: Domain) -> Domain:
    if domain.scale == "pow2":
        return Domain("pow2", 7, "pow2", domain.per_channel, domain.evidence)
    return Domain("float", 32, "real", domain.per_channel, domain.evidence)


def _node(state: Lowering, argument: Any) -> int:
    operand = state.operand(argument)
    if not isinstance(operand, int):
        raise TypeError("expected a value that depends on the input")
    return operand


def _numel(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


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
        macs = _numel(state.shape(x)) * shape[1] * _numel(kernel)
        n_terms = shape[0] // groups * _numel(kernel)
    else:
        n_terms = shape[1] * _numel(kernel)
        macs = _numel(value.shape) * n_terms
    stem = state.names[state.simplified.canonical[x.id]] in {leaf.id for leaf in state.inputs}
    sum_of_products(state, value, "conv", _node(state, x), w, bias, n_terms, macs, geometry, shape, stem)


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
    macs = _numel(value.shape) * n_terms
    sum_of_products(state, value, op, _node(state, x), w, bias, n_terms, macs, None, shape, exchanged=exchanged)


def addmm(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # [n, p] = [n, m] @ [m, p] + bias
    linear(state, value, args[1], args[2], args[0])


def mm(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    linear(state, value, args[0], args[1], None)


def attention(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # [b, h, l, e] x [b, h, s, e] -> [b, h, l, s] -> softmax -> x [b, h, s, e] -> [b, h, l, e]
    query, key, val = args[:3]
    q, k, v = (_node(state, t) for t in (query, key, val))
    *batch, length, width = state.shape(query)
    span = state.shape(key)[-2]
    scores = (*batch, length, span)
    logits = state.emit(value, "matmul", (q, k), shape=scores, domain=FLOAT, attrs={
        "a": state.domain_of(q), "b": _unit(state.domain_of(k)), "n_terms": width, "macs": _numel(scores) * width,
        "weight_shape": state.shape(key), "weight_domain": state.domain_of(k), "dynamic": True, "stem": False})  # fmt: skip
    weights = state.emit(value, "softmax", (logits,), shape=scores, domain=FLOAT)
    state.emit(value, "matmul", (weights, v), domain=FLOAT, attrs={
        "a": FLOAT, "b": _unit(state.domain_of(v)), "n_terms": span, "macs": _numel(value.shape) * span,
        "weight_shape": state.shape(val), "weight_domain": state.domain_of(v), "dynamic": True, "stem": False})  # fmt: skip


def batch_norm(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]
    if ":" in value.op:  # the saved statistics
        state.unknown(value, "statistics of a batch norm are used at inference")
        return
    x, weight, bias, mean, var = args[:5]
    training = args[5] if isinstance(args[5], bool) else False
    eps = next(a for a in reversed(args) if isinstance(a, float))
    if training or mean is None or state.is_online(mean) or not state.is_online(x):
        norm(state, value, args)
        return
    constants = tuple(state.constant(c) for c in (weight, bias, mean, var))
    source = _node(state, x)
    real = FLOAT if state.domain_of(source).is_float else None
    state.affine(value, source, Step("batch_norm", constants, "bn_scale", eps), domain=real)


def norm(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # statistics of the input itself: layer, group and instance norm, or a batch norm without running statistics
    if ":" in value.op:
        state.unknown(value, "statistics of a normalisation are used at inference")
        return
    constants = {f"const{i}": c for i, a in enumerate(args[1:]) if isinstance(a, Ref) and (c := state.constant(a))}
    state.emit(value, "norm", (_node(state, args[0]),), consts=constants, tags=("normalize",))


def mul(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    a, b = state.operand(args[0]), state.operand(args[1])
    if isinstance(a, int) and isinstance(b, int):
        op = "square" if a == b else "mul"
        state.emit(value, op, (a,) if a == b else (a, b), tags=("gate",))
        return
    x, c = (a, b) if isinstance(a, int) else (b, a)
    assert isinstance(x, int) and isinstance(c, Constant)
    state.affine(value, x, Step("mul", (c,), "const_mul"))


def div(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    if len(args) > 2 or value.kwargs.get("rounding_mode"):
        state.emit(value, "special", _online(state, value), attrs={"fn": "div_round"})
        return
    a, b = state.operand(args[0]), state.operand(args[1])
    if isinstance(a, int) and isinstance(b, Constant):
        state.affine(value, a, Step("div", (b,), "const_mul"))
    else:
        state.emit(value, "special", _online(state, value), attrs={"fn": "div"})


def add(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    _sum(state, value, args[0], args[1], value.kwargs.get("alpha", args[2] if len(args) > 2 else 1), 1)


def sub(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    _sum(state, value, args[0], args[1], value.kwargs.get("alpha", args[2] if len(args) > 2 else 1), -1)


def rsub(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    _sum(state, value, args[1], args[0], value.kwargs.get("alpha", args[2] if len(args) > 2 else 1), -1)


def _sum(state: Lowering, value: Value, left: Any, right: Any, alpha: float, sign: int) -> None:
    """left + sign * alpha * right"""
    a, b = state.operand(left), state.operand(right)
    if isinstance(a, int) and isinstance(b, int):
        inputs = (a, b)
        if alpha != 1:
            literal = Constant(-1, (), classify_literal(float(alpha)), float(alpha))
            inputs = (a, state.affine(value, b, Step("mul", (literal,), "const_mul"), domain=FLOAT))
        state.emit(value, "add", inputs, tags=("residual",), attrs={"subtract": sign < 0})
    elif isinstance(a, int) and isinstance(b, Constant):
        state.affine(value, a, Step("add" if sign > 0 else "sub", (_times(b, alpha),), "bias"))
    elif isinstance(b, int) and isinstance(a, Constant):
        fn: Any = "add" if sign > 0 else "rsub"
        state.affine(value, b, Step(fn, (a,), "bias"))


def _times(constant: Constant, alpha: float) -> Constant:
    if alpha == 1:
        return constant
    literal = None if constant.literal is None else constant.literal * alpha
    return Constant(constant.id, constant.shape, constant.domain, literal, constant.path)


def neg(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    minus = Constant(-1, (), classify_literal(-1.0), -1.0)
    state.affine(value, _node(state, args[0]), Step("mul", (minus,), "const_mul"))


def prelu(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = x where x >= 0 else slope[c] * x
    slope = state.operand(args[1] if len(args) > 1 else 0.01)
    if isinstance(slope, Constant):
        state.emit(value, "prelu", (_node(state, args[0]),), consts={"slope": slope}, tags=("prelu",))
    else:
        state.emit(value, "special", _online(state, value), attrs={"fn": "prelu with a slope from the input"})


def relu(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.emit(value, "relu", (_node(state, args[0]),), tags=("relu",))


def clamp(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    low, high = (*args[1:3], None, None)[:2]
    low, high = value.kwargs.get("min", low), value.kwargs.get("max", high)
    if low == 0 and high is None:
        relu(state, value, args)
        return
    attrs = {"min": low, "max": high, "sides": (low is not None) + (high is not None)}
    state.emit(value, "clamp", (_node(state, args[0]),), attrs=attrs, tags=("clamp",))


def clamp_min(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    clamp(state, value, (args[0], args[1], None))


def clamp_max(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    clamp(state, value, (args[0], None, args[1]))


def hardtanh(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    clamp(state, value, (args[0], *(args[1:3] if len(args) > 1 else (-1.0, 1.0))))


def extremum(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # elementwise minimum or maximum with a constant or with another activation
    which = "maximum" if "maximum" in value.op else "minimum"
    a, b = state.operand(args[0]), state.operand(args[1])
    if isinstance(a, int) and isinstance(b, int):
        state.emit(value, which, (a, b), tags=("other",))
        return
    x, c = (a, b) if isinstance(a, int) else (b, a)
    assert isinstance(x, int) and isinstance(c, Constant)
    bound = c.literal if c.literal is not None else _constant_zero(state, c)
    if bound == 0.0:
        if which == "maximum":
            state.emit(value, "relu", (x,), tags=("relu",))
        else:
            state.emit(value, "clamp", (x,), attrs={"min": None, "max": 0.0, "sides": 1}, tags=("clamp",))
        return
    state.emit(value, which, (x,), consts={"bound": c}, tags=("other",))


def _constant_zero(state: Lowering, constant: Constant) -> float | None:
    """0.0 if every element of an unscaled constant that the program made is zero."""
    value = state.simplified.recording.values[constant.id]
    made = not value.path and value.sample is not None and not bool(value.sample.any())
    return 0.0 if made else None


def sign(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    source = _node(state, args[0])
    domain = state.simplified.domain(value.id)
    tie = domain.kind == "ternary" and state.op_of(source) in _SUMS
    if tie or domain.kind == "pow2":
        # torch.sign(0) is 0: a sum of integers can tie, and a ±1 datapath picks a side. And an input that happens to
        # give one sign everywhere does not make a sign a constant.
        domain = Domain("binary", 1, evidence="rule")
    state.emit(value, "sign", (source,), tags=("binarize",), domain=domain)


#: Ops whose results are sums: a zero among them is a tie, not a third value that was meant.
_SUMS = frozenset({"conv", "linear", "matmul", "affine", "add", "prelu", "max_pool", "input"})


def compare(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    bound = state.constant(args[1]) if len(args) > 1 else None
    attrs = {"fn": value.op, "bound": bound.literal if bound is not None else None, "operands": _operands(state, value)}
    domain = Domain("binary01", 1, evidence="rule")
    state.emit(value, "compare", _online(state, value), attrs=attrs, tags=("binarize",), domain=domain)


def where(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    attrs = {"fn": "where", "operands": _operands(state, value)}
    state.emit(value, "where", _online(state, value), attrs=attrs, tags=("other",), domain=_two_branches(state, args))


def _two_branches(state: Lowering, args: tuple[Any, ...]) -> Domain | None:
    """The kind of a choice between two constants, whichever of them this input happened to choose everywhere."""
    if len(args) != 3:
        return None
    branches = []
    for argument in args[1:]:
        if isinstance(argument, (int, float)):
            branches.append(torch.tensor([float(argument)]))
        elif isinstance(argument, Ref) and not state.simplified.online[state.simplified.canonical[argument.id]]:
            sample = state.simplified.value(argument.id).sample
            if sample is None or sample.numel() == 0 or not bool((sample == sample.flatten()[0]).all()):
                return None
            branches.append(sample.flatten()[:1].float())
        else:
            return None
    domain = classify(torch.cat(branches))
    return replace(domain, evidence="rule") if domain.is_one_bit else None


def _operands(state: Lowering, value: Value) -> tuple[Any, ...]:
    """The arguments in their order: the position among the node's inputs (:class:`In`), a constant, or a plain value."""
    inputs = _online(state, value)

    def code(argument: Any) -> Any:
        if isinstance(argument, tuple):
            return tuple(code(a) for a in argument)
        operand = state.operand(argument) if isinstance(argument, Ref) else argument
        return In(inputs.index(operand)) if isinstance(argument, Ref) and isinstance(operand, int) else operand

    return tuple(code(a) for a in value.args)


def _online(state: Lowering, value: Value) -> tuple[int, ...]:
    numbers = (state.simplified.canonical[i] for i in value.inputs)
    return tuple(dict.fromkeys(state.names[i] for i in numbers if state.simplified.online[i]))


def max_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[n, c, p] = max over k of x[n, c, p * stride + k]: k - 1 comparisons
    if ":" in value.op:
        state.unknown(value, "the indices of a max pool are used")
        return
    kernel, stride = args[1], args[2] if len(args) > 2 else ()
    padding = args[3] if len(args) > 3 else 0
    geometry = window(_pair(kernel, value), stride, padding, args[4] if len(args) > 4 else 1)
    source = _node(state, args[0])
    state.emit(value, "max_pool", (source,), window=geometry, domain=state.domain_of(source), tags=("maxpool",))


def _pair(kernel: Any, value: Value) -> tuple[int, ...]:
    kernel = tuple(kernel) if isinstance(kernel, (list, tuple)) else (kernel,)
    spatial = len(value.shape) - 2
    return kernel * spatial if len(kernel) == 1 else kernel


def avg_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y[n, c, p] = 1 / k * sum over k of x[n, c, p * stride + k]: k - 1 additions and one scale
    kernel = _pair(args[1], value)
    stride = args[2] if len(args) > 2 else ()
    geometry = window(kernel, stride, args[3] if len(args) > 3 else 0, 1)
    _mean(state, value, _node(state, args[0]), _numel(kernel), "avg_pool", "avgpool", geometry)


def adaptive_avg_pool(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    size_in, size_out = state.shape(args[0])[2:], value.shape[2:]
    if any(i % o for i, o in zip(size_in, size_out, strict=True)):
        state.unknown(value, "adaptive average pooling with windows of unequal size")
        return
    kernel = tuple(i // o for i, o in zip(size_in, size_out, strict=True))
    whole = all(o == 1 for o in size_out)
    geometry = window(kernel, kernel, 0, 1)
    name, tag = ("gap", "gap") if whole else ("avg_pool", "avgpool")
    _mean(state, value, _node(state, args[0]), _numel(kernel), name, tag, geometry)


def mean(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    shape = state.shape(args[0])
    count = _numel(shape) // max(1, _numel(value.shape))
    dims = args[1] if len(args) > 1 and isinstance(args[1], tuple) else tuple(range(len(shape)))
    spatial = len(shape) > 2 and {d % len(shape) for d in dims} == set(range(2, len(shape)))
    geometry = window(shape[2:], shape[2:], 0, 1) if spatial else None
    _mean(state, value, _node(state, args[0]), count, "gap" if spatial else "mean", "gap" if spatial else "other", geometry)


def _mean(state: Lowering, value: Value, x: int, count: int, op: str, tag: str, geometry: Window | None) -> None:
    total = state.emit(value, op, (x,), window=geometry, attrs={"count": count}, domain=FLOAT, tags=(tag,))
    if count > 1:
        literal = Constant(-1, (), classify_literal(1.0 / count), 1.0 / count)
        state.affine(value, total, Step("mul", (literal,), tag))


def reduce(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # sum, max, min, ... over some dimensions
    if ":" in value.op:
        state.unknown(value, "the indices of a reduction are used")
        return
    count = _numel(state.shape(args[0])) // max(1, _numel(value.shape))
    name = value.op.split(".")[1]
    fn = "add" if name in ("sum", "nansum") else "compare" if name in ("amax", "amin", "max", "min") else name
    if fn not in ("add", "compare"):
        state.unknown(value)
        return
    state.emit(value, "reduce", (_node(state, args[0]),), attrs={"fn": fn, "count": count}, tags=("other",))


def statistics(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    count = _numel(state.shape(args[0])) // max(1, _numel(value.shape))
    state.emit(value, "variance", (_node(state, args[0]),), attrs={"count": count}, tags=("normalize",))


def softmax(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.emit(value, "softmax", (_node(state, args[0]),), tags=("activation",))


def special(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    attrs = {"fn": value.op.split(".")[1], "operands": _operands(state, value)}
    state.emit(value, "special", _online(state, value), attrs=attrs, tags=("activation",))


def power(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    if state.is_online(args[0]) and args[1] == 2 and not isinstance(args[1], Ref):
        state.emit(value, "square", (_node(state, args[0]),), tags=("other",))
    else:
        special(state, value, args)


def absolute(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.emit(value, "abs", (_node(state, args[0]),), tags=("other",))


def rounding(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.emit(value, "round", (_node(state, args[0]),), attrs={"fn": value.op.split(".")[1]}, tags=("quantize",))


def logical(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    attrs = {"fn": value.op.split(".")[1], "operands": _operands(state, value)}
    state.emit(value, "logical", _online(state, value), attrs=attrs, tags=("binarize",))


def masked_write(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # x[mask] = v, masked_fill: a selection by element
    attrs = {"fn": value.op.split(".")[1].strip("_"), "operands": _operands(state, value)}
    state.emit(value, "where", _online(state, value), attrs=attrs, tags=("other",))


def lookup(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    table = next((c for a in args if isinstance(a, Ref) and (c := state.constant(a)) is not None), None)
    op = "embedding" if table is not None and table.path else "gather"
    state.emit(value, op, _online(state, value), consts={"table": table} if op == "embedding" and table else {})


def dropout(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.unknown(value, "it is random: the model was not in eval mode or draws numbers at inference")


_BY_HANDLER: dict[Handler, tuple[str, ...]] = {
    convolution: ("convolution", "_convolution", "mkldnn_convolution"),
    addmm: ("addmm", "baddbmm"),
    mm: ("mm", "bmm", "mv", "dot"),
    attention: ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math"),
    batch_norm: ("native_batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit",
                 "_batch_norm_no_update"),
    norm: ("native_layer_norm", "native_group_norm", "_fused_rms_norm"),
    mul: ("mul",),
    div: ("div", "true_divide"),
    add: ("add",),
    sub: ("sub",),
    rsub: ("rsub",),
    neg: ("neg",),
    prelu: ("_prelu_kernel", "prelu", "leaky_relu"),
    relu: ("relu",),
    clamp: ("clamp",),
    clamp_min: ("clamp_min",),
    clamp_max: ("clamp_max",),
    hardtanh: ("hardtanh", "relu6"),
    extremum: ("maximum", "minimum"),
    sign: ("sign", "sgn"),
    compare: ("ge", "gt", "le", "lt", "eq", "ne", "heaviside", "signbit"),
    where: ("where",),
    max_pool: ("max_pool2d_with_indices", "max_pool2d", "max_pool3d_with_indices", "mkldnn_max_pool2d"),
    avg_pool: ("avg_pool2d", "avg_pool3d"),
    adaptive_avg_pool: ("_adaptive_avg_pool2d", "_adaptive_avg_pool3d"),
    mean: ("mean",),
    reduce: ("sum", "amax", "amin", "max", "min", "nansum"),
    statistics: ("var", "std", "var_mean", "std_mean"),
    softmax: ("_softmax", "_safe_softmax", "_log_softmax"),
    special: ("sigmoid", "tanh", "exp", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "erf", "gelu", "silu",
              "elu", "softplus", "mish", "hardswish", "hardsigmoid", "sin", "cos", "reciprocal", "atan",
              "log_sigmoid_forward", "celu", "selu", "softsign"),
    power: ("pow",),
    absolute: ("abs",),
    rounding: ("round", "floor", "ceil", "trunc"),
    logical: ("logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_not",
              "bitwise_xor"),
    masked_write: ("masked_fill", "index_put", "_index_put_impl", "masked_scatter"),
    lookup: ("embedding", "index", "index_select", "gather", "take"),
    dropout: ("native_dropout", "bernoulli", "rand_like", "randn_like"),
}  # fmt: skip

HANDLERS: dict[str, Handler] = {f"aten.{name}": handler for handler, names in _BY_HANDLER.items() for name in names}
