"""What one operator costs a CPU: machine work by kind, before it is multiplied by the constants of a target.

A kernel's work is a list of :class:`Work`: an amount, the constants that price it, and whether threads share it. The
formulas are those of the kernels themselves: tiles of the register block are whole, depths are padded to the vector,
im2col copies each kernel row of each pixel, glue moves bytes and makes one inner call per pixel. Libraries differ in
:data:`~costmodel.targets.arm.library.Style`; those of the other styles are in :mod:`costmodel.targets.arm.libraries`.
"""

from __future__ import annotations

import math
from typing import Any

from costmodel.targets.arith import maximum, round_up
from costmodel.targets.arm import libraries
from costmodel.targets.arm.library import Library, Work, pointwise, weights
from costmodel.targets.arm.operators import Operator

#: Operators that libraries with kernels for products of bits have kernels for.
BINARY_KINDS = ("binary_conv", "binary_linear", "pack")
#: Bits of one vector register: the unit in which binary products are counted.
VECTOR_BITS = 128


def work(op: Operator, library: Library, real_bytes: int, real: str) -> list[Work]:
    """Work of one operator. ``real_bytes`` is the size of a real activation, ``real`` the GEMM that multiplies it."""
    if library.style != "im2col" and not (op.kind in BINARY_KINDS and library.binary):
        return libraries.work(op, library, real_bytes, real)
    if op.kind == "binary_conv":
        return binary_conv(op, library, real_bytes, real)
    if op.kind in ("real_conv", "matmul"):
        return real_conv(op, library, real_bytes, real)
    if op.kind == "depthwise":
        return depthwise(op, real_bytes, real)
    if op.kind == "real_linear" or (op.kind == "binary_linear" and not library.binary_dense):
        return dense(op, real_bytes, real)
    if op.kind == "binary_linear":
        return binary_conv(op, library, real_bytes, real)
    return glue(op, real_bytes)


