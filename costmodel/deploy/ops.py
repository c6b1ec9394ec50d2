"""What each instruction does to arrays, and how many operations that is.

Every function takes the instruction, its operands and a tally (or ``None``), and returns its result. Operations are
counted from the arrays that are really there, not from the shapes that the graph promised. Maps are ``[n, c, h, w]``;
±1 and 0/1 values are int8, integers int64, real numbers float64.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from costmodel.deploy.elementwise import by_channel, cut, scale_add, shift_add, shift_negative
from costmodel.deploy.program import Array, Instruction

#: (module, call, op, kind) -> operations, for the whole batch.
Tally = Counter[tuple[str, int, str, str]]
Operation = Callable[[Instruction, list[Any], "Tally | None"], Array]


def count(tally: Tally | None, i: Instruction, kind: str, operations: int) -> None:
    if tally is not None and operations:
        tally[i.module, i.call, i.node_op, kind] += operations


# -- formats -----------------------------------------------------------------------------------------------------


def to_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    return x[0].astype(np.float64) * 2.0 ** -i.params["fraction"]


def to_int(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    return np.rint(x[0] * 2.0 ** i.params["fraction"]).astype(np.int64)


def move_point(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    return x[0].astype(np.int64) << i.params["left"]


def recode(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    high = (x[0] > 0) != i.params["invert"]
    return np.where(high, np.int8(1), np.int8(0 if i.params.get("zero") else -1))


# -- scale, bias, slope, threshold ---------------------------------------------------------------------------------


def shift(x: Array, left: Array) -> Array:
    """x * 2^left; to the right rounding half up, which in hardware is a carry into the next adder."""
    if left.size == 1:
        amount = int(left.reshape(-1)[0])
        if amount >= 0:
            return x << amount
        return (x + (1 << (-amount - 1))) >> -amount
    left = left.astype(np.int64)
    right = np.maximum(-left, 0)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    return ((x << np.maximum(left, 0)) + half) >> right


def _count_scale(i: Instruction, size: int, tally: Tally | None) -> None:
    by_channel = "shift_channel" if i.params["per_channel"] else "shift_const"
    match i.params["mode"]:
        case "real":
            count(tally, i, "mul", size)
        case "pow2":
            count(tally, i, by_channel, size)
        case "csd2" | "csd3":
            count(tally, i, by_channel, size * i.params["terms"])
            count(tally, i, "add", size * (i.params["terms"] - 1))
        case "lut":
            count(tally, i, "lut", size)
        case "sign":
            count(tally, i, "signflip", 0 if i.params.get("has_bias") else size)


def affine_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    result = x[0] * i.arrays["scale"] + i.arrays["bias"]
    _count_scale(i, result.size, tally)
    count(tally, i, "add", result.size * i.params["has_bias"])
    return result


def affine_int(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    (value,) = x
    bias = i.arrays["bias"]
    if "table" in i.arrays:
        table = i.arrays["table"].astype(np.int64)
        index = value.astype(np.int64) + i.params["levels"]
        rows = np.arange(len(table)).reshape((1, -1) + (1,) * (value.ndim - 2))
        result = table[rows, index] + bias
    elif "scale" in i.arrays:
        flat = by_channel(value, i.arrays["scale"], bias)
        if flat is not None:
            result = scale_add(*flat).reshape(value.shape)
        else:
            result = np.rint(value * i.arrays["scale"]).astype(np.int64) + bias
    else:
        factor, left = i.arrays["factor"], i.arrays["left"]
        flat = by_channel(value, factor, left, bias)
        if flat is not None:
            result = shift_add(*flat).reshape(value.shape)
        else:
            result = shift(value * factor.astype(np.int64), left) + bias
    _count_scale(i, result.size, tally)
    count(tally, i, "add", result.size * i.params["has_bias"])
    return result


def prelu_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    _count_scale(i, x[0].size, tally)
    return np.where(x[0] >= 0, x[0], x[0] * i.arrays["slope"])


def prelu_int(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    (value,) = x
    _count_scale(i, value.size, tally)
    if "slope" in i.arrays:
        low = np.rint(value * i.arrays["slope"]).astype(np.int64)
    else:
        flat = by_channel(value, i.arrays["factor"], i.arrays["left"])
        if flat is not None:
            return shift_negative(*flat).reshape(value.shape)
        low = shift(value * i.arrays["factor"].astype(np.int64), i.arrays["left"])
    return np.where(value >= 0, value, low)


def relu(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "compare", x[0].size)
    return np.maximum(x[0], 0)


def clamp(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "compare", x[0].size * (("min" in i.params) + ("max" in i.params)))
    return np.clip(x[0], i.params.get("min"), i.params.get("max"))


def threshold(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    (value,) = x
    count(tally, i, "compare", value.size)
    limits, rising = i.arrays["limits"], i.arrays["rising"]
    flat = by_channel(value, limits, rising)
    if flat is not None:
        maps, floors, directions = flat
        return cut(maps, floors, directions, 0 if i.params["zero"] else -1).reshape(value.shape)
    high = value >= limits
    if not bool((rising == 1).all()):
        high = np.where(rising == 1, high, value <= limits)
    if i.params["zero"]:
        return high.astype(np.int8)
    return (high.astype(np.int8) << 1) - np.int8(1)


def add(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    result = x[0] - x[1] if i.params["subtract"] else x[0] + x[1]
    count(tally, i, "add", result.size)
    return result


# -- windows -----------------------------------------------------------------------------------------------------


def windows(x: Array, kernel: list[int], stride: list[int], padding: list[int], fill: Any) -> Array:
    """All windows: [n, c, h, w] -> [n, c, h_out, w_out, kh, kw] (a view)."""
    if any(padding):
        x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, tuple(kernel), (2, 3))
    return view[:, :, :: stride[0], :: stride[1]]


def max_pool(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    (value,) = x
    lowest = -np.inf if value.dtype.kind == "f" else np.iinfo(value.dtype).min
    result = _reduce(np.maximum, windows(value, i.params["kernel"], i.params["stride"], i.params["padding"], lowest))
    count(tally, i, "compare", result.size * (math.prod(i.params["kernel"]) - 1))
    return result


def pooled_sum(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    (value,) = x
    kernel = i.params["kernel"]
    if tuple(kernel) == value.shape[2:] and not any(i.params["padding"]):
        result = value.sum((2, 3), dtype=value.dtype)
    else:
        result = _reduce(np.add, windows(value, kernel, i.params["stride"], i.params["padding"], 0))
    count(tally, i, "add", result.size * (math.prod(kernel) - 1))
    return result.reshape((value.shape[0], *i.shape[1:]))


def _reduce(fn: Any, view: Array) -> Array:
    """Tap by tap, which reads memory in order."""
    result = view[..., 0, 0].copy()
    for ky in range(view.shape[-2]):
        for kx in range(view.shape[-1]):
            if ky or kx:
                fn(result, view[..., ky, kx], out=result)
    return result


# -- element by element in double precision -------------------------------------------------------------------------


def _arguments(i: Instruction, x: list[Array]) -> list[Any]:
    def decode(code: Any) -> Any:
        if isinstance(code, list) and len(code) == 2 and code[0] in ("in", "const"):
            return x[code[1]] if code[0] == "in" else i.arrays[code[1]]
        return [decode(c) for c in code] if isinstance(code, list) else code

    return [decode(code) for code in i.params["operands"]]


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "ge": np.greater_equal, "gt": np.greater, "le": np.less_equal, "lt": np.less, "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip


def compare_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    name = i.params["fn"].split(".")[1].rstrip("_")
    arguments = _arguments(i, x)
    if name == "heaviside":
        result = np.heaviside(*arguments)
    elif name == "signbit":
        result = np.signbit(arguments[0])
    else:
        result = _COMPARISONS[name](*arguments)
    count(tally, i, "compare", result.size)
    return np.asarray(result, dtype=np.float64)


def sign_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "compare", x[0].size)
    if i.params["domain"] == "ternary":
        return np.sign(x[0])
    return np.where(x[0] >= 0, 1.0, -1.0)


def where_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    arguments = _arguments(i, x)
    if i.params["fn"] == "where":
        condition, high, low = arguments
    elif i.params["fn"] == "masked_fill":
        low, condition, high = arguments[:3]
    else:  # index_put with a mask
        low, (condition, *_), high = arguments[:3]
    result = np.where(np.asarray(condition) != 0, high, low)
    count(tally, i, "lut", result.size)
    return np.asarray(result, dtype=np.float64)


def logical_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    arguments = [np.asarray(a) != 0 for a in _arguments(i, x)]
    name = i.params["fn"].split("_")[-1]
    result = ~arguments[0] if name == "not" else getattr(np, f"logical_{name}")(*arguments[:2])
    count(tally, i, "and", result.size)
    return np.asarray(result, dtype=np.float64)


def round_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "add", x[0].size)
    return {"round": np.rint, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc}[i.params["fn"].rstrip("_")](x[0])


def extremum_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    other = x[1] if len(x) > 1 else i.arrays["bound"]
    count(tally, i, "compare", x[0].size)
    return (np.minimum if i.node_op == "minimum" else np.maximum)(x[0], other)


def mul_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    result = x[0] * x[-1]
    count(tally, i, i.params.get("kind", "mul"), result.size)
    return result


def abs_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "signflip", x[0].size)
    return np.abs(x[0])


def _sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6.0 + 0.5, 0.0, 1.0)


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[np.float64])(x)


_SPECIAL: dict[str, Callable[..., Array]] = {
    "tanh": np.tanh, "sigmoid": _sigmoid, "exp": np.exp, "sqrt": np.sqrt, "log": np.log, "atan": np.arctan, "erf": _erf,
    "rsqrt": lambda x: 1.0 / np.sqrt(x), "reciprocal": lambda x: 1.0 / x, "silu": lambda x: x * _sigmoid(x),
    "hardsigmoid": _hard_sigmoid, "hardswish": lambda x: x * _hard_sigmoid(x), "div": np.divide, "pow": np.power,
    "softplus": lambda x: np.logaddexp(0.0, x), "gelu": lambda x: 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0))),
}  # fmt: skip


def special_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    arguments = [a for a in _arguments(i, x) if isinstance(a, (np.ndarray, int, float))]
    function = _SPECIAL[i.params["fn"]]
    result = function(*arguments) if i.params["fn"] in ("div", "pow") else function(arguments[0])
    count(tally, i, "special", result.size)
    return np.asarray(result, dtype=np.float64)


from costmodel.deploy.moves import move  # noqa: E402
from costmodel.deploy.sums import real_sum, signed_sum, xnor_sum  # noqa: E402

OPS: dict[str, Operation] = {
    "to_real": to_real, "to_int": to_int, "move_point": move_point, "recode": recode, "affine_real": affine_real,
    "affine_int": affine_int, "prelu_real": prelu_real, "prelu_int": prelu_int, "relu": relu, "clamp": clamp,
    "threshold": threshold, "add": add, "max_pool": max_pool, "pooled_sum": pooled_sum, "compare_real": compare_real,
    "sign_real": sign_real, "where_real": where_real, "logical_real": logical_real, "round_real": round_real,
    "minimum_real": extremum_real, "maximum_real": extremum_real, "mul_real": mul_real, "square_real": mul_real,
    "abs_real": abs_real, "special_real": special_real, "move": move, "real_sum": real_sum, "signed_sum": signed_sum,
    "xnor_sum": xnor_sum,
}  # fmt: skip
