"""The processing array: how a layer is cut into tiles, how many cycles it takes, and what it reads and writes.

The array computes ``outputs`` channels of ``pixels`` positions at once, each from ``terms`` products per cycle. A layer
with ``C`` output channels per group, ``P`` positions and sums of ``T`` terms takes
``groups * ceil(C / outputs) * ceil(T / terms) * ceil(P / pixels)`` cycles, more where a buffer cannot deliver its bits
through its ports in that time. All functions hold for numbers and arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from costmodel.ledger.ledger import Layer
from costmodel.targets import arith

Dataflow = Literal["output", "weight"]


@dataclass(frozen=True, slots=True)
class Array:
    """Lanes of the array: output channels by terms of a sum by positions; ``window`` taps of a kernel side by side.

    With ``window`` above zero the terms are that many taps by ``terms / window`` channels, as in an array built for
    one kernel size; a smaller kernel leaves taps idle. With zero taps and channels are folded together.
    """

    outputs: Any
    terms: Any
    pixels: Any
    window: Any = 0

    @property
    def lanes(self) -> Any:
        return self.outputs * self.terms * self.pixels


@dataclass(frozen=True, slots=True)
class Product:
    """A sum of products as the array sees it: ``channels`` per group, ``positions``, ``terms`` and ``taps``."""

    groups: int
    channels: int
    positions: int
    terms: int
    taps: int
    weight_bits: int
    input_bits: int
    bits_a: int
    bits_acc: int
    planes: int = 1

    @property
    def outputs(self) -> int:
        return self.groups * self.channels * self.positions


@dataclass(frozen=True, slots=True)
class Tiling:
    """Passes over output channels, terms and positions, and the cycles and bits that follow."""

    dataflow: Dataflow
    channel_tiles: Any
    term_tiles: Any
    position_tiles: Any
    compute_cycles: Any
    cycles: Any
    weight_reads: Any
    input_reads: Any
    partial_sums: Any
    register_bits: Any


def product_of(layer: Layer, weight_bits: int, input_bits: int, bits_a: int, bits_acc: int, planes: int) -> Product:
    """Geometry of a convolution, linear layer or matrix product. Dimensions that are neither batch nor channel are
    positions; a batch multiplies the positions."""
    groups = layer.window.groups if layer.window else 1
    taps = 1
    for k in layer.window.kernel if layer.window else ():
        taps *= k
    total = 1
    for size in layer.shape_out:
        total *= size
    if layer.op == "conv":
        out_channels = layer.shape_out[1] if len(layer.shape_out) > 1 else 1
    else:
        out_channels = layer.shape_out[-1]
    return Product(
        groups, out_channels // groups, total // out_channels, layer.n_terms, taps, weight_bits, input_bits, bits_a,
        bits_acc, planes,
    )  # fmt: skip


def choose(condition: Any, a: Tiling, b: Tiling) -> Tiling:
    """``a`` where the condition holds, else ``b``."""
    if isinstance(condition, bool):
        return a if condition else b
    numbers = [name for name in Tiling.__slots__ if name != "dataflow"]
    return Tiling(a.dataflow, *(arith.where(condition, getattr(a, name), getattr(b, name)) for name in numbers))


def tile(product: Product, array: Array, dataflow: Dataflow, port: Any, window_buffer: bool = True) -> Tiling:
    """Cut a layer into tiles. ``port`` is the width in bits of each buffer: what it delivers in a cycle.

    ``output``: partial sums stay in the array; weights are read once for every tile of positions. ``weight``: weights
    stay in the array; partial sums go to the buffer and back between tiles of terms. In both the input is read once
    for every tile of channels, or, without a buffer of the sliding window, once for every tap as well. Weights that
    stay are loaded before the array starts; all other traffic overlaps with it.
    """
    channel_tiles = arith.ceil_div(product.channels, array.outputs)
    if isinstance(array.window, int) and array.window == 0:
        term_tiles = arith.ceil_div(product.terms, array.terms)
    else:
        depth = arith.maximum(array.terms // array.window, 1)
        term_tiles = arith.ceil_div(product.taps, array.window) * arith.ceil_div(product.terms // product.taps, depth)
    position_tiles = arith.ceil_div(product.positions, array.pixels)
    cycles = product.groups * channel_tiles * term_tiles * position_tiles * product.planes
    fresh = product.input_bits
    if not window_buffer:
        fresh = product.groups * product.positions * product.terms * product.bits_a
    input_reads = fresh * channel_tiles
    streamed = product.groups * product.positions * product.terms * product.bits_a * channel_tiles
    sums = product.outputs * product.bits_acc
    if dataflow == "output":
        weight_reads = product.weight_bits * position_tiles
        partial_sums = 0 * position_tiles
        register_bits = streamed + weight_reads + sums * term_tiles
        moving = arith.maximum(arith.ceil_div(weight_reads, port), arith.ceil_div(input_reads, port))
        total = arith.maximum(cycles, moving)
    else:
        weight_reads = product.weight_bits + 0 * position_tiles
        partial_sums = 2 * sums * (term_tiles - 1)
        register_bits = streamed + weight_reads + sums * term_tiles
        moving = arith.ceil_div(input_reads + partial_sums, port)
        total = arith.maximum(cycles, moving) + arith.ceil_div(weight_reads, port)
    return Tiling(
        dataflow, channel_tiles, term_tiles, position_tiles, cycles, total, weight_reads, input_reads, partial_sums,
        register_bits,
    )  # fmt: skip