def binary_conv(op: Operator, library: Library, real_bytes: int, real: str) -> list[Work]:
    """XNOR and popcount over whole tiles, packing of the patches, and the output transform.

    channels, pixels, depth are rounded up to the library's tile; a depth of k * k * C_in bits, C_in padded to words.
    """
    layer = op.layer
    taps, groups = _taps(op)
    depth = taps * round_up(layer.n_terms // taps, library.binary_channels)
    padded = round_up(depth, library.binary_depth)
    channels = round_up(_out_channels(op) // groups, library.binary_tile[0]) * groups
    macs = channels * round_up(op.pixels, library.binary_tile[1]) * padded
    copies = 4 if library.binary_im2col and not pointwise(op) else 2  # im2col writes and reads, packing again
    moved = op.pixels * groups * padded // 8 * copies
    written = op.elements_out // 8 if op.packs_output else op.elements_out * real_bytes
    rows = _border(op) if op.zero_padded else 0
    return [
        Work("compute", "xnor", macs / VECTOR_BITS, ("cycles_128_bmac", "binary_slowdown"), True, True),
        Work("compute", "transform", op.elements_out * library.transform_instructions[real],
             ("cycles_asimd", "binary_slowdown"), True, True),
        Work("memory", "im2col", moved, ("seconds_per_byte",), False),
        Work("memory", "output", written, ("seconds_per_byte",), False),
        Work("memory", "weight", weights(op) // 8, ("seconds_per_byte",), False),
        Work("calls", "padding", rows, ("call_cycles",), True),
    ]  # fmt: skip


def real_conv(op: Operator, library: Library, real_bytes: int, real: str) -> list[Work]:
    """A real convolution as im2col and a matrix product; groups are split, multiplied and joined one by one."""
    _, groups = _taps(op)
    depth = op.layer.n_terms
    per_group = _out_channels(op) // groups
    macs = (
        groups * round_up(per_group, library.real_tile[0])
        * round_up(op.pixels, library.real_tile[1]) * depth
    )  # fmt: skip
    patches = op.pixels * depth * groups * real_bytes
    moved = 2 * patches  # packing for the matrix product
    calls = 0
    if not pointwise(op):
        moved += sum(op.elements_in) * real_bytes + patches
        calls = groups * op.pixels * _rows(op)
    if groups > 1:
        moved += 2 * (sum(op.elements_in) + op.elements_out) * real_bytes
        calls += 6 * op.pixels
    held = weights(op)
    unpacked = op.layer.b is not None and op.layer.b.is_one_bit  # no kernel mixes bits with numbers
    return [
        Work("compute", "mul", macs, (f"cycles_{real}_mac", "real_slowdown"), True, True),
        Work("memory", "im2col", moved, ("seconds_per_byte",), False),
        Work("memory", "output", op.elements_out * real_bytes, ("seconds_per_byte",), False),
        Work("memory", "weight", held * real_bytes * (2 if unpacked else 1), ("seconds_per_byte",), False),
        Work("calls", "im2col", calls, ("call_cycles",), True),
    ]


def depthwise(op: Operator, real_bytes: int, real: str) -> list[Work]:
    return [
        Work("compute", "mul", op.layer.macs, (f"cycles_{real}_mac", "real_slowdown"), True, True),
        Work("memory", "input", sum(op.elements_in) * real_bytes, ("seconds_per_byte",), False),
        Work("memory", "output", op.elements_out * real_bytes, ("seconds_per_byte",), False),
        Work("calls", "window", op.pixels * _rows(op), ("call_cycles",), True),
    ]


def dense(op: Operator, real_bytes: int, real: str) -> list[Work]:
    """A matrix product streams its weights once, whatever the batch; one-bit weights are first written out as numbers.

    It computes as well as it moves: the longer of both counts where they overlap, their sum where they do not.
    """
    one_bit = op.layer.b is not None and op.layer.b.is_one_bit
    moved = weights(op) * real_bytes * (2 if one_bit else 1)
    return [
        Work("compute", "mul", op.layer.macs, (f"cycles_{real}_mac", "real_slowdown"), True, True),
        Work("memory", "weight", moved, ("seconds_per_byte",), False),
    ]


def glue(op: Operator, real_bytes: int) -> list[Work]:
    """Operators that move tensors: every pass reads its operands and writes its result."""
    out_bytes = op.elements_out * real_bytes
    read = sum(op.elements_in) * real_bytes
    moved: Any
    calls = op.pixels * op.passes if op.channelwise else 0
    kind = op.layer.op
    if op.kind == "pack":  # reads numbers, writes bits; a threshold is subtracted in a pass of its own
        moved = read + op.elements_out // 8 + (op.passes - 1) * (read + out_bytes)
    elif op.kind == "concat":
        moved, calls = 2 * out_bytes, op.pixels * max(len(op.elements_in), 2)
    elif op.kind == "pool":
        bits = op.layer.a.is_one_bit
        moved = (read + out_bytes) // (8 * real_bytes) if bits else read + out_bytes
        window = op.layer.window
        if op.layer.op != "gap" and window is not None:
            calls = op.pixels * math.prod(window.kernel)
    else:
        moved = (read + out_bytes) * op.passes
    return [
        Work("memory", kind, moved, ("seconds_per_byte",), False),
        Work("calls", kind, calls, ("call_cycles",), True),
    ]


#: What an operator costs before it does anything.
DISPATCH = Work("overhead", "dispatch", 1, ("operator_seconds",), False)


# -- geometry ---------------------------------------------------------------------------------------------------------


def _taps(op: Operator) -> tuple[int, int]:
    window = op.layer.window
    return (math.prod(window.kernel), window.groups) if window is not None else (1, 1)


def _rows(op: Operator) -> int:
    window = op.layer.window
    return window.kernel[0] if window is not None else 1


def _out_channels(op: Operator) -> int:
    shape = op.layer.shape_out
    return shape[1] if len(shape) > 1 else 1


def _border(op: Operator) -> Any:
    """Pixels of the result whose window reaches over the edge of a zero-padded input."""
    shape = op.layer.shape_out
    if len(shape) != 4:
        return 0
    height, width = shape[2], shape[3]
    return shape[0] * (height * width - maximum(height - 2, 0) * maximum(width - 2, 0))
