"""Weights that are computed of parameters without becoming anything but real numbers."""

from __future__ import annotations

from costmodel.graph.operands import Powers, multiplied
from costmodel.trace.elements import SAME
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import Ref, Value


def is_affine(simplified: Simplified, value: Value, axis: int) -> bool:
    """Whether each channel of weights along ``axis`` is ``a w + b`` of a parameter's channel ``w`` of real numbers."""
    shape = value.shape
    while not value.leaf:
        x, other = value.args.get("x"), value.args.get("other")
        if not value.operator.identity:
            if value.fn not in ("add", "sub", "mul", "div") or value.args.get("rounding_mode"):
                return False
            if isinstance(other, Ref) and simplified.value(other.id).shape == shape:
                if value.fn not in ("add", "mul"):
                    return False
                x, other = other, x
            if isinstance(other, Ref) and not along(simplified.value(other.id).shape, shape, axis):
                return False
        if not isinstance(x, Ref) or simplified.value(x.id).shape != shape:
            return False
        value = simplified.value(x.id)
    return value.leaf == "param" and value.seen and simplified.domain(value.id, axis).is_float


def scales_lie_along(simplified: Simplified, value: Value, axis: int | None) -> bool:
    """Whether what scales weights by their first dimension does so along ``axis`` of what became of them."""
    while value.operator.identity or value.fn in ("t", "_to_copy"):
        axis = axis if axis is None or value.fn != "t" else 1 - axis
        value = simplified.value(value.args["x"].id)
    return axis == 0 and value.fn not in SAME


#: Nothing but the same numbers in the same places.
_KEPT = frozenset({"detach", "clone", "alias", "contiguous", "lift_fresh"})


def product_of(simplified: Simplified, number: int) -> tuple[float, Powers] | None:
    """A number, and the powers of other constants, that a constant is the product of; None where it is just itself.

    ``a / 3`` is ``(1/3, ((a, 1),))``. A parameter is a product of itself.
    """
    value = simplified.value(number)
    found = _factors(simplified, value, 0)
    return found if found is not None and found[1] else None


def _factors(simplified: Simplified, value: Value, depth: int) -> tuple[float, Powers] | None:
    own = 1.0, ((simplified.numbers[value.id], 1),)
    x, other = value.args.get("x"), value.args.get("other")
    if value.leaf or value.output or depth > 16 or not value.tensor_dtype.is_floating_point:
        return own
    if value.operator.identity or value.fn in _KEPT:
        return _factors(simplified, simplified.value(x.id), depth + 1) if isinstance(x, Ref) else own
    if value.fn == "neg" and isinstance(x, Ref):
        found = _factors(simplified, simplified.value(x.id), depth + 1)
        return None if found is None else (-found[0], found[1])
    if value.fn == "reciprocal" and isinstance(x, Ref):
        return _times((1.0, ()), _factors(simplified, simplified.value(x.id), depth + 1), -1)
    if value.fn in ("mul", "div") and not value.args.get("rounding_mode"):
        first, second = (
            _factors(simplified, simplified.value(a.id), depth + 1) if isinstance(a, Ref)
            else (float(a), ()) if isinstance(a, (int, float)) else None for a in (x, other)
        )  # fmt: skip
        return _times(first, second, 1 if value.fn == "mul" else -1) or own
    return own


def _times(
    first: tuple[float, Powers] | None, second: tuple[float, Powers] | None, power: int
) -> tuple[float, Powers] | None:
    if first is None or second is None or not second[0]:
        return None
    raised = tuple((name, own * power) for name, own in second[1])
    return first[0] * second[0] ** power, multiplied(first[1], raised)


def along(shape: tuple[int, ...], of: tuple[int, ...], axis: int) -> bool:
    """Whether a tensor that is swept to the shape ``of`` holds one number per channel, or one for all."""
    placed = (1,) * (len(of) - len(shape)) + shape
    return all(size == 1 or i == axis for i, size in enumerate(placed)) and shape != of
