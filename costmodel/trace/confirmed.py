"""Constant operands that a sample takes for quantised, looked at in full: one odd channel makes them real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from costmodel.trace.domains import confirm
from costmodel.trace.operator import Operator
from costmodel.trace.values import Ref, Value, sample

#: Where an operation takes constants whose kind decides what it costs.
_CONSTANTS = {
    "aten.convolution": ("weight",), "aten.addmm": ("mat1", "mat2"), "aten.mm": ("x", "mat2"),
    "aten.bmm": ("x", "mat2"), "aten.baddbmm": ("mat1", "mat2"), "aten.mv": ("x", "mat2"), "aten.mul": ("x", "other"),
    "aten.div": ("other",),
}  # fmt: skip


def look_at_weights(
    values: Sequence[Value], online: Sequence[bool], op: Operator, bound: Mapping[str, Any], coded: Mapping[str, Any]
) -> None:
    """Put down the kind of the constants among the arguments of a call, which are tensors in ``bound``."""
    for name in _CONSTANTS.get(op.packet, ()):
        if not isinstance(coded[name], Ref):
            continue
        value = values[coded[name].id]
        if online[value.id] or not value.seen or value.whole is not None or value.sample is None:
            continue
        tensor, part, axis = bound[name], value.sample, _channel_axis(bound, name)
        if name == "weight" and bound["transposed"] and bound["groups"] > 1:
            tensor, axis = _by_filter(tensor, bound["groups"]), 0
            part = sample(tensor)
        if tensor.numel() > part.numel() or part is not value.sample:
            value.whole = confirm(tensor, part, axis)


def _channel_axis(bound: Mapping[str, Any], name: str) -> int | None:
    """The dimension of a constant operand along which each output channel may have a scale of its own."""
    if name == "weight":
        return 1 if bound["transposed"] else 0
    if "other" in bound:
        return None
    return bound[name].dim() - 1 if name == "mat2" else 0  # columns of the right factor, rows of the left one


def _by_filter(weight: Tensor, groups: int) -> Tensor:
    """The weights ``[i, o / groups, *kernel]`` of a transposed convolution as ``[o, i / groups, *kernel]``."""
    inputs, outputs, *kernel = weight.shape
    turned = weight.reshape(groups, inputs // groups, outputs, *kernel).transpose(1, 2)
    return turned.reshape(groups * outputs, inputs // groups, *kernel)
