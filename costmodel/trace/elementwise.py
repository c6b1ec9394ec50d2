"""Rules of what acts on each element alone, with operands that are constant or differ by channel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costmodel.graph.affine import Step, constant_class, literal_constant, literal_step
from costmodel.graph.attrs import Add, Call, Choose, Clamp, Compare, Gate, Round
from costmodel.graph.domain import BINARY01, FLOAT, Scale, integer
from costmodel.graph.functions import COMPARISONS, FUNCTIONS
from costmodel.graph.operands import Constant, In
from costmodel.trace.arguments import node_of, online_inputs, operand_of, operands_of
from costmodel.trace.lowering import Lowering
from costmodel.trace.rules import UncoveredError, counts
from costmodel.trace.values import Ref, Value

# -- sums, products and scales ----------------------------------------------------------------------------------------


@counts("mul")
def mul(state: Lowering, value: Value, x: Any, other: Any) -> None:
    a, b = state.operand(x), state.operand(other)
    if isinstance(a, int) and isinstance(b, int):
        op = "square" if a == b else "mul"
        kinds = Gate(state.domain_of(a), state.domain_of(b))
        state.emit(value, op, (a,) if a == b else (a, b), attrs=kinds, tags=("gate",))
        return
    node, c = (a, b) if isinstance(a, int) else (b, a)
    assert isinstance(node, int) and isinstance(c, Constant)
    state.affine(value, node, Step("mul", (c,), "const_mul"))


@counts("div", "true_divide")
def div(state: Lowering, value: Value, x: Any, other: Any, rounding_mode: str | None = None) -> None:
    a, b = state.operand(x), state.operand(other)
    if isinstance(a, int) and isinstance(b, Constant) and rounding_mode is None:
        state.affine(value, a, Step("div", (b,), "const_mul"))
        return
    inputs = tuple(dict.fromkeys(n for n in (a, b) if isinstance(n, int)))
    operands = tuple(operand_of(state, argument, inputs) for argument in (x, other))
    fn = "div" if rounding_mode is None else f"div_{rounding_mode}"
    state.emit(value, "special", inputs, attrs=Call(fn, operands))


@counts("add")
def add(state: Lowering, value: Value, x: Any, other: Any, alpha: float) -> None:
    _sum(state, value, x, other, alpha, 1)


@counts("sub")
def sub(state: Lowering, value: Value, x: Any, other: Any, alpha: float) -> None:
    _sum(state, value, x, other, alpha, -1)


@counts("rsub")
def rsub(state: Lowering, value: Value, x: Any, other: Any, alpha: float) -> None:
    _sum(state, value, other, x, alpha, -1)


def _sum(state: Lowering, value: Value, left: Any, right: Any, alpha: float, sign: int) -> None:
    """left + sign * alpha * right"""
    a, b = state.operand(left), state.operand(right)
    if isinstance(a, int) and isinstance(b, int):
        inputs = (a, _scaled(state, value, b, alpha))
        state.emit(value, "add", inputs, tags=("residual",), attrs=Add(sign < 0))
    elif isinstance(a, int) and isinstance(b, Constant):
        state.affine(value, a, Step("add" if sign > 0 else "sub", (_times(b, alpha),), "bias"))
    elif isinstance(b, int) and isinstance(a, Constant):
        fn: Any = "add" if sign > 0 else "rsub"
        state.affine(value, _scaled(state, value, b, alpha), Step(fn, (a,), "bias"))


def _scaled(state: Lowering, value: Value, node: int, factor: float) -> int:
    """``factor`` times a node, on the way to ``value``."""
    if factor == 1:
        return node
    return state.affine(value, node, literal_step(factor), domain=FLOAT)


def _times(constant: Constant, alpha: float) -> Constant:
    if alpha == 1:
        return constant
    if constant.literal is not None:
        return literal_constant(constant.literal * alpha)
    return replace(constant, factor=constant.factor * alpha, domain=FLOAT)


@counts("neg")
def neg(state: Lowering, value: Value, x: Any) -> None:
    state.affine(value, node_of(state, x), literal_step(-1.0))


@counts("addcmul", "addcdiv")
def add_product(state: Lowering, made: Value, x: Any, tensor1: Any, tensor2: Any, value: float) -> None:
    # y = x + value * a * b, or x + value * a / b
    if not (state.is_online(tensor1) or state.is_online(tensor2)):
        raise UncoveredError("its rule does not cover a product of two constants")
    (div if made.fn == "addcdiv" else mul)(state, made, tensor1, tensor2)
    _plus(state, made, x, state.names[made.id], value)


@counts("lerp")
def lerp(state: Lowering, value: Value, x: Any, end: Any, weight: Any) -> None:
    # y = x + weight * (end - x)
    _sum(state, value, end, x, 1, -1)
    difference = state.names[value.id]
    factor = state.operand(weight)
    if isinstance(factor, int):
        kinds = Gate(FLOAT, state.domain_of(factor))
        difference = state.emit(value, "mul", (difference, factor), attrs=kinds, domain=FLOAT, tags=("gate",))
    elif factor is not None:
        difference = state.affine(value, difference, Step("mul", (factor,), "const_mul"), domain=FLOAT)
    _plus(state, value, x, difference, 1)


def _plus(state: Lowering, value: Value, x: Any, term: int, factor: float) -> None:
    """x + factor * term, for an argument and a node."""
    term = _scaled(state, value, term, factor)
    left = state.operand(x)
    if isinstance(left, int):
        state.emit(value, "add", (left, term), tags=("residual",), attrs=Add())
    elif left is not None:
        state.affine(value, term, Step("add", (left,), "bias"))


@counts("pow")
def power(state: Lowering, value: Value, x: Any, exponent: Any) -> None:
    # x ** n by squaring: x ** 3 = x ** 2 * x, x ** 4 = (x ** 2) ** 2
    if not state.is_online(x) or isinstance(exponent, Ref) or exponent not in (2, 3, 4):
        _call(state, value)
        return
    source = node_of(state, x)
    square = state.emit(value, "square", (source,), attrs=Gate(), tags=("other",))
    if exponent == 3:
        state.emit(value, "mul", (square, source), tags=("gate",), attrs=Gate(FLOAT, FLOAT))
    elif exponent == 4:
        state.emit(value, "square", (square,), attrs=Gate(), tags=("other",))


@counts("glu")
def glu(state: Lowering, value: Value, x: Any, dim: int) -> None:
    # y = a * sigmoid(b) for the two halves a, b of x
    source = node_of(state, x)
    gate = state.emit(value, "special", (source,), domain=FLOAT, attrs=Call("glu"), tags=("activation",))
    half = state.emit(value, "gather", (source,), domain=FLOAT, attrs=Call("glu"))
    state.emit(value, "mul", (half, gate), attrs=Gate(FLOAT, FLOAT), domain=FLOAT, tags=("gate",))


# -- clipping and choosing --------------------------------------------------------------------------------------------


@counts("_prelu_kernel", "prelu")
def prelu(state: Lowering, value: Value, x: Any, weight: Any) -> None:
    # y = x where x >= 0 else slope[c] * x
    slope = state.operand(weight)
    if isinstance(slope, Constant):
        state.emit(value, "prelu", (node_of(state, x),), consts={"slope": slope}, tags=("prelu",))
    else:
        attrs = Call("prelu with a slope from the input")
        state.emit(value, "special", online_inputs(state, value), attrs=attrs)


@counts("leaky_relu")
def leaky_relu(state: Lowering, value: Value, x: Any, negative_slope: float) -> None:
    prelu(state, value, x, negative_slope)


@counts("relu")
def relu(state: Lowering, value: Value, x: Any) -> None:
    source = node_of(state, x)
    state.emit(value, "relu", (source,), tags=("relu",))


@counts("clamp")
def clamp(state: Lowering, value: Value, x: Any, min: Any = None, max: Any = None) -> None:
    if min == 0 and max is None:
        relu(state, value, x)
        return
    inputs = online_inputs(state, value)
    attrs = Clamp(operand_of(state, min, inputs), operand_of(state, max, inputs))
    state.emit(value, "clamp", inputs, attrs=attrs, tags=("clamp",))


@counts("clamp_min")
def clamp_min(state: Lowering, value: Value, x: Any, min: Any) -> None:
    clamp(state, value, x, min)


@counts("clamp_max")
def clamp_max(state: Lowering, value: Value, x: Any, max: Any) -> None:
    clamp(state, value, x, max=max)


@counts("hardtanh")
def hardtanh(state: Lowering, value: Value, x: Any, min_val: float, max_val: float) -> None:
    clamp(state, value, x, min_val, max_val)


@counts("relu6")
def relu6(state: Lowering, value: Value, x: Any) -> None:
    clamp(state, value, x, 0, 6)


@counts("hardswish", "hardsigmoid")
def hard_sigmoid(state: Lowering, value: Value, x: Any) -> None:
    # y = relu6(x + 3) / 6, and x times that for hardswish
    source = node_of(state, x)
    shifted = state.affine(value, source, Step("add", (literal_constant(3.0),), "bias"), domain=FLOAT)
    cut = state.emit(value, "clamp", (shifted,), attrs=Clamp(0.0, 6.0), domain=FLOAT, tags=("clamp",))
    if value.fn == "hardswish":
        cut = state.emit(value, "mul", (source, cut), attrs=Gate(FLOAT, FLOAT), domain=FLOAT, tags=("gate",))
    state.affine(value, cut, literal_step(1 / 6), domain=FLOAT)


@counts("threshold")
def threshold(state: Lowering, made: Value, x: Any, threshold: float, value: float) -> None:
    # y = x where x > threshold, else a number
    if threshold == 0 and value == 0:
        relu(state, made, x)
        return
    source = node_of(state, x)
    attrs = Compare("gt", (In(0), threshold), bound=threshold)
    above = state.emit(made, "compare", (source,), attrs=attrs, domain=BINARY01, tags=("binarize",))
    state.emit(made, "where", (above, source), attrs=Choose("where", (In(0), In(1), value)), tags=("other",))


@counts("maximum", "minimum")
def extremum(state: Lowering, value: Value, x: Any, other: Any) -> None:
    # elementwise minimum or maximum with a constant or with another activation
    a, b = state.operand(x), state.operand(other)
    if isinstance(a, int) and isinstance(b, int):
        state.emit(value, value.fn, (a, b), tags=("other",))
        return
    node, c = (a, b) if isinstance(a, int) else (b, a)
    assert isinstance(node, int) and isinstance(c, Constant)
    bound = c.literal if c.literal is not None else _constant_zero(state, c)
    if bound != 0.0:
        state.emit(value, value.fn, (node,), consts={"bound": c}, tags=("other",))
    elif value.fn == "maximum":
        state.emit(value, "relu", (node,), tags=("relu",))
    else:
        state.emit(value, "clamp", (node,), attrs=Clamp(None, 0.0), tags=("clamp",))


def _constant_zero(state: Lowering, constant: Constant) -> float | None:
    """0.0 if every element of an unscaled constant that the program made is zero."""
    value = state.simplified.recording.values[constant.id]
    made = not value.path and value.sample is not None and not bool(value.sample.any())
    return 0.0 if made else None


# -- signs, comparisons, rounding -------------------------------------------------------------------------------------


@counts("sign", "sgn")
def sign(state: Lowering, value: Value, x: Any) -> None:
    source = node_of(state, x)
    # torch.sign(0) is 0: a sum of integers can tie, and a ±1 datapath picks a side. Elsewhere a zero is meant, as in
    # the sign of a rectified value.
    domain = None if state.is_sum(source) else state.simplified.domain(value.id)
    meant = domain is not None and domain.kind in ("ternary", "binary01")
    state.emit(value, "sign", (source,), tags=("binarize",), domain=domain if meant else None)


@counts("ge", "gt", "le", "lt", "eq", "ne")
def compare(state: Lowering, value: Value, x: Any, other: Any) -> None:
    bound = state.constant(other)
    attrs = Compare(value.fn, operands_of(state, value), bound=None if bound is None else bound.literal)
    state.emit(value, "compare", online_inputs(state, value), attrs=attrs, tags=("binarize",))


@counts("heaviside")
def heaviside(state: Lowering, value: Value, x: Any, values: Any) -> None:
    attrs = Compare(value.fn, operands_of(state, value), bound=0.0)
    state.emit(value, "compare", online_inputs(state, value), attrs=attrs, tags=("binarize",))


@counts("signbit", "isnan", "isinf")
def test_of_one(state: Lowering, value: Value, x: Any) -> None:
    attrs = Compare(value.fn, operands_of(state, value), bound=0.0 if COMPARISONS[value.fn].with_zero else None)
    state.emit(value, "compare", online_inputs(state, value), attrs=attrs, tags=("binarize",))


@counts("abs")
def absolute(state: Lowering, value: Value, x: Any) -> None:
    state.emit(value, "abs", (node_of(state, x),), tags=("other",))


@counts("round", "floor", "ceil", "trunc", "frac")
def rounding(state: Lowering, value: Value, x: Any, decimals: int = 0) -> None:
    source = node_of(state, x)
    if decimals:  # to so many places behind the point
        source = state.affine(value, source, literal_step(10.0**decimals), domain=FLOAT)
    kind = FLOAT if decimals else None
    rounded = state.emit(value, "round", (source,), attrs=Round(value.fn), domain=kind, tags=("quantize",))
    if decimals:
        state.affine(value, rounded, Step("div", (literal_constant(10.0**decimals),), "const_mul"))


@counts(
    "fake_quantize_per_tensor_affine_cachemask", "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    "fake_quantize_per_channel_affine_cachemask",
)  # fmt: skip
def fake_quantize(
    state: Lowering, value: Value, x: Any, scale: Any, zero_point: Any, quant_min: int, quant_max: int,
    axis: int = 0, fake_quant_enabled: Any = None,
) -> None:  # fmt: skip
    # y = (clamp(round(x / scale) + zero, low, high) - zero) * scale, where a zero that is one number moves the bounds
    if value.output:
        raise UncoveredError("the mask of a fake quantisation is used")
    if (enabled := state.known.values(fake_quant_enabled)) is not None and not any(enabled):
        raise UncoveredError("its quantisation is switched off")
    source, step, zero = node_of(state, x), state.constant(scale), state.constant(zero_point)
    if step is None or zero is None:
        raise UncoveredError("its rule does not cover a step or a zero point that depends on the input")
    step, zero = (_along(constant, value.shape, axis) for constant in (step, zero))
    number = zero.literal if zero.literal is not None else zero.number
    if number is None and not zero.whole and not state.simplified.recording.shapes_alone:
        raise UncoveredError("its rule does not cover zero points that are no integers")
    apart = number is None and zero.numel > 1
    low, high = (float(end - (number or 0)) for end in (quant_min, quant_max))
    bits = (quant_max - quant_min).bit_length()
    divided = state.affine(value, source, Step("div", (step,), "const_mul"), domain=FLOAT)
    made = state.emit(value, "round", (divided,), attrs=Round("round"), domain=FLOAT, tags=("quantize",))
    if apart:
        made = state.affine(value, made, Step("add", (zero,), "bias"), domain=FLOAT)
    grid = integer(bits, signed=low < 0)
    made = state.emit(value, "clamp", (made,), attrs=Clamp(low, high), domain=grid, tags=("clamp",))
    if apart:
        grid = integer(bits)
        made = state.affine(value, made, Step("sub", (zero,), "bias"), domain=grid)
    kind = constant_class(step)
    size: Scale = kind if kind in ("one", "pow2") else "real"
    levels = replace(grid, scale=size, per_channel=step.numel > 1 and size != "one", evidence="rule")
    state.affine(value, made, Step("mul", (step,), "act_scale"), domain=levels)


def _along(constant: Constant, shape: tuple[int, ...], axis: int) -> Constant:
    """One number for each place along a dimension, as it lies against a value of this shape."""
    if constant.numel == 1:
        return constant
    return replace(constant, shape=(constant.numel, *(1 for _ in shape[axis % len(shape) + 1 :])))


@counts("logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_not",
        "bitwise_xor")  # fmt: skip
def logical(state: Lowering, value: Value, x: Any, other: Any = None) -> None:
    attrs = Call(value.fn, operands_of(state, value))
    state.emit(value, "logical", online_inputs(state, value), attrs=attrs, tags=("binarize",))


# -- functions that take a table or a series --------------------------------------------------------------------------


@counts(*(each.name for each in FUNCTIONS.values() if each.operands == 1 and not each.options))
def special(state: Lowering, value: Value, x: Any) -> None:
    _call(state, value)


@counts("atan2", "remainder", "fmod", "floor_divide", "hypot")
def special_of_two(state: Lowering, value: Value, x: Any, other: Any) -> None:
    _call(state, value)


@counts("gelu")
def gelu(state: Lowering, value: Value, x: Any, approximate: str) -> None:
    _call(state, value)


@counts("elu", "celu")
def elu(state: Lowering, value: Value, x: Any, alpha: float, scale: float = 1, input_scale: float = 1) -> None:
    _call(state, value)


@counts("softplus")
def softplus(state: Lowering, value: Value, x: Any, beta: float, threshold: float) -> None:
    _call(state, value)


@counts("logit")
def logit(state: Lowering, value: Value, x: Any, eps: float | None) -> None:
    _call(state, value)


def _call(state: Lowering, value: Value) -> None:
    attrs = Call(value.fn, operands_of(state, value))
    state.emit(value, "special", online_inputs(state, value), attrs=attrs, tags=("activation",))


@counts("native_dropout", "bernoulli", "rand_like", "randn_like")
def dropout(state: Lowering, value: Value, **arguments: Any) -> None:
    raise UncoveredError("it is random: the network was not in eval mode or draws numbers at inference")
