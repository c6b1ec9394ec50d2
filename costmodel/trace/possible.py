"""Which values a binarisation can give, followed through the program's literals.

Observation sees what this input makes of it; a sign that this input never switches looks like a constant. Where a value
comes from a comparison or a sign through literals alone, the few values it can take are known without looking.
"""

from __future__ import annotations

from collections.abc import Callable
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
_MAPS: dict[str, Callable[..., float]] = {
    "mul": lambda x, c: x * c, "div": lambda x, c: x / c, "add": lambda x, c: x + c, "sub": lambda x, c: x - c,
    "rsub": lambda x, c: c - x, "neg": lambda x: -x, "abs": abs, "relu": lambda x: max(x, 0.0),
    "clamp_min": max, "clamp_max": min,
}  # fmt: skip


def possible_values(value: Value, op: str, known: Callable[[Any], Possible | None]) -> Possible | None:
    """The values that ``value`` can take, or None. ``known`` gives them for an argument."""
    parts = op.split(".")
    name = parts[1] if len(parts) > 1 else op
    args = value.args
    if ":" in op:
        return None
    if name in _TRUTH:
        return frozenset((0.0, 1.0))
    if name in ("sign", "sgn"):
        source = known(args[0])
        return frozenset((-1.0, 1.0)) if source is None else _few(1.0 if v > 0 else -1.0 if v else 0.0 for v in source)
    if name in _MADE:
        made = _MADE[name]
        literal = args[-1] if made is None else made
        return frozenset((float(literal),)) if isinstance(literal, (int, float)) else None
    if name in _SAME:
        return known(args[0])
    if name == "where" and len(args) == 3:
        return _union(known(args[1]), known(args[2]))
    if name in ("masked_fill", "index_put"):
        return _union(known(args[0]), known(args[2]))
    if name == "clamp" and (source := known(args[0])) is not None:
        low, high = (*args[1:3], None, None)[:2]
        low, high = value.kwargs.get("min", low), value.kwargs.get("max", high)
        if not isinstance(low, Ref) and not isinstance(high, Ref):
            bottom, top = (float("-inf") if low is None else low), (float("inf") if high is None else high)
            return _few(min(max(v, bottom), top) for v in source)
    if name in _MAPS:
        return _mapped(_MAPS[name], args, known)
    return None


def _mapped(
    function: Callable[..., float], args: tuple[Any, ...], known: Callable[[Any], Possible | None]
) -> Possible | None:
    source = known(args[0]) if isinstance(args[0], Ref) else None
    if source is None:
        return None
    if len(args) == 1:
        return _few(function(v) for v in source)
    if len(args) == 2 and isinstance(args[1], (int, float)) and (args[1] or function is not _MAPS["div"]):
        return _few(function(v, float(args[1])) for v in source)
    return None


def _union(a: Possible | None, b: Possible | None) -> Possible | None:
    return None if a is None or b is None else _few(a | b)


def _few(values: Any) -> Possible | None:
    found = frozenset(values)
    return found if len(found) <= _MOST else None


def domain_of_values(values: Possible) -> Domain | None:
    """The kind of a value that takes exactly these values, if it is one of one bit."""
    domain = classify(torch.tensor(sorted(values)))
    return replace(domain, per_channel=False, evidence="rule") if domain.is_one_bit else None
