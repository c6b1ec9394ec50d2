"""Weights that are computed of parameters without becoming anything but real numbers."""

from __future__ import annotations

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


def along(shape: tuple[int, ...], of: tuple[int, ...], axis: int) -> bool:
    """Whether a tensor that is swept to the shape ``of`` holds one number per channel, or one for all."""
    placed = (1,) * (len(of) - len(shape)) + shape
    return all(size == 1 or i == axis for i, size in enumerate(placed)) and shape != of
