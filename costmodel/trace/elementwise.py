"""Handlers of what acts on each element alone, with operands that are constant or differ by channel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costmodel.graph.affine import Step, literal_constant, literal_step
from costmodel.graph.attrs import Add, Call, Choose, Clamp, Compare, Gate, Norm, Round, Softmax
from costmodel.graph.domain import BINARY01, FLOAT, Domain, integer
from costmodel.graph.operands import Constant, In
from costmodel.trace.arguments import function_of, node_of, numel, online_inputs, operand_of, operands_of
from costmodel.trace.lowering import Lowering
from costmodel.trace.values import Ref, Value


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
    constants = tuple(state.constant(c, look=False) for c in (weight, bias, mean, var))
    source = node_of(state, x)
    real = FLOAT if state.domain_of(source).is_float else None
    state.affine(value, source, Step("batch_norm", constants, "bn_scale", eps), domain=real)


def norm(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # statistics of the input itself: layer, group and instance norm, or a batch norm without running statistics
    if ":" in value.op:
        state.unknown(value, "statistics of a normalisation are used at inference")
        return
    fn = value.op.split(".")[1]
    groups = value.shape[1] if len(value.shape) > 1 else 1  # how many means and variances there are
    gain, shift = args[1:3]
    if fn == "native_group_norm":
        groups = value.shape[0] * args[6]
    elif fn != "native_batch_norm":
        groups = numel(value.shape[: len(value.shape) - len(args[1])])
        gain, shift = args[2], args[3] if fn == "native_layer_norm" else None
    mean, var = args[3:5] if "batch_norm" in fn else (None, None)
    named = {"gain": gain, "shift": shift, "mean": mean, "var": var}
    constants = {name: c for name, a in named.items() if isinstance(a, Ref) and (c := state.constant(a))}
    eps = next((float(a) for a in reversed(args) if isinstance(a, float)), 0.0)
    attrs = Norm(fn, groups, eps, gain is not None, shift is not None)
    state.emit(value, "norm", (node_of(state, args[0]),), consts=constants, attrs=attrs, tags=("normalize",))


def mul(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    a, b = state.operand(args[0]), state.operand(args[1])
    if isinstance(a, int) and isinstance(b, int):
        op = "square" if a == b else "mul"
        kinds = Gate(state.domain_of(a), state.domain_of(b))
        state.emit(value, op, (a,) if a == b else (a, b), attrs=kinds, tags=("gate",))
        return
    x, c = (a, b) if isinstance(a, int) else (b, a)
    assert isinstance(x, int) and isinstance(c, Constant)
    state.affine(value, x, Step("mul", (c,), "const_mul"))


def div(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    if len(args) > 2 or value.kwargs.get("rounding_mode"):
        state.emit(value, "special", online_inputs(state, value), attrs=Call("div_round"))
        return
    a, b = state.operand(args[0]), state.operand(args[1])
    if isinstance(a, int) and isinstance(b, Constant):
        state.affine(value, a, Step("div", (b,), "const_mul"))
    else:
        state.emit(value, "special", online_inputs(state, value), attrs=Call("div", operands_of(state, value)))


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
            inputs = (a, state.affine(value, b, literal_step(alpha), domain=FLOAT))
        state.emit(value, "add", inputs, tags=("residual",), attrs=Add(sign < 0))
    elif isinstance(a, int) and isinstance(b, Constant):
        state.affine(value, a, Step("add" if sign > 0 else "sub", (_times(b, alpha),), "bias"))
    elif isinstance(b, int) and isinstance(a, Constant):
        if alpha != 1:
            b = state.affine(value, b, literal_step(alpha), domain=FLOAT)
        fn: Any = "add" if sign > 0 else "rsub"
        state.affine(value, b, Step(fn, (a,), "bias"))


def _times(constant: Constant, alpha: float) -> Constant:
    if alpha == 1:
        return constant
    if constant.literal is not None:
        return literal_constant(constant.literal * alpha)
    return replace(constant, factor=constant.factor * alpha, domain=FLOAT)


def neg(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.affine(value, node_of(state, args[0]), literal_step(-1.0))


def prelu(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = x where x >= 0 else slope[c] * x
    slope = state.operand(args[1] if len(args) > 1 else 0.01)
    if isinstance(slope, Constant):
        state.emit(value, "prelu", (node_of(state, args[0]),), consts={"slope": slope}, tags=("prelu",))
    else:
        state.emit(value, "special", online_inputs(state, value), attrs=Call("prelu with a slope from the input"))


def relu(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    source = node_of(state, args[0])
    state.emit(value, "relu", (source,), domain=_continuous(state, value, source), tags=("relu",))


def _continuous(state: Lowering, value: Value, source: int) -> Domain | None:
    """What cuts off real numbers leaves real numbers, however few of them were seen and however many are at the cut.

    A grid of several levels is another matter: rounded numbers of any range are few once they are cut off.
    """
    if not state.domain_of(source).is_float or state.simplified.domain(value.id).kind == "int":
        return None
    return FLOAT


def clamp(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    low, high = (*args[1:3], None, None)[:2]
    low, high = value.kwargs.get("min", low), value.kwargs.get("max", high)
    if low == 0 and high is None:
        relu(state, value, args)
        return
    source, inputs = node_of(state, args[0]), online_inputs(state, value)
    attrs = Clamp(operand_of(state, low, inputs), operand_of(state, high, inputs))
    state.emit(value, "clamp", inputs, attrs=attrs, domain=_continuous(state, value, source), tags=("clamp",))


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
            state.emit(value, "clamp", (x,), attrs=Clamp(None, 0.0), tags=("clamp",))
        return
    state.emit(value, which, (x,), consts={"bound": c}, tags=("other",))


def _constant_zero(state: Lowering, constant: Constant) -> float | None:
    """0.0 if every element of an unscaled constant that the program made is zero."""
    value = state.simplified.recording.values[constant.id]
    made = not value.path and value.sample is not None and not bool(value.sample.any())
    return 0.0 if made else None


def sign(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    source = node_of(state, args[0])
    domain = state.simplified.domain(value.id)
    # torch.sign(0) is 0: a sum of integers can tie, and a ±1 datapath picks a side. Elsewhere a zero is meant, as in
    # the sign of a rectified value.
    meant = domain.kind in ("ternary", "binary01") and not state.is_sum(source)
    state.emit(value, "sign", (source,), tags=("binarize",), domain=domain if meant else None)


def compare(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    bound = state.constant(args[1]) if len(args) > 1 else None
    attrs = Compare(function_of(value), operands_of(state, value), bound=bound.literal if bound is not None else None)
    state.emit(value, "compare", online_inputs(state, value), attrs=attrs, tags=("binarize",))


def softmax(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    attrs = Softmax(args[1], log=value.op.startswith("aten._log"))
    state.emit(value, "softmax", (node_of(state, args[0]),), attrs=attrs, tags=("activation",))


def special(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    plain = all(v in (None, False, "none") for v in value.kwargs.values())
    attrs = Call(function_of(value), operands_of(state, value), plain)
    state.emit(value, "special", online_inputs(state, value), attrs=attrs, tags=("activation",))


def power(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # x ** n by squaring: x ** 3 = x ** 2 * x, x ** 4 = (x ** 2) ** 2
    if not state.is_online(args[0]) or args[1] not in (2, 3, 4) or isinstance(args[1], Ref):
        special(state, value, args)
        return
    x = node_of(state, args[0])
    square = state.emit(value, "square", (x,), attrs=Gate(), tags=("other",))
    if args[1] == 3:
        state.emit(value, "mul", (square, x), tags=("gate",), attrs=Gate(FLOAT, FLOAT))
    elif args[1] == 4:
        state.emit(value, "square", (square,), attrs=Gate(), tags=("other",))


def hard_sigmoid(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = relu6(x + 3) / 6, and x times that for hardswish
    x = node_of(state, args[0])
    shifted = state.affine(value, x, Step("add", (literal_constant(3.0),), "bias"), domain=FLOAT)
    cut = state.emit(value, "clamp", (shifted,), attrs=Clamp(0.0, 6.0), domain=FLOAT, tags=("clamp",))
    if "hardswish" in value.op:
        cut = state.emit(value, "mul", (x, cut), attrs=Gate(FLOAT, FLOAT), domain=FLOAT, tags=("gate",))
    state.affine(value, cut, literal_step(1 / 6), domain=FLOAT)


def glu(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = a * sigmoid(b) for the two halves a, b of x
    x = node_of(state, args[0])
    gate = state.emit(value, "special", (x,), domain=FLOAT, attrs=Call("glu"), tags=("activation",))
    half = state.emit(value, "gather", (x,), domain=FLOAT)
    state.emit(value, "mul", (half, gate), attrs=Gate(FLOAT, FLOAT), domain=FLOAT, tags=("gate",))


def add_product(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = x + factor * a * b, or x + factor * a / b
    x, a, b = args[:3]
    factor = value.kwargs.get("value", args[3] if len(args) > 3 else 1)
    if not (state.is_online(a) or state.is_online(b)):
        state.unknown(value, "a scaled product of two constants")
        return
    (div if "addcdiv" in value.op else mul)(state, value, (a, b))
    _plus(state, value, x, state.names[value.id], factor)


def lerp(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = x + weight * (end - x)
    x, end, weight = args[:3]
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
    if factor != 1:
        term = state.affine(value, term, literal_step(factor), domain=FLOAT)
    left = state.operand(x)
    if isinstance(left, int):
        state.emit(value, "add", (left, term), tags=("residual",), attrs=Add())
    elif left is not None:
        state.affine(value, term, Step("add", (left,), "bias"))


def fake_quantize(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = (clamp(round(x / scale) + zero, low, high) - zero) * scale
    if ":" in value.op:
        state.unknown(value, "the mask of a fake quantisation is used")
        return
    x, scale = node_of(state, args[0]), state.constant(args[1])
    low, high = (a for a in args[-2:])
    if scale is None or not isinstance(low, int):
        state.unknown(value, "a quantisation whose step depends on the input")
        return
    bits = (high - low).bit_length()
    grid = integer(bits, signed=low < 0)
    divided = state.affine(value, x, Step("div", (scale,), "const_mul"), domain=FLOAT)
    rounded = state.emit(value, "round", (divided,), attrs=Round("round"), domain=FLOAT, tags=("quantize",))
    bounds = Clamp(float(low), float(high))
    cut = state.emit(value, "clamp", (rounded,), attrs=bounds, domain=grid, tags=("clamp",))
    real_step = replace(grid, scale="real", per_channel=scale.numel > 1, evidence="rule")
    state.affine(value, cut, Step("mul", (scale,), "act_scale"), domain=real_step)


def threshold(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    # y = x where x > threshold, else a number
    x = node_of(state, args[0])
    if args[1] == 0 and args[2] == 0:
        relu(state, value, args)
        return
    attrs = Compare("gt", (In(0), args[1]), bound=args[1])
    above = state.emit(value, "compare", (x,), attrs=attrs, domain=BINARY01, tags=("binarize",))
    state.emit(value, "where", (above, x), attrs=Choose("where", (In(0), In(1), args[2])), tags=("other",))


def absolute(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.emit(value, "abs", (node_of(state, args[0]),), tags=("other",))


def rounding(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.emit(value, "round", (node_of(state, args[0]),), attrs=Round(function_of(value)), tags=("quantize",))


def logical(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    attrs = Call(function_of(value), operands_of(state, value))
    state.emit(value, "logical", online_inputs(state, value), attrs=attrs, tags=("binarize",))


def dropout(state: Lowering, value: Value, args: tuple[Any, ...]) -> None:
    state.unknown(value, "it is random: the model was not in eval mode or draws numbers at inference")
