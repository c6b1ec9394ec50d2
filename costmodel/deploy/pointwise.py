"""Functions of single elements in double precision: what stays as it was written.

The operands of a function are coded in ``params["operands"]``: ``["in", k]`` is the k-th input, ``["const", name]`` a
constant, everything else is itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from costmodel.deploy.program import Array, Instruction
from costmodel.deploy.tally import Tally, count, executes
from costmodel.trace.custom import run_of


def _arguments(i: Instruction, x: list[Any]) -> list[Any]:
    def decode(code: Any) -> Any:
        if isinstance(code, list) and len(code) == 2 and code[0] in ("in", "const"):
            return x[code[1]] if code[0] == "in" else i.arrays[code[1]]
        return [decode(c) for c in code] if isinstance(code, list) else code

    return [decode(code) for code in i.params["operands"]]


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "ge": np.greater_equal, "gt": np.greater, "le": np.less_equal, "lt": np.less, "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip
_TESTS: dict[str, Callable[[Any], Any]] = {"signbit": np.signbit, "isnan": np.isnan, "isinf": np.isinf}


@executes("compare_real")
def compare_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    name = i.params["fn"]
    arguments = _arguments(i, x)
    if name == "heaviside":
        result = np.heaviside(*arguments)
    elif name in _TESTS:
        result = _TESTS[name](arguments[0])
    else:
        result = _COMPARISONS[name](*arguments)
    count(tally, i, "compare", result.size)
    return np.asarray(result, dtype=np.int8)


@executes("sign_real")
def sign_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "compare", x[0].size)
    if i.params["domain"] in ("ternary", "binary01"):  # a zero that is meant
        return np.sign(x[0])
    return np.where(x[0] >= 0, 1.0, -1.0)


@executes("where_real")
def where_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    arguments = _arguments(i, x)
    if i.params["fn"] == "where":
        condition, high, low = arguments
    elif i.params["fn"] == "masked_fill":
        low, condition, high = arguments[:3]
    else:  # index_put with a mask
        low, (condition, *_), high = arguments[:3]
    result = np.where(np.asarray(condition) != 0, high, low)
    count(tally, i, "lut", 0 if i.params["static"] else result.size)
    return np.asarray(result, dtype=np.float64)


@executes("logical_real")
def logical_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    arguments = [np.asarray(a) != 0 for a in _arguments(i, x)]
    name = i.params["fn"].split("_")[-1]
    result = ~arguments[0] if name == "not" else getattr(np, f"logical_{name}")(*arguments[:2])
    count(tally, i, "and", result.size)
    return np.asarray(result, dtype=np.int8)


_ROUNDINGS: dict[str, Callable[[Any], Any]] = {
    "round": np.rint, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "frac": lambda x: x - np.trunc(x),
}  # fmt: skip


@executes("round_real")
def round_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "add", x[0].size)
    return np.asarray(_ROUNDINGS[i.params["fn"]](x[0]))


@executes("minimum_real", "maximum_real")
def extremum_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    other = x[1] if len(x) > 1 else i.arrays["bound"]
    result = (np.minimum if i.node_op == "minimum" else np.maximum)(x[0], other)
    count(tally, i, "compare", result.size)
    return result


@executes("clamp_real")
def clamp_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    low, high = i.arrays.get("min"), i.arrays.get("max")
    count(tally, i, "compare", x[0].size * len(i.arrays))
    return np.clip(x[0], low, high)


@executes("mul_real", "square_real")
def mul_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    result = x[0] * x[-1]
    count(tally, i, i.params.get("kind", "mul"), result.size)
    return result


@executes("abs_real")
def abs_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    count(tally, i, "signflip", x[0].size)
    return np.abs(x[0])


def _sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6.0 + 0.5, 0.0, 1.0)


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def _softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    return np.where(x * beta > threshold, x, np.logaddexp(0.0, x * beta) / beta)


def _gelu(x: Array, approximate: str) -> Array:
    if approximate == "tanh":
        return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0)))


def _elu(x: Array, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Array:
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(np.minimum(x, 0.0) * input_scale))


#: ATen's name -> the function of its operands, in ATen's order.
SPECIAL: dict[str, Callable[..., Array]] = {
    "tanh": np.tanh, "sigmoid": _sigmoid, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log2": np.log2,
    "log1p": np.log1p, "sqrt": np.sqrt, "rsqrt": lambda x: 1.0 / np.sqrt(x), "reciprocal": lambda x: 1.0 / x,
    "sin": np.sin, "cos": np.cos, "atan": np.arctan, "erf": _erf, "silu": lambda x: x * _sigmoid(x),
    "hardsigmoid": _hard_sigmoid, "hardswish": lambda x: x * _hard_sigmoid(x), "div": np.divide, "pow": np.power,
    "softplus": _softplus, "gelu": _gelu, "elu": _elu, "celu": lambda x, a=1.0: _elu(x, a, 1.0, 1.0 / a),
    "mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)), "log_sigmoid_forward": lambda x: -np.logaddexp(0.0, -x),
}  # fmt: skip


@executes("special_real")
def special_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    result = np.asarray(SPECIAL[i.params["fn"]](*_arguments(i, x)), dtype=np.float64)
    count(tally, i, "special", result.size)
    return result


@executes("registered")
def registered(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """A user's own operation, by what was registered for it in this process."""
    given = run_of(i.params["fn"])(*_arguments(i, x))
    for kind, number in i.params["rows"]:
        count(tally, i, kind, number * len(x[0]))
    return np.asarray(given[i.params["output"]] if isinstance(given, tuple) else given, dtype=np.float64)
