"""What an engine consists of: its arrays, operators and memories, by what the layers of a network ask of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from costmodel.targets.arith import ceil_div
from costmodel.targets.fpga import streams, units
from costmodel.targets.fpga.design import Stage, Work, matrix_rows
from costmodel.targets.fpga.makers import Maker
from costmodel.targets.fpga.pipeline import Parts, Style, operators
from costmodel.targets.fpga.units import Fabric, MatrixShape, Part, RamStyle
from costmodel.targets.kept import kept


@dataclass(frozen=True, slots=True)
class RealArray:
    """``pixels`` x ``inputs`` x ``outputs`` real multiply-accumulators: as many pixels of the result, channels that are
    summed, and channels of the result at a time, and the taps of a kernel one after another.

    ``depthwise``: pixels at a time where a channel has a kernel of its own; 0: as many as otherwise.
    """

    pixels: int
    inputs: int
    outputs: int
    depthwise: int = 0

    def cycles(self, layer: RealLayer) -> int:
        """What does not fill the array in one of the three directions idles."""
        pixels = (self.depthwise or self.pixels) if layer.depthwise else self.pixels
        channels = ceil_div(layer.inputs, self.inputs) * ceil_div(layer.outputs, self.outputs)
        return int(ceil_div(layer.vectors, pixels) * layer.taps * channels)


@dataclass(frozen=True, slots=True)
class RealLayer:
    """A matrix as an array of multiply-accumulators sees it: ``vectors`` pixels of ``outputs`` channels, each a sum
    over ``taps`` positions of a kernel and ``inputs`` channels."""

    vectors: int
    taps: int
    inputs: int
    outputs: int
    depthwise: bool = False

    @classmethod
    def of(cls, stage: Stage) -> RealLayer:
        """The layer of a stage with a matrix. Kernels that are no squares are told by their channels."""
        m, w = stage.matrix, stage.window
        assert m is not None
        taps = 1
        if w is not None:
            taps = w.kernel**2 if m.mw % w.kernel**2 == 0 else max(m.mw // w.channels, 1)
        inputs = int(ceil_div(m.mw, taps))
        return cls(m.vectors, taps, inputs, m.mh, m.depthwise and inputs == 1)


@dataclass(frozen=True, slots=True)
class Engine:
    """``pe`` x ``simd`` binary lanes, ``macs`` real multiply-accumulators, ``lanes`` operators of each kind.

    ``on_chip``: all live feature maps are in block RAM. ``weights``: where the rows of weights in use are kept.
    ``array``: how the real multiply-accumulators are arranged.
    """

    pe: int
    simd: int
    macs: int
    lanes: int
    on_chip: bool
    weights: RamStyle = "block"
    array: RealArray = RealArray(1, 1, 1)


def is_binary(m: MatrixShape) -> bool:
    """Whether a layer runs on the binary lanes; narrow integers do so bit by bit."""
    return max(m.bits_a, m.bits_w) <= 2


@dataclass(frozen=True, slots=True)
class Needs:
    """What the layers of a network ask of an engine.

    ``widest`` matrix row, ``rows`` of the largest matrix and ``bits_acc`` of the binary layers (``widest`` 0: none);
    ``operands``: widest activation and weight of the real layers, None where there are none; ``works``: the widest
    element-wise operation of each kind; bits of all maps that live at a time, and of the rows under the largest window.
    """

    widest: int
    rows: int
    bits_acc: int
    operands: tuple[int, int] | None
    works: tuple[Work, ...]
    live_bits: int
    row_bits: int


@kept
def needs(design: Sequence[Stage]) -> Needs:
    """What the layers of a network ask of an engine, whatever the device."""
    matrices = [s.matrix for s in design if s.matrix is not None]
    binary = [m for m in matrices if is_binary(m)]
    real = [m for m in matrices if not is_binary(m)]
    kinds = {(w.kind, w.bits_a, w.bits_b): w for s in design for w in s.work}
    best: dict[str, Work] = {}
    for work in kinds.values():
        if work.kind not in best or work.bits_a > best[work.kind].bits_a:
            best[work.kind] = work
    return Needs(
        max((m.mw for m in binary), default=0), matrix_rows(design), max((m.bits_acc for m in binary), default=0),
        (max(m.bits_a for m in real), max(m.bits_w for m in real)) if real else None,
        tuple(best.values()), _live_bits(design), _row_bits(design),
    )  # fmt: skip


def groups(asked: Needs, chosen: Engine, style: Style) -> list[Parts]:
    """Parts of an engine, in groups that engines of other sizes share."""
    return [make(*arguments) for make, arguments in pieces(asked, chosen, style)]


def pieces(asked: Needs, chosen: Engine, style: Style) -> list[tuple[Callable[..., Parts], tuple[Any, ...]]]:
    """The groups of an engine, each as the function that makes it and its arguments."""
    impl, fabric = style.impl, style.fabric
    width = max(chosen.simd, 16 * chosen.lanes)
    bits = asked.live_bits if chosen.on_chip else asked.row_bits
    found: list[tuple[Callable[..., Parts], tuple[Any, ...]]] = [
        (_host_interface, (style.host_width, style.host_depth, impl, fabric)),
        (_operators, (asked.works, chosen.lanes, style)),
        (_memory, ("feature_maps", "input", ceil_div(bits, width), width, 1, "block", fabric)),
    ]
    if asked.widest:
        shape = asked.widest, asked.rows, asked.bits_acc, chosen.pe, chosen.simd
        found.append((_binary_array, (*shape, chosen.weights, impl, fabric)))
    if asked.operands:
        found.append((_real_array, (asked.operands, chosen.macs, impl, fabric)))
    return found


#: Channels at a time that arrays are tried with: an array as wide as a layer, and the quarters between powers of two.
CHANNELS = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 24, 32, 48, 64, 96, 128, 192, 256)


def arrange(design: Sequence[Stage], macs: int) -> RealArray:
    """The arrangement of at most ``macs`` multiply-accumulators on which the real layers take the fewest cycles. More
    of them are never slower: what fewer are arranged as, more are with as many or more pixels."""
    return _arranged(_real_layers(design), macs)


@kept
def _real_layers(design: Sequence[Stage]) -> tuple[tuple[RealLayer, int], ...]:
    real = (s for s in design if s.matrix is not None and not is_binary(s.matrix))
    return tuple(Counter(RealLayer.of(stage) for stage in real).items())


@lru_cache(maxsize=1024)
def _arranged(layers: tuple[tuple[RealLayer, int], ...], macs: int) -> RealArray:
    tried = [RealArray(macs // (i * o), i, o) for i in CHANNELS for o in CHANNELS if i * o <= macs]
    return min(tried, key=lambda array: sum(times * array.cycles(layer) for layer, times in layers))


_host_interface = lru_cache(maxsize=64)(streams.host_interface)
_memory = lru_cache(maxsize=1024)(units.memory)


@lru_cache(maxsize=1024)
def _binary_array(
    widest: int, rows: int, bits_acc: int, pe: int, simd: int, weights: RamStyle, impl: Maker, fabric: Fabric
) -> tuple[Part, ...]:
    """The binary matrix unit, with two sets of weights, one in use and one arriving, each for the longest row."""
    shape = MatrixShape(widest, 2 * pe, 1, 1, 1, bits_acc, 1)  # more rows than lanes: no threshold is a constant
    return (
        *units.lanes(shape, pe, simd, impl, fabric),
        *units.accumulators(shape, pe, impl),
        *units.control(impl, 3),  # matrix unit, window addressing, sequencer of layers
        *units.memory("weights", "weight", 2 * ceil_div(widest, simd), simd, pe, weights, fabric),
        *units.memory("threshold", "parameter", 2 * rows // pe + 1, bits_acc, pe, "auto", fabric),
    )


@lru_cache(maxsize=1024)
def _real_array(operands: tuple[int, int], macs: int, impl: Maker, fabric: Fabric) -> tuple[Part, ...]:
    """Multiply-accumulators in DSP slices, with registers for the widest operands of the real layers."""
    return (
        Part("dsp", "compute", "mul", macs * units.dsp_blocks(*operands, fabric)),
        Part("ff", "compute", "mul", macs * sum(operands), ("register_ff_per_bit",)),
        *units.control(impl),
    )


@lru_cache(maxsize=1024)
def _operators(works: tuple[Work, ...], lanes: int, style: Style) -> tuple[Part, ...]:
    """Element-wise operators; one serves every channel in turn."""
    return tuple(
        part for work in works for part in operators(work, lanes, 10**6 if work.kind == "shift_channel" else 1, style)
    )


def _row_bits(design: Sequence[Stage]) -> int:
    """Bits of the rows under the largest window and of the next row; without windows, of the largest input."""
    windows = [(s.window.kernel + 1) * s.window.row_bits for s in design if s.window is not None]
    return max(windows, default=max(s.bits_entered for s in design))


def _live_bits(design: Sequence[Stage]) -> int:
    """Bits of all results that a later layer still needs, at the worst moment."""
    last = {source: stage.index for stage in design for source in stage.inputs}
    alive: dict[int, int] = {}
    worst = 0
    for stage in design:
        alive[stage.index] = stage.elements * stage.bits_out
        worst = max(worst, sum(alive.values()))
        alive = {i: bits for i, bits in alive.items() if last.get(i, -1) > stage.index}
    return worst
