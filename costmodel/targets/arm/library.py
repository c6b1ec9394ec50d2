"""What a kernel library is, and what a piece of its work is: the data that its kernels are written in."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import msgspec

from costmodel.targets.arm.operators import Operator


class Work(NamedTuple):
    """``amount`` of machine work. ``factors`` name the constants; ``cycles`` says that the product is in cycles (to be
    divided by the clock) and not in seconds; ``parallel`` that threads share it."""

    component: str
    kind: str
    amount: Any
    factors: tuple[str, ...]
    cycles: bool
    parallel: bool = False


#: How a library multiplies real numbers. ``im2col``: TensorFlow Lite, patches copied and packed, one inner call per row
#: of the kernel. ``panels``: ncnn and XNNPACK, tensors stay in panels that are copied a few times, all inside of one
#: kernel. ``direct``: microcontrollers, products and results where they are.
Style = Literal["im2col", "panels", "direct"]


class Library(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tile sizes and habits of a kernel library: an entry of ``libraries`` in a target's structure.

    ``binary_tile`` and ``real_tile`` are output channels by pixels of the register block, ``binary_depth`` the multiple
    of bits that a depth is padded to, ``binary_channels`` that of the input channels. ``binary_im2col`` says that
    patches are copied before they are packed, ``binary_dense`` that dense layers of one-bit operands have a kernel:
    where they do not, their weights are unpacked to numbers at each run; ``binary`` that products of bits have kernels
    at all. ``winograd`` says that 3x3 convolutions of stride one take fewer products. Constants of a library are named
    after its ``family``.
    """

    title: str
    binary_tile: tuple[int, int]
    binary_depth: int
    binary_channels: int
    real_tile: tuple[int, int]
    transform_instructions: dict[str, float]
    binary_im2col: bool = True
    binary_dense: bool = False
    binary: bool = True
    style: Style = "im2col"
    winograd: bool = False
    family: str = ""


def pointwise(op: Operator) -> bool:
    window = op.layer.window
    return window is None or all(size == 1 for size in (*window.kernel, *window.stride, *window.dilation))


def weights(op: Operator) -> int:
    return math.prod(op.layer.shape_b) if op.layer.shape_b else 0
