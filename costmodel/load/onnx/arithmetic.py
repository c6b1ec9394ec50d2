"""Operators element by element, products of matrices, reductions and normalisations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from costmodel.load.onnx.table import TYPES, Call, axes_of, integers, number, op, tensor


def _pair(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Of two operands, of which at least one must be a tensor."""

    def run(call: Call, a: Any, b: Any) -> Any:
        return function(a if isinstance(b, Tensor) else tensor(a), b)

    return run


def _all(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def run(call: Call, *inputs: Any) -> Any:
        total = inputs[0] if any(isinstance(x, Tensor) for x in inputs) else tensor(inputs[0])
        for x in inputs[1:]:
            total = function(total, x)
        return total

    return run


def _divide(a: Any, b: Any) -> Any:
    if all(isinstance(x, int) or (isinstance(x, Tensor) and not x.is_floating_point()) for x in (a, b)):
        return torch.div(a, b, rounding_mode="trunc")
    return a / b


op("Add")(_pair(lambda a, b: a + b))
op("Sub")(_pair(lambda a, b: a - b))
op("Mul")(_pair(lambda a, b: a * b))
op("Div")(_pair(_divide))
op("Pow")(_pair(lambda a, b: a**b))
op("Sum")(_all(lambda a, b: a + b))
op("Max")(_all(lambda a, b: torch.maximum(tensor(a, b), tensor(b, a)) if _many(a, b) else _bound(a, b, True)))
op("Min")(_all(lambda a, b: torch.minimum(tensor(a, b), tensor(b, a)) if _many(a, b) else _bound(a, b, False)))
op("Greater")(_pair(lambda a, b: a > b))
op("GreaterOrEqual")(_pair(lambda a, b: a >= b))
op("Less")(_pair(lambda a, b: a < b))
op("LessOrEqual")(_pair(lambda a, b: a <= b))
op("Equal")(_pair(lambda a, b: a == b))
op("And")(_pair(lambda a, b: torch.logical_and(tensor(a), tensor(b))))
op("Or")(_pair(lambda a, b: torch.logical_or(tensor(a), tensor(b))))
op("Xor")(_pair(lambda a, b: torch.logical_xor(tensor(a), tensor(b))))


def _many(a: Any, b: Any) -> bool:
    return isinstance(a, Tensor) and isinstance(b, Tensor)


def _bound(a: Any, b: Any, low: bool) -> Tensor:
    x, limit = (a, b) if isinstance(a, Tensor) else (b, a)
    return torch.clamp(x, min=limit) if low else torch.clamp(x, max=limit)


@op("Mod")
def _mod(call: Call, a: Any, b: Any) -> Tensor:
    a = tensor(a)
    return torch.fmod(a, b) if call.get("fmod", 0) else torch.remainder(a, b)


def _one(function: Callable[..., Any]) -> Callable[..., Tensor]:
    return lambda call, x: function(tensor(x))


for _name, _function in {
    "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Exp": torch.exp, "Log": torch.log,
    "Sqrt": torch.sqrt, "Abs": torch.abs, "Neg": torch.neg, "Reciprocal": torch.reciprocal, "Erf": torch.erf,
    "Floor": torch.floor, "Ceil": torch.ceil, "Round": torch.round, "Sign": torch.sign, "Sin": torch.sin,
    "Cos": torch.cos, "Tan": torch.tan, "Asin": torch.asin, "Acos": torch.acos, "Atan": torch.atan, "Sinh": torch.sinh,
    "Cosh": torch.cosh, "Asinh": torch.asinh, "Acosh": torch.acosh, "Atanh": torch.atanh, "Softsign": F.softsign,
    "Softplus": F.softplus, "HardSwish": F.hardswish, "Mish": F.mish, "IsNaN": torch.isnan,
    "Not": torch.logical_not, "Identity": lambda x: x, "Det": torch.det,
}.items():  # fmt: skip
    op(_name)(_one(_function))  # type: ignore[arg-type]


@op("IsInf")
def _isinf(call: Call, x: Tensor) -> Tensor:
    if call.get("detect_negative", 1) and call.get("detect_positive", 1):
        return torch.isinf(x)
    return torch.isposinf(x) if call.get("detect_positive", 1) else torch.isneginf(x)


@op("Gelu")
def _gelu(call: Call, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=call.get("approximate", "none"))


@op("LeakyRelu")
def _leaky(call: Call, x: Tensor) -> Tensor:
    return F.leaky_relu(x, call.get("alpha", 0.01))


@op("Elu")
def _elu(call: Call, x: Tensor) -> Tensor:
    return F.elu(x, call.get("alpha", 1.0))


@op("Celu")
def _celu(call: Call, x: Tensor) -> Tensor:
    return F.celu(x, call.get("alpha", 1.0))


@op("Selu")
def _selu(call: Call, x: Tensor) -> Tensor:
    return F.selu(x)


@op("ThresholdedRelu")
def _thresholded(call: Call, x: Tensor) -> Tensor:
    return F.threshold(x, call.get("alpha", 1.0), 0.0)


@op("Shrink")
def _shrink(call: Call, x: Tensor) -> Tensor:
    bias, limit = call.get("bias", 0.0), call.get("lambd", 0.5)
    return torch.where(x < -limit, x + bias, torch.where(x > limit, x - bias, torch.zeros_like(x)))


@op("HardSigmoid")
def _hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    alpha, beta = call.get("alpha", 0.2), call.get("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return F.hardsigmoid(x)
    return torch.clamp(x * alpha + beta, 0.0, 1.0)


@op("PRelu", keep=(1,))
def _prelu(call: Call, x: Tensor, slope: Tensor) -> Tensor:
    slope = tensor(slope)
    if slope.numel() == 1 or (slope.dim() == x.dim() - 1 and slope.numel() == slope.shape[0] == x.shape[1]):
        return F.prelu(x, slope.reshape(-1))
    return torch.where(x >= 0, x, x * slope)


@op("Clip")
def _clip(call: Call, x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    low = call.get("min") if low is None else low
    high = call.get("max") if high is None else high
    low, high = (number(v) if isinstance(v, Tensor) and v.numel() == 1 else v for v in (low, high))
    return x if low is None and high is None else torch.clamp(tensor(x), low, high)


@op("Where")
def _where(call: Call, condition: Any, a: Any, b: Any) -> Tensor:
    return torch.where(tensor(condition), a, b)


@op("Cast", "CastLike")
def _cast(call: Call, x: Any, like: Any = None) -> Tensor:
    if like is not None:
        return tensor(x).to(tensor(like).dtype)
    kind = TYPES.get(call.get("to", 1))
    if kind is None:
        call.refuse(f"elements of type {call.get('to')} are not known")
    return tensor(x).to(kind)


@op("BitShift")
def _shift(call: Call, a: Any, b: Any) -> Tensor:
    return torch.bitwise_left_shift(a, b) if call.get("direction") == "LEFT" else torch.bitwise_right_shift(a, b)


# -- products of matrices ---------------------------------------------------------------------------------------------


@op("MatMul", keep=(0, 1))
def _matmul(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(tensor(a), tensor(b))


@op("Gemm", keep=(0, 1))
def _gemm(call: Call, a: Tensor, b: Tensor, c: Any = None) -> Tensor:
    a = a.t() if call.get("transA", 0) else a
    weight = b if call.get("transB", 0) else b.t()
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    if alpha == beta == 1.0 and (c is None or (isinstance(c, Tensor) and c.shape == (weight.shape[0],))):
        return F.linear(a, weight, c)
    product = F.linear(a, weight)
    product = product if alpha == 1.0 else product * alpha
    return product if c is None or beta == 0.0 else product + (c if beta == 1.0 else c * beta)


@op("Einsum", keep=tuple(range(8)))
def _einsum(call: Call, *inputs: Tensor) -> Tensor:
    return torch.einsum(call.get("equation"), *inputs)


# -- reductions -------------------------------------------------------------------------------------------------------


def _reduce(name: str, since: int, function: Callable[[Tensor, list[int], bool], Tensor]) -> None:
    @op(name)
    def run(call: Call, x: Tensor, axes: Any = None) -> Tensor:
        found = axes_of(call, axes, since)
        if not found and call.get("noop_with_empty_axes", 0):
            return x
        return function(tensor(x), found or list(range(x.dim())), bool(call.get("keepdims", 1)))


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((a % x.dim() for a in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keep)
    return x


_reduce("ReduceSum", 13, lambda x, a, k: torch.sum(x, a, k))
_reduce("ReduceMean", 18, lambda x, a, k: torch.mean(x, a, k))
_reduce("ReduceMax", 18, lambda x, a, k: torch.amax(x, a, k))
_reduce("ReduceMin", 18, lambda x, a, k: torch.amin(x, a, k))
_reduce("ReduceProd", 18, _product)
_reduce("ReduceL1", 18, lambda x, a, k: torch.sum(torch.abs(x), a, k))
_reduce("ReduceL2", 18, lambda x, a, k: torch.sqrt(torch.sum(x * x, a, k)))
_reduce("ReduceSumSquare", 18, lambda x, a, k: torch.sum(x * x, a, k))
_reduce("ReduceLogSum", 18, lambda x, a, k: torch.log(torch.sum(x, a, k)))
_reduce("ReduceLogSumExp", 18, lambda x, a, k: torch.logsumexp(x, a, k))


@op("ArgMax", "ArgMin")
def _arg(call: Call, x: Tensor) -> Tensor:
    function = torch.argmax if call.op == "ArgMax" else torch.argmin
    if call.get("select_last_index", 0):
        call.refuse("the last of equal elements is not covered")
    return function(x, call.get("axis", 0), bool(call.get("keepdims", 1)))


@op("CumSum")
def _cumsum(call: Call, x: Tensor, axis: Any) -> Tensor:
    if call.get("exclusive", 0) or call.get("reverse", 0):
        call.refuse("exclusive or reversed sums are not covered")
    return torch.cumsum(x, integers(axis)[0])


@op("TopK")
def _topk(call: Call, x: Tensor, k: Any = None) -> tuple[Tensor, Tensor]:
    count = integers(call.get("k") if k is None else k)[0]
    made = torch.topk(x, count, call.get("axis", -1), bool(call.get("largest", 1)), bool(call.get("sorted", 1)))
    return made.values, made.indices


@op("Softmax", "LogSoftmax", "Hardmax")
def _softmax(call: Call, x: Tensor) -> Tensor:
    function = {"Softmax": torch.softmax, "LogSoftmax": torch.log_softmax}.get(call.op, _hardmax)
    if call.opset >= 13:
        return function(x, call.get("axis", -1))
    axis = call.get("axis", 1) % max(1, x.dim())
    if axis == x.dim() - 1:
        return function(x, -1)
    return function(x.flatten(axis), -1).reshape(x.shape)


def _hardmax(x: Tensor, axis: int) -> Tensor:
    return torch.zeros_like(x).scatter(axis, torch.argmax(x, axis, keepdim=True), 1.0)


# -- normalisations ---------------------------------------------------------------------------------------------------


@op("BatchNormalization", keep=(1, 2, 3, 4))
def _batch_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return F.batch_norm(x, mean, var, scale, bias, False, 0.0, call.get("epsilon", 1e-5))


@op("InstanceNormalization", keep=(1, 2))
def _instance_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.instance_norm(x, weight=scale, bias=bias, eps=call.get("epsilon", 1e-5))


@op("LayerNormalization", keep=(1, 2))
def _layer_norm(call: Call, x: Tensor, scale: Tensor | None = None, bias: Tensor | None = None) -> Any:
    if call.results > 1:
        call.refuse("its mean and deviation as results are not covered")
    return F.layer_norm(x, x.shape[call.get("axis", -1) % x.dim() :], scale, bias, call.get("epsilon", 1e-5))


@op("RMSNormalization", keep=(1,))
def _rms_norm(call: Call, x: Tensor, scale: Tensor | None = None) -> Tensor:
    return F.rms_norm(x, x.shape[call.get("axis", -1) % x.dim() :], scale, call.get("epsilon", 1e-5))


@op("GroupNormalization", keep=(1, 2))
def _group_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    groups = call.get("num_groups")
    if scale.numel() != x.shape[1]:  # one per group before version 21
        scale, bias = (v.repeat_interleave(x.shape[1] // groups) for v in (scale, bias))
    return F.group_norm(x, groups, scale, bias, call.get("epsilon", 1e-5))


@op("LpNormalization")
def _lp_norm(call: Call, x: Tensor) -> Tensor:
    return F.normalize(x, p=float(call.get("p", 2)), dim=call.get("axis", -1), eps=0.0)


@op("MeanVarianceNormalization")
def _mean_variance(call: Call, x: Tensor) -> Tensor:
    axes = call.get("axes", [0, 2, 3])
    centred = x - torch.mean(x, axes, True)
    return centred / (torch.sqrt(torch.mean(centred * centred, axes, True)) + 1e-9)


@op("LRN")
def _lrn(call: Call, x: Tensor) -> Tensor:
    return F.local_response_norm(
        x, call.get("size"), call.get("alpha", 1e-4), call.get("beta", 0.75), call.get("bias", 1.0)
    )


@op("Dropout")
def _dropout(call: Call, x: Tensor, ratio: Any = None, training: Any = None) -> Any:
    if training is not None and bool(number(training)):
        call.refuse("it is in training mode; export the network for inference")
    return (x, torch.ones_like(x, dtype=torch.bool)) if call.results > 1 else x


@op("Attention")
def _attention(call: Call, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *more: Any) -> Tensor:
    if more or q.dim() != 4 or call.get("softcap", 0.0):
        call.refuse("only four dimensions, without a cache or a cap, are covered")
    return F.scaled_dot_product_attention(
        q, k, v, mask, is_causal=bool(call.get("is_causal", 0)), scale=call.get("scale"),
        enable_gqa=q.shape[1] != k.shape[1],
    )  # fmt: skip
