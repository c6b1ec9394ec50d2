"""Instructions that rename, reorder or copy elements. They cost nothing, and work on values of any type."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.deploy.program import Array, Instruction
from costmodel.errors import CostmodelError

RESHAPES = frozenset(
    {"view", "reshape", "_unsafe_view", "squeeze", "unsqueeze", "flatten", "_reshape_alias", "view_as", "unflatten",
     "resize", "alias"}
)  # fmt: skip
SAME = frozenset({"_to_copy", "clone", "contiguous", "detach", "lift_fresh"})


def move(i: Instruction, x: list[Any], tally: Any) -> Array:
    """Apply the torch function of this name. ``traced`` is the shape of its result for a batch of one."""
    name, arguments, value = i.params["fn"], i.params["arguments"], x[0]
    traced = tuple(i.params["traced"])
    if name in RESHAPES:
        return value.reshape(_batched(value, traced))
    if name in SAME:
        return value
    if name in (
        "zeros_like",
        "ones_like",
        "full_like",
        "zero",
        "fill",
        "new_zeros",
        "new_ones",
        "new_full",
        "empty_like",
    ):
        filler = {"ones_like": 1, "new_ones": 1}.get(name, 0)
        if name in ("full_like", "fill", "new_full"):
            filler = arguments[2 if name == "new_full" else 1]
        return np.full(value.shape, filler, dtype=value.dtype)
    if name == "copy":
        return np.broadcast_to(x[-1], value.shape).copy()
    if name in ("permute", "transpose", "t", "movedim", "swapaxes", "flip"):
        return _reorder(name, value, arguments)
    if name in ("slice", "select", "split", "split_with_sizes", "chunk", "narrow", "unbind"):
        return _cut(name, value, arguments, i.params["output"])
    if name in ("cat", "concat"):
        return np.concatenate(x, arguments[1] if len(arguments) > 1 else 0)
    if name == "stack":
        return np.stack(x, arguments[1] if len(arguments) > 1 else 0)
    if name in ("expand", "expand_as", "broadcast_to"):
        return np.broadcast_to(value, _batched_like(value, traced)).copy()
    if name == "constant_pad_nd":
        return _pad(value, arguments)
    if name == "upsample_nearest2d":
        factors = [b // a for a, b in zip(value.shape[2:], traced[2:], strict=True)]
        return value.repeat(factors[0], 2).repeat(factors[1], 3)
    raise CostmodelError(f"{i.module or 'the network'}: there is no executable form of {name}")


def _batched(value: Array, traced: tuple[int, ...]) -> tuple[int, ...]:
    """The traced shape for the batch at hand, which is what is left of the elements."""
    rest = int(np.prod(traced[1:], dtype=np.int64))
    return (value.size // rest if rest else traced[0], *traced[1:])


def _batched_like(value: Array, traced: tuple[int, ...]) -> tuple[int, ...]:
    return (value.shape[0], *traced[1:]) if value.ndim == len(traced) else traced


def _reorder(name: str, value: Array, arguments: list[Any]) -> Array:
    if name == "permute":
        return value.transpose(arguments[1])
    if name in ("transpose", "swapaxes"):
        return np.swapaxes(value, arguments[1], arguments[2])
    if name == "t":
        return value.T
    if name == "movedim":
        return np.moveaxis(value, arguments[1], arguments[2])
    return np.flip(value, arguments[1])


def _cut(name: str, value: Array, arguments: list[Any], output: int) -> Array:
    given = [*arguments[1:], *[None] * (4 - len(arguments[1:]))]
    if name == "slice":
        dim, start, stop, step = given[0] or 0, given[1], given[2], given[3] or 1
        index = slice(start, None if stop is None or stop > value.shape[dim] else stop, step)
        return value[(slice(None),) * (dim % value.ndim) + (index,)]
    if name == "select":
        return value.take(given[1], given[0])
    if name == "narrow":
        return value[(slice(None),) * (given[0] % value.ndim) + (slice(given[1], given[1] + given[2]),)]
    if name == "unbind":
        return value.take(output, given[0] or 0)
    dim = given[1] or 0
    size = value.shape[dim]
    if name == "chunk":
        step = -(-size // given[0])
        starts = list(range(0, size, step))
    elif isinstance(given[0], list):
        starts = [sum(given[0][:k]) for k in range(len(given[0]))]
    else:
        starts = list(range(0, size, given[0]))
    stop = [*starts[1:], size][output]
    return value[(slice(None),) * (dim % value.ndim) + (slice(starts[output], stop),)]


def _pad(value: Array, arguments: list[Any]) -> Array:
    """``constant_pad_nd``: pairs of widths from the last dimension backwards; negative ones crop."""
    amounts = arguments[1]
    fill = arguments[2] if len(arguments) > 2 and arguments[2] is not None else 0
    widths = [(0, 0)] * value.ndim
    for k in range(len(amounts) // 2):
        widths[value.ndim - 1 - k] = (amounts[2 * k], amounts[2 * k + 1])
    cropped = value[tuple(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(value.shape, widths, strict=True))]
    return np.pad(cropped, [(max(0, a), max(0, b)) for a, b in widths], constant_values=fill)
