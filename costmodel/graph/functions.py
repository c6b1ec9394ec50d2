"""Functions of single elements that one operation stands for each: ``special`` and ``compare``, by their ATen names.

One row each, with what some code asks for; how a function is computed stands in :mod:`costmodel.deploy.pointwise`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """A function that takes a table or a series on hardware.

    ``operands`` is the number of its operands; ``options`` are its other arguments. ``rising``: it never falls.
    ``positive``: its result is greater than zero wherever it is a number to divide by. ``odd``: f(-x) = -f(x), so that
    zero stays zero.
    """

    name: str
    operands: int = 1
    options: tuple[str, ...] = ()
    rising: bool = False
    positive: bool = False
    odd: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """``direction`` is 1 where the result grows with the first operand, -1 where it falls, 0 for neither.

    ``with_zero``: it compares with zero and not with its second operand.
    """

    name: str
    direction: int = 0
    with_zero: bool = False


_FUNCTIONS = (
    Function("sigmoid", rising=True, positive=True),
    Function("tanh", rising=True, odd=True),
    Function("exp", rising=True, positive=True),
    Function("exp2", rising=True, positive=True),
    Function("expm1", rising=True),
    Function("log", rising=True),
    Function("log2", rising=True),
    Function("log10", rising=True),
    Function("log1p", rising=True),
    Function("log_sigmoid_forward", rising=True),
    Function("logit", options=("eps",)),
    Function("sqrt", rising=True, positive=True),
    Function("rsqrt", positive=True),
    Function("reciprocal"),
    Function("erf", rising=True, odd=True),
    Function("erfc"),
    Function("erfinv", odd=True),
    Function("sin", odd=True),
    Function("cos"),
    Function("tan", odd=True),
    Function("sinc"),
    Function("sinh", rising=True, odd=True),
    Function("cosh"),
    Function("asin", odd=True),
    Function("acos"),
    Function("atan", rising=True, odd=True),
    Function("asinh", rising=True, odd=True),
    Function("acosh"),
    Function("atanh", odd=True),
    Function("silu"),
    Function("mish"),
    Function("gelu", options=("approximate",)),
    Function("softplus", options=("beta", "threshold"), rising=True, positive=True),
    Function("elu", options=("alpha", "scale", "input_scale"), rising=True),
    Function("celu", options=("alpha",), rising=True),
    Function("selu", rising=True),
    Function("div", operands=2, options=("rounding_mode",)),
    Function("pow", operands=2),
    Function("atan2", operands=2),
    Function("hypot", operands=2),
    Function("remainder", operands=2),
    Function("fmod", operands=2),
    Function("floor_divide", operands=2),
)
FUNCTIONS: dict[str, Function] = {each.name: each for each in _FUNCTIONS}

_COMPARISONS = (
    Comparison("ge", 1),
    Comparison("gt", 1),
    Comparison("le", -1),
    Comparison("lt", -1),
    Comparison("eq"),
    Comparison("ne"),
    Comparison("heaviside", 1, with_zero=True),
    Comparison("signbit", -1, with_zero=True),
    Comparison("isnan"),
    Comparison("isinf"),
)
COMPARISONS: dict[str, Comparison] = {each.name: each for each in _COMPARISONS}
