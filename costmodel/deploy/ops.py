"""What each instruction does to arrays, and how many operations that is.

Every function takes the instruction, its operands and a tally (or ``None``), and returns its result. Operations are
counted from the arrays that are really there, not from the shapes that the graph promised. Maps are ``[n, c, h, w]``;
±1 and 0/1 values are int8, integers int64, real numbers float64.
"""

from __future__ import annotations

import numpy as np

# Importing the others registers what they carry out.
from costmodel.deploy import moves, pointwise, sums, windows  # noqa: F401
from costmodel.deploy.elementwise import by_channel, cut, scale_add, scale_negative, shift_add, shift_negative
from costmodel.deploy.program import Array, Instruction
from costmodel.deploy.tally import OPS, Tally, count, executes

__all__ = ["OPS", "shift"]

# -- formats -----------------------------------------------------------------------------------------------------


@executes("to_real")
def to_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    return x[0].astype(np.float64) * 2.0 ** -i.params["fraction"]


@executes("to_int")
def to_int(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    return np.rint(x[0] * 2.0 ** i.params["fraction"]).astype(np.int64)


@executes("move_point")
def move_point(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    return x[0].astype(np.int64) << i.params["left"]


@executes("recode")
def recode(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    high = (x[0] > 0) != i.params["invert"]
    return np.where(high, np.int8(1), np.int8(0 if i.params["zero"] else -1))


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
            kind = "xnor" if i.params.get("signs") else "signflip"
            count(tally, i, kind, 0 if i.params.get("has_bias") else size)


@executes("affine_real")
def affine_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    result = x[0] * i.arrays["scale"] + i.arrays["bias"]
    _count_scale(i, result.size, tally)
    count(tally, i, "add", result.size * i.params["has_bias"])
    return result


@executes("affine_int")
def affine_int(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    (value,) = x
    bias = i.arrays["bias"]
    if "table" in i.arrays:
        table = i.arrays["table"].astype(np.int64)
        index = value.astype(np.int64) + i.params["levels"]
        rows = np.arange(len(table)).reshape(i.params["rows"])
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


@executes("prelu_real")
def prelu_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    _count_scale(i, x[0].size, tally)
    return np.where(x[0] >= 0, x[0], x[0] * i.arrays["slope"])


@executes("prelu_int")
def prelu_int(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    (value,) = x
    _count_scale(i, value.size, tally)
    if "slope" in i.arrays:
        flat = by_channel(value, i.arrays["slope"])
        if flat is not None:
            return scale_negative(*flat).reshape(value.shape)
        low = np.rint(value * i.arrays["slope"]).astype(np.int64)
    else:
        flat = by_channel(value, i.arrays["factor"], i.arrays["left"])
        if flat is not None:
            return shift_negative(*flat).reshape(value.shape)
        low = shift(value * i.arrays["factor"].astype(np.int64), i.arrays["left"])
    return np.where(value >= 0, value, low)


@executes("relu")
def relu(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "compare", x[0].size)
    return np.maximum(x[0], 0)


@executes("clamp")
def clamp(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "compare", x[0].size * (("min" in i.params) + ("max" in i.params)))
    return np.clip(x[0], i.params.get("min"), i.params.get("max"))


@executes("threshold")
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


@executes("levels")
def levels(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """``first``, and ``stride`` more for each of the thresholds that are reached."""
    (value,) = x
    result = np.full(value.shape, i.params["first"], np.int64)
    for limits, rising in zip(i.arrays["limits"], i.arrays["rising"], strict=True):
        count(tally, i, "compare", value.size)
        result += np.where(rising == 1, value >= limits, value <= limits) * np.int64(i.params["stride"])
    return result


@executes("add")
def add(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    result = x[0] - x[1] if i.params["subtract"] else x[0] + x[1]
    count(tally, i, "add", result.size)
    return result
