"""The axes of a space: the values that a choice takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costmodel.errors import CostmodelError


def axis(value: Any, where: str) -> tuple[Any, ...]:
    """The values of an axis: one, a list, or {from, to, steps, scale: linear or log}. Numbers may be written 1e6."""
    if isinstance(value, Mapping):
        if not {"from", "to", "steps"} <= set(value) <= {"from", "to", "steps", "scale"}:
            raise CostmodelError(f"{where}: expected {{from, to, steps, scale}}: {dict(value)!r}")
        low, high, steps = (number(value[key]) for key in ("from", "to", "steps"))
        scale = value.get("scale", "linear")
        fits = all(isinstance(x, (int, float)) for x in (low, high, steps)) and scale in ("linear", "log")
        if not fits or steps < 2 or steps != int(steps) or (scale == "log" and min(low, high) <= 0):
            raise CostmodelError(f"{where}: expected numbers, at least 2 steps, scale linear or log: {dict(value)!r}")
        shares = [i / (steps - 1) for i in range(int(steps))]
        if scale == "log":
            return tuple(low * (high / low) ** share for share in shares)
        return tuple(low + (high - low) * share for share in shares)
    values = tuple(number(v) for v in value) if isinstance(value, list) else (number(value),)
    if not values or any(isinstance(v, (list, Mapping)) for v in values):
        raise CostmodelError(f"{where}: expected a value or a list of values: {value!r}")
    if len(set(values)) != len(values):
        raise CostmodelError(f"{where}: a value occurs twice: {value!r}")
    return values


def number(value: Any) -> Any:
    """YAML reads 1e6 as text; here it is a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
