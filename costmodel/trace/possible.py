"""Which values a binarisation can give, followed through the program's literals.

Observation sees what this input makes of it; a sign that this input never switches looks like a constant. Where a value
comes from a comparison or a sign through literals alone, the few values it can take are known without looking.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch

from costmodel.graph.domain import POW2_BITS, TERNARY, Domain
from costmodel.trace.domains import classify
from costmodel.trace.elements import JOINS, PARTS, SAME, UNWRITTEN, parts_of
from costmodel.trace.kinds import domain_of_range
from costmodel.trace.ranges import Range
from costmodel.trace.values import Ref, Value

Possible = frozenset[float]

_MOST = 8
_TRUTH = ("ge", "gt", "le", "lt", "eq", "ne", "heaviside", "logical_and", "logical_or", "logical_not", "logical_xor",
          "signbit")  # fmt: skip
_MADE: dict[str, float | None] = {
    "ones": 1.0, "zeros": 0.0, "full": None, "ones_like": 1.0, "new_ones": 1.0, "zeros_like": 0.0, "new_zeros": 0.0,
    "full_like": None, "new_full": None,
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
#: Functions of two values that both are few.
_PAIRS: dict[str, Callable[[float, float], float]] = {
    "mul": lambda x, y: x * y, "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "rsub": lambda x, y: y - x,
}  # fmt: skip


def possible_values(value: Value, known: Callable[[Any], Possible | None]) -> Possible | None:
    """The values that ``value`` can take, or None. ``known`` gives them for an argument."""
    name, args = value.fn, value.args
    aten = value.operator.packet == f"aten.{name}" or name in ("alias", "alias_write")
    if (value.output and name not in PARTS) or not aten:
        return None
    if value.tensor_dtype == torch.bool:
        return frozenset((0.0, 1.0))
    if name in UNWRITTEN:  # whatever that memory held is no value of the network
        return frozenset()
    if name in _TRUTH:
        return frozenset((0.0, 1.0))
    if name in ("sign", "sgn"):
        source = known(args["x"])
        return frozenset((-1.0, 1.0)) if source is None else _few(1.0 if v > 0 else -1.0 if v else 0.0 for v in source)
    if name in _MADE:
        made = _MADE[name]
        literal = args["fill_value"] if made is None else made
        return frozenset((float(literal),)) if isinstance(literal, (int, float)) else None
    if name == "copy":
        return known(args["src"])
    if name in SAME:
        return known(args["x"]) if "x" in args else None
    if name in ("maximum", "minimum"):
        return _of_two(max if name == "maximum" else min, known(args["x"]), known(args["other"]))
    if name in JOINS:
        return _union(*(known(part) for part in parts_of(name, args)))
    if name == "index_put" and not args["accumulate"]:
        return _union(known(args["x"]), known(args["values"]))
    if name == "constant_pad_nd" and args.get("value"):  # zeros next to signs are skipped by what reads them
        return _union(known(args["x"]), known(args["value"]))
    if name in _PAIRS and all(isinstance(args[each], Ref) for each in ("x", "other")):
        alpha = args.get("alpha", 1)
        return _of_two(lambda x, y: _PAIRS[name](x, y * alpha), known(args["x"]), known(args["other"]))
    if name in _MAPS and isinstance(args["x"], Ref):
        return _mapped(_MAPS[name], args, known(args["x"]))
    return None


def _of_two(function: Callable[[float, float], float], a: Possible | None, b: Possible | None) -> Possible | None:
    """The function of every pair of values."""
    if a is None or b is None or len(a) * len(b) > 2 * _MOST:
        return None
    return _few(function(x, y) for x in a for y in b)


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


def _union(*sets: Possible | None) -> Possible | None:
    known = [values for values in sets if values is not None]
    return _few(frozenset().union(*known)) if len(known) == len(sets) > 0 else None


def _few(values: Any) -> Possible | None:
    found = frozenset(values)
    return found if len(found) <= _MOST else None


def domain_of_values(values: Possible) -> Domain | None:
    """The kind of a value that takes exactly these values, if they are few at equal distances or powers of two."""
    few = sorted(values)
    if len(few) < 2:
        return None
    if -few[0] != few[-1] and 0.0 not in few and classify(torch.tensor(few, dtype=torch.float64)).kind == "pow2":
        return Domain("pow2", POW2_BITS)
    step = (few[-1] - few[0]) / (len(few) - 1)
    even = all(abs(low + step - high) <= 1e-6 * step for low, high in pairwise(few))
    if not even and len(few) == 3 and few[1] == 0.0:
        return replace(TERNARY, scale="real", asymmetric=True)
    return domain_of_range(Range(few[0], few[-1], step)) if even else None
