"""What the streaming units around the matrix units cost: windows, buffers, converters, pooling, element-wise chains.

Same contract as :mod:`costmodel.targets.fpga.units`: tuples of :class:`Part`, exact coefficients, numbers or arrays.
A stream moves ``width`` bits per cycle with a handshake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costmodel.targets.arith import ceil_div, maximum, minimum, where
from costmodel.targets.fpga.makers import Maker, by_hls, is_finn
from costmodel.targets.fpga.units import (
    LUTRAM_MAX_BITS,
    SERIES7,
    Fabric,
    Part,
    RamStyle,
    block_rams,
    control,
    loop_bound,
    memory,
)

#: Depth of a stream between two units where nothing asks for more: it decouples their handshakes.
DEFAULT_DEPTH = 2


@dataclass(frozen=True, slots=True)
class WindowShape:
    """A sliding window over an image of ``width`` columns and ``channels`` channels of ``bits`` bits, row by row."""

    width: int
    channels: int
    bits: int
    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def row_bits(self) -> int:
        return self.width * self.channels * self.bits


def window(
    shape: WindowShape, simd: Any, impl: Maker, style: RamStyle = "auto", fabric: Fabric = SERIES7
) -> tuple[Part, ...]:
    """Sliding-window unit: ``kernel/stride + 1`` blocks of ``stride`` image rows, one being filled, and counters.

    Up to all channels of a pixel leave it in a cycle; ``simd`` beyond that are several pixels, from as many banks.
    """
    banks = maximum(simd // shape.channels, 1)
    lanes = minimum(simd, shape.channels)
    blocks = (ceil_div(shape.kernel, shape.stride) + 1) * banks
    depth = ceil_div(shape.stride * shape.width * ceil_div(shape.channels, lanes), banks)
    held = 1 if by_hls(impl) else shape.kernel  # words on their way out: of each row one
    return (
        *memory("window", "input", depth, lanes * shape.bits, blocks, style, fabric),
        Part("ff", "window", "input", held * simd * shape.bits, ("register_ff_per_bit",)),
        *(() if by_hls(impl) else _rows(blocks, simd * shape.bits)),
        *stream_control(impl, "window"),
    )


def _rows(blocks: Any, width: Any) -> tuple[Part, ...]:
    """The multiplexer that hands out ``width`` bits of one of ``blocks`` rows."""
    return (Part("lut", "window", "input", width * ceil_div(blocks, 4), ("mux4_lut_per_bit",)),)


def stream_control(impl: Maker, unit: str, count: Any = 1) -> tuple[Part, ...]:
    """Counters and handshake of a unit that only moves values. The overlays give every unit the same; what FINN makes
    is known by kind of unit."""
    if impl == "hls":
        return control(impl, count)
    law = f"{unit}_{impl.replace('-', '_')}" if is_finn(impl) else unit
    return (
        Part("lut", "control", "control", count, (f"{law}_lut_base",)),
        Part("ff", "control", "control", count, (f"{law}_ff_base",)),
    )


def fifo(width: Any, depth: Any = DEFAULT_DEPTH, kind: str = "output", fabric: Fabric = SERIES7) -> tuple[Part, ...]:
    """Buffer of ``depth`` words with its handshake: registers up to two words, shift registers up to 1024 bits, else
    block RAM."""
    small = depth <= DEFAULT_DEPTH
    in_block = (depth * width > (LUTRAM_MAX_BITS if fabric.srl_depth else 0)) & (depth > DEFAULT_DEPTH)
    shifted = width * ceil_div(depth, max(fabric.srl_depth, 1))
    deep = where(small, 0, 1)
    return (
        Part("ff", "fifo", kind, where(small, depth * width, 0), ("register_ff_per_bit",)),
        Part("lut", "fifo", kind, where(small, width, 0), ("mux2_lut_per_bit",)),
        Part("lut", "fifo", kind, where(small | in_block, 0, shifted), ("lutram_lut_per_bit",)),
        Part("bram18", "fifo", kind, where(in_block, block_rams(depth, width, fabric), 0), ("bram_decomposition",)),
        Part("ff", "fifo", kind, where(small | in_block, 0, width), ("fifo_ff_per_bit",)),
        Part("lut", "fifo", "control", 1 - deep, ("stream_lut_base",)),
        Part("ff", "fifo", "control", 1 - deep, ("stream_ff_base",)),
        Part("lut", "fifo", "control", deep, ("fifo_lut_base",)),
        Part("ff", "fifo", "control", deep, ("fifo_ff_base",)),
    )


def width_converter(width_in: Any, width_out: Any, impl: Maker, bits: Any = 1) -> tuple[Part, ...]:
    """Shift register of the wider of two streams, where they differ; ``bits`` pass through it per image.

    A widening one only shifts; a narrowing one takes a whole word or shifts, which is a multiplexer for all of it but
    the part that falls off.
    """
    differ = where(width_in == width_out, 0, 1)
    return (
        Part("ff", "width_converter", "output", differ * maximum(width_in, width_out), ("register_ff_per_bit",)),
        Part("lut", "width_converter", "output", maximum(width_in - width_out, 0), ("mux2_lut_per_bit",)),
        *stream_control(impl, "converter", differ),
        *loop_bound(where(width_in == width_out, 1, ceil_div(bits, minimum(width_in, width_out))), impl),
    )


def pool(
    row: int, channels: int, bits: int, lanes: int, kind: str, impl: Maker, fabric: Fabric = SERIES7
) -> tuple[Part, ...]:
    """Pooling of ``lanes`` channels at a time: one row of ``row`` results is kept while its inputs pass.

    ``kind`` ``or`` for one-bit values, ``compare`` for wider ones, ``add`` for an average.
    """
    law = {"or": "mux2_lut_per_bit", "compare": "max_lut_per_bit", "add": "adder_lut_per_bit"}[kind]
    kept = "pool_finn_ff_per_bit" if is_finn(impl) else "register_ff_per_bit"
    work = "add" if kind == "add" else "compare"
    return (
        *memory("pool", "input", row * ceil_div(channels, lanes), lanes * bits, 1, "auto", fabric),
        Part("lut", "pool", work, lanes * bits, (law,)),
        Part("ff", "pool", work, lanes * bits, (kept,)),
        *(_finn_pool(lanes * bits) if is_finn(impl) else control(impl)),
    )


def _finn_pool(width: int) -> tuple[Part, ...]:
    """What moves the values of a pooling unit of FINN, and its control."""
    return (
        Part("lut", "pool", "input", width, ("pool_finn_lut_per_bit",)),
        Part("lut", "control", "control", 1, ("pool_finn_lut_base",)),
        Part("ff", "control", "control", 1, ("unit_finn_ff_base",)),
    )


def adder(count: Any, bits: int, component: str = "elementwise", kind: str = "add") -> tuple[Part, ...]:
    """``count`` adders, each with a register."""
    return (
        Part("lut", component, kind, count * bits, ("adder_lut_per_bit",)),
        Part("carry", component, kind, count * bits, ("carry_per_adder_bit",)),
        Part("ff", component, kind, count * bits, ("register_ff_per_bit",)),
    )


def comparator(count: Any, bits: int, component: str = "threshold", fixed: bool = False) -> tuple[Part, ...]:
    """``count`` comparisons with a threshold that is read from memory, or with one that synthesis knows (``fixed``)."""
    return (
        Part("lut", component, "compare", count * bits, (f"compare_{'const_' if fixed else ''}lut_per_bit",)),
        Part("carry", component, "compare", count * bits, ("carry_per_adder_bit",)),
        Part("ff", component, "compare", count, ("register_ff_per_bit",)),
    )


def host_interface(width: int, depth: int, impl: Maker, fabric: Fabric = SERIES7) -> tuple[Part, ...]:
    """Reading inputs from and writing results to host memory: a shell and two stream buffers."""
    return (*shell(width, impl, fabric), *fifo(width, depth, "input", fabric), *fifo(width, depth, "output", fabric))


def shell(width: int, impl: Maker, fabric: Fabric = SERIES7) -> tuple[Part, ...]:
    """What connects a pipeline to host memory over AXI: two movers, the bus adapter with its two burst buffers, the
    register slave and two bus interconnects. Each is counted as one unit's control; that of FINN is known, and grows
    with the ``width`` of the bus."""
    known = (
        Part(metric, "control", "control", count, (f"shell_finn_{metric}_{law}",))
        for metric in ("lut", "ff")
        for count, law in ((1, "base"), (width, "per_bit"))
    )
    return (
        *(known if is_finn(impl) else control(impl, 6)),
        Part("bram18", "dma", "input", block_rams(512, width, fabric), ("bram_decomposition",)),
        Part("bram18", "dma", "output", block_rams(512, width, fabric), ("bram_decomposition",)),
    )
