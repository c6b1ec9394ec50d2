"""Instructions that rename, reorder or copy elements. They cost nothing, and work on values of any type."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.deploy.program import Array, Instruction
from costmodel.deploy.tally import executes
from costmodel.errors import CostmodelError

RESHAPES = frozenset(
    {"view", "reshape", "_unsafe_view", "squeeze", "unsqueeze", "flatten", "_reshape_alias", "view_as", "unflatten",
     "resize", "alias"}
)  # fmt: skip
SAME = frozenset({"_to_copy", "clone", "contiguous", "detach", "lift_fresh"})
_ORDERS = frozenset({"permute", "transpose", "t", "movedim", "swapaxes", "flip", "roll", "pixel_shuffle",
                     "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle"})  # fmt: skip
_CUTS = frozenset(
    {"slice", "select", "split", "split_with_sizes", "unsafe_split", "chunk", "unsafe_chunk", "narrow", "unbind"}
)
_PADS = {"reflection_pad1d": "reflect", "reflection_pad2d": "reflect", "replication_pad1d": "edge",
         "replication_pad2d": "edge"}  # fmt: skip
#: The names that :func:`move` knows.
SUPPORTED = (
    RESHAPES | SAME | _ORDERS | _CUTS | frozenset(_PADS)
    | {"copy", "cat", "concat", "stack", "expand", "expand_as", "broadcast_to", "repeat", "constant_pad_nd",
       "upsample_nearest2d"}
)  # fmt: skip


@executes("move")
def move(i: Instruction, x: list[Any], tally: Any) -> Array:
    """Apply the torch function of this name. ``traced`` is the shape of its result for a batch of one."""
    name, arguments, value = i.params["fn"], i.params["arguments"], x[0]
    traced = tuple(i.params["traced"])
    if name in RESHAPES:
        return value.reshape(_batched(value, traced))
    if name in SAME:
        return value
    if name == "copy":
        return np.broadcast_to(x[-1], value.shape).copy()
    if name in _ORDERS:
        return _reorder(name, value, arguments)
    if name in _CUTS:
        return _cut(name, value, arguments, i.params["output"])
    if "parts" in i.params:
        x = [_part(i, x, part) for part in i.params["parts"]]
    if name in ("cat", "concat"):
        return np.concatenate(x, arguments[1] if len(arguments) > 1 else 0)
    if name == "stack":
        return np.stack(x, arguments[1] if len(arguments) > 1 else 0)
    if name in ("expand", "expand_as", "broadcast_to"):
        return np.broadcast_to(value, _batched_like(value, traced)).copy()
    if name == "take":
        return value.take(i.arrays["places"], arguments[1])
    if name == "repeat":
        return np.tile(value, arguments[1])
    if name == "constant_pad_nd":
        return _pad(value, arguments[1], i.params["fill"])
    if name in _PADS:
        return np.pad(value, _widths(value.ndim, arguments[1]), mode=_PADS[name])  # type: ignore[call-overload]
    if name == "upsample_nearest2d":
        scales = [*arguments[2:4], None, None]
        rows, columns = (_nearest(a, b, s) for a, b, s in zip(value.shape[2:], traced[2:], scales[:2], strict=True))
        return value[:, :, rows[:, None], columns]
    raise CostmodelError(f"{i.module or 'the network'}: there is no executable form of {name}")


def _nearest(given: int, wanted: int, scale: float | None) -> Array:
    """The elements that PyTorch takes, which computes their places in single precision."""
    step = np.float32(1.0 / scale) if scale else np.float32(given) / np.float32(wanted)
    return np.minimum(np.floor(np.arange(wanted, dtype=np.float32) * step).astype(np.int64), given - 1)


def _part(i: Instruction, x: list[Array], part: int | str) -> Array:
    """An operand, or a constant, which every image gets."""
    if isinstance(part, int):
        return x[part]
    constant = i.arrays[part]
    return np.broadcast_to(constant, (len(x[0]), *constant.shape[1:]))


def moves_batch(i: Instruction) -> bool:
    """Whether the images of a batch do not stay apart along the first dimension."""
    name, arguments = i.params["fn"], i.params["arguments"]
    if name in RESHAPES:
        return not i.shape  # one number, where a batch gives one for each image
    match name:
        case "permute" | "movedim":
            return bool(arguments[1] and (arguments[1][0] if name == "permute" else 0 in (arguments[1], arguments[2])))
        case "transpose" | "swapaxes":
            return 0 in arguments[1:3] or -len(i.shape) in arguments[1:3]
        case "t":
            return True
        case "slice" | "select" | "narrow":
            return len(arguments) < 2 or arguments[1] in (0, -len(i.shape), None)
        case "cat" | "concat" | "stack" | "unbind":
            return len(arguments) < 2 or arguments[1] in (0, -len(i.shape))
        case "split" | "split_with_sizes" | "unsafe_split" | "chunk" | "unsafe_chunk":
            return len(arguments) < 3 or arguments[2] in (0, -len(i.shape))
        case "flip" | "roll":
            dims = arguments[2] if name == "roll" else arguments[1]
            return not dims or 0 in dims or -len(i.shape) in dims
        case "repeat":
            return bool(arguments[1][0] != 1)
    return False


def listed(arguments: tuple[Any, ...]) -> list[Any]:
    """Arguments as an instruction has them."""
    return [listed(a) if isinstance(a, tuple) else a for a in arguments]


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
    if name == "flip":
        return np.flip(value, arguments[1])
    if name == "roll":
        return np.roll(value, arguments[1], arguments[2] if len(arguments) > 2 and arguments[2] else None)
    n, c, *size = value.shape
    r = int(arguments[1])
    if name == "pixel_shuffle":
        h, w = size
        return value.reshape(n, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, -1, h * r, w * r)
    if name == "pixel_unshuffle":
        h, w = size
        return value.reshape(n, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4).reshape(n, -1, h // r, w // r)
    return value.reshape(n, r, c // r, *size).swapaxes(1, 2).reshape(value.shape)  # channels, shuffled


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
    if name.endswith("chunk"):
        step = -(-size // given[0])
        starts = list(range(0, size, step))
    elif isinstance(given[0], list):
        starts = [sum(given[0][:k]) for k in range(len(given[0]))]
    else:
        starts = list(range(0, size, given[0]))
    stop = [*starts[1:], size][output]
    return value[(slice(None),) * (dim % value.ndim) + (slice(starts[output], stop),)]


def _widths(rank: int, amounts: list[int]) -> list[tuple[int, int]]:
    """Pairs of widths from the last dimension backwards."""
    widths = [(0, 0)] * rank
    for k in range(len(amounts) // 2):
        widths[rank - 1 - k] = (amounts[2 * k], amounts[2 * k + 1])
    return widths


def _pad(value: Array, amounts: list[int], fill: float) -> Array:
    """Negative widths crop."""
    widths = _widths(value.ndim, amounts)
    cropped = value[tuple(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(value.shape, widths, strict=True))]
    return np.pad(cropped, [(max(0, a), max(0, b)) for a, b in widths], constant_values=fill)
