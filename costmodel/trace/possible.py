"""Which values a binarisation can give, followed through the program's literals.

Observation sees what this input makes of it; a sign that this input never switches looks like a constant. Where a value
comes from a comparison or a sign through literals alone, the few values it can take are known without looking.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from costmodel.graph.domain import Domain
from costmodel.trace.domains import classify
from costmodel.trace.values import Ref, Value

Possible = frozenset[float]

_MOST = 4
_TRUTH = ("ge", "gt", "le", "lt", "eq", "ne", "heaviside", "logical_and", "logical_or", "logical_not", "logical_xor",
          "signbit")  # fmt: skip
_SAME = ("_to_copy", "clone", "contiguous", "view", "reshape", "_unsafe_view", "squeeze", "unsqueeze", "permute",
         "transpose", "t", "expand", "slice", "select", "max_pool2d_with_indices", "max_pool2d")  # fmt: skip
_MADE: dict[str, float | None] = {
    "ones_like": 1.0, "new_ones": 1.0, "zeros_like": 0.0, "new_zeros": 0.0, "full_like": None, "new_full": None,
}  # fmt: skip
#: Functions of one operand, their other arguments by name.
_MAPS: dict[str, Callable[..., float]] = {
    "mul": lambda x, other: x * other,
    "div": lambda x, other, rounding_mode=None: _divided(x / other, rounding_mode),
    "add": lambda x, other, alpha: x + alpha * other,
    "sub": lambda x, other, alpha: x - alpha * other,
    "rsub": lambda x, other, alpha: other - alpha * x,
    "neg": lambda x: -x,
    "abs": abs,
    "relu": lambda x: max(x, 0.0),
    "clamp": lambda x, min, max: _clamped(x, min, max),
    "clamp_min": lambda x, min: _clamped(x, min, None),
    "clamp_max": lambda x, max: _clamped(x, None, max),
    "hardtanh": lambda x, min_val, max_val: _clamped(x, min_val, max_val),
}


def possible_values(value: Value, known: Callable[[Any], Possible | None]) -> Possible | None:
    """The values that ``value`` can take, or None. ``known`` gives them for an argument."""
    name, args = value.fn, value.args
    if value.output or value.operator.packet != f"aten.{name}":
        return None
    if name in _TRUTH:
        return frozenset((0.0, 1.0))
    if name in ("sign", "sgn"):
        source = known(args["x"])
        return frozenset((-1.0, 1.0)) if source is None else _few(1.0 if v > 0 else -1.0 if v else 0.0 for v in source)
    if name in _MADE:
        made = _MADE[name]
        literal = args["fill_value"] if made is None else made
        return frozenset((float(literal),)) if isinstance(literal, (int, float)) else None
    if name in _SAME:
        return known(args["x"])
    if name == "where" and "other" in args:
        return _union(known(args["x"]), known(args["other"]))
    if name == "masked_fill":
        return _union(known(args["x"]), known(args["value"]))
    if name == "index_put" and not args["accumulate"]:
        return _union(known(args["x"]), known(args["values"]))
    if name == "constant_pad_nd" and args.get("value"):  # zeros next to signs are skipped by what reads them
        return _union(known(args["x"]), known(args["value"]))
    if name in _MAPS and isinstance(args["x"], Ref):
        return _mapped(_MAPS[name], args, known(args["x"]))
    return None


def _mapped(function: Callable[..., float], args: Mapping[str, Any], source: Possible | None) -> Possible | None:
    """The function of each value, where all its other arguments are numbers."""
    others = {name: argument for name, argument in args.items() if name != "x"}
    if source is None or not all(isinstance(a, (int, float)) or a is None for a in others.values()):
        return None
    with contextlib.suppress(ZeroDivisionError):
        return _few(function(v, **others) for v in source)
    return None


def _divided(x: float, rounding_mode: str | None) -> float:
    return float(math.floor(x)) if rounding_mode == "floor" else float(math.trunc(x)) if rounding_mode else x


def _clamped(x: float, min: float | None, max: float | None) -> float:
    x = x if min is None or x >= min else min
    return x if max is None or x <= max else max


def _union(a: Possible | None, b: Possible | None) -> Possible | None:
    return None if a is None or b is None else _few(a | b)


def _few(values: Any) -> Possible | None:
    found = frozenset(values)
    return found if len(found) <= _MOST else None


def domain_of_values(values: Possible) -> Domain | None:
    """The kind of a value that takes exactly these values, if it is one of one bit."""
    domain = classify(torch.tensor(sorted(values)))
    return replace(domain, per_channel=False, evidence="rule") if domain.is_one_bit else None
