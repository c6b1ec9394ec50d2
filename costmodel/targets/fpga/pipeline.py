"""What one stage of a streaming design costs, and what flows between stages."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from costmodel.graph.ops import OPS
from costmodel.targets.arith import ceil_div
from costmodel.targets.fpga import streams, units
from costmodel.targets.fpga.alike import alike
from costmodel.targets.fpga.design import Stage, Work
from costmodel.targets.fpga.folding import Fold, window_widths
from costmodel.targets.fpga.makers import Maker, by_hls
from costmodel.targets.fpga.units import LUTRAM_MAX_BITS, SERIES7, Fabric, Part
from costmodel.targets.kept import kept

# A search over foldings asks for the same units again and again.
_mvu = lru_cache(maxsize=8192)(units.mvu)
_memory = lru_cache(maxsize=4096)(units.memory)
_window = lru_cache(maxsize=4096)(streams.window)
_fifo = lru_cache(maxsize=8192)(streams.fifo)
_width_converter = lru_cache(maxsize=4096)(streams.width_converter)
_pool = lru_cache(maxsize=1024)(streams.pool)
_control = lru_cache(maxsize=16)(units.control)
_host_interface = lru_cache(maxsize=64)(streams.host_interface)


@dataclass(frozen=True, slots=True)
class Style:
    """How a pipeline is built: ``impl`` by whom.

    ``pixel_streams``: streams between convolutions carry all channels of a pixel, as the overlays of BNN-PYNQ do, and
    dense layers exchange words of the host's width; otherwise a stream is as wide as its producer, as FINN builds it.
    ``fifo_depth``: words of the buffer in front of a unit where its folding does not say; ``host_depth``: words
    buffered towards and from the host.
    """

    impl: Maker = "hls"
    fabric: Fabric = SERIES7
    host_width: int = 64
    pixel_streams: bool = False
    fifo_depth: int = 32
    host_depth: int = 64
    ports: int = 1


def host_cycles(design: Sequence[Stage], style: Style, constants: Mapping[str, float]) -> int:
    """Cycles in which an image comes in over one port of the host: no pipeline gives results faster than that."""
    bits = max((stage.bits_entered for stage in design if -1 in stage.inputs), default=0)
    words = int(ceil_div(bits, style.host_width))
    return math.ceil(words * constants.get("port_cycles_per_word", 1.0))


def window_simd(stage: Stage, fold: Fold) -> Any:
    """Values per cycle that enter a matrix unit: of a depthwise convolution, those of each channel that it works on;
    behind a sliding window, the least that the window can hand out and that is enough."""
    assert stage.matrix is not None
    if stage.matrix.depthwise:
        return fold.pe * fold.simd
    if stage.window is None:
        return fold.simd
    widths = window_widths(stage)
    if isinstance(fold.simd, int):
        return widths[bisect_left(widths, fold.simd)]
    import numpy as np

    return np.array(widths)[np.searchsorted(widths, fold.simd)]


Parts = tuple[Part, ...]


def design_groups(
    design: Sequence[Stage], folding: Mapping[int, Fold], interval: int, style: Style
) -> Sequence[tuple[int, Parts]]:
    """All parts of a pipeline in groups, each with the ledger's layer that it belongs to; -1: the network as a whole.

    Equal units give the very same group, so that a search adds each up once.

    The designs seen last are kept: the one that a search settles on is the one that is then described.
    """
    return _design_groups(design, tuple(folding.items()), interval, style)


@kept
def _design_groups(
    design: Sequence[Stage], folds: tuple[tuple[int, Fold], ...], interval: int, style: Style
) -> tuple[tuple[int, Parts], ...]:
    found = []
    for stage, unit, link in _units(design, folds, interval, style):
        layer = stage.layers[0]
        found += [(layer, parts) for parts in unit]
        found += [(layer, parts) for parts in link]
    found.append((-1, _host(style)))
    return tuple(found)


def _host(style: Style) -> Parts:
    return _host_interface(style.host_width, style.host_depth, style.impl, style.fabric)


@kept
def _units(
    design: Sequence[Stage], folds: tuple[tuple[int, Fold], ...], interval: int, style: Style
) -> list[tuple[Stage, tuple[Parts, ...], tuple[Parts, ...]]]:
    """Every stage with the groups of its unit and of what is in front of it, computed once for those that are alike."""
    folding, same = dict(folds), alike(design)
    units: dict[tuple[int, Fold | None], tuple[tuple[Parts, ...], int]] = {}
    links: dict[tuple[int, ...], tuple[Parts, ...]] = {}
    widths: list[int] = []  # of the streams that leave the stages
    found = []
    for stage, number, link in zip(design, same.units, same.links, strict=True):
        fold = folding.get(stage.index)
        unit = units.get((number, fold))
        if unit is None:
            width = stream_width(stage, folding, interval, style)
            unit = units[number, fold] = tuple(stage_groups(stage, fold, interval, style)), width
        groups, width = unit
        widths.append(width)
        around = (link, id(groups), *[widths[i] for i in stage.inputs if i >= 0])
        before = links.get(around)
        if before is None:
            entering = [widths[i] if i >= 0 else style.host_width for i in stage.inputs]
            waiting = same.waiting[stage.index]
            before = links[around] = link_groups(design, stage, fold, entering, interval, style, waiting)
        found.append((stage, groups, before))
    return found


def stage_groups(
    stage: Stage, fold: Fold | None, interval: int, style: Style, matrices: bool = True
) -> Iterator[Parts]:
    """One unit: matrix, window and threshold, or as many element-wise operators as finish in ``interval`` cycles.

    Without ``matrices`` the matrix and its window are left out, and what surrounds them is there.
    """
    if stage.matrix is not None:
        assert fold is not None
        if matrices:
            yield _mvu(
                stage.matrix, fold.pe, fold.simd, style.impl, style.fabric, fold.weights, fold.products, fold.in_luts
            )
        if stage.window is not None:
            simd = window_simd(stage, fold)
            if matrices:
                yield _window(stage.window, simd, style.impl, fold.window, style.fabric)
            yield _fifo(simd * stage.matrix.bits_a, fabric=style.fabric)
            yield _rearranged(stage, simd, fold, style)
        for work in stage.work:
            yield operators(work, ceil_div(stage.elements, interval), stage.channels, style)
        return
    if stage.pool and stage.window is not None:
        w = stage.window
        kind = "or" if w.bits == 1 else "compare"
        lanes = pool_lanes(stage, interval, style)
        yield _pool(max(w.width // w.stride, 1), w.channels, w.bits, lanes, kind, style.impl, style.fabric)
        return
    if stage.work or OPS[stage.op].joins:
        yield _control(style.impl)
    lanes = 1
    for work in stage.work:
        needed = -(-work.count // interval)
        lanes = max(lanes, needed)
        yield operators(work, needed, stage.channels, style)
    for count, bits in stage.parameters:
        copies = min(lanes, count)
        yield _memory("parameters", "parameter", ceil_div(count, copies), bits, copies, "auto", style.fabric)
    if stage.window is not None:  # average pooling keeps one row of sums
        w = stage.window
        lanes = pool_lanes(stage, interval, style)
        row = max(w.width // w.stride, 1) * ceil_div(w.channels, lanes)
        yield _memory("pool", "input", row, lanes * stage.bits_out, 1, "auto", style.fabric)


def _rearranged(stage: Stage, simd: int, fold: Fold, style: Style) -> Parts:
    """The converter from the words of a window to those of its matrix unit, where they differ."""
    m = stage.matrix
    assert m is not None
    if m.depthwise or simd == fold.simd:
        return ()
    return _width_converter(simd * m.bits_a, fold.simd * m.bits_a, style.impl, m.vectors * m.mw * m.bits_a)


def pool_lanes(stage: Stage, interval: int, style: Style) -> int:
    """Channels that a pooling unit takes per cycle: all of a pixel where they are one bit wide, else as many as its
    interval asks for."""
    w = stage.window
    assert w is not None
    if style.pixel_streams or (stage.pool and w.bits == 1):
        return w.channels
    return int(min(ceil_div(stage.bits_entered // max(w.bits, 1), interval), w.channels))


def operators(work: Work, lanes: int, channels: int, style: Style) -> tuple[Part, ...]:
    """``lanes`` operators of one kind, each with its register."""
    amounts = min(-(-channels // lanes), max(work.bits_a, 1)) if work.kind == "shift_channel" else 0
    fixed = work.kind == "compare" and not by_hls(style.impl) and lanes >= channels
    return _operators(work.kind, work.bits_a, work.bits_b, lanes, amounts, style.fabric, fixed)


@lru_cache(maxsize=8192)
def _operators(
    kind: str, bits_a: int, bits_b: int, lanes: int, amounts: int, fabric: Fabric, fixed: bool = False
) -> Parts:
    bits = max(bits_a, 1)
    match kind:
        case "mul":
            return (
                *units.multiplier(lanes, bits_a, bits_b, None, "elementwise", fabric),
                *units.rounding(lanes, bits_a, bits_b, "elementwise", fabric),
            )
        case "add" | "popcount":
            return streams.adder(lanes, bits, "elementwise", kind)
        case "compare":
            return streams.comparator(lanes, bits, fixed=fixed)
        case "xnor" | "and" | "lut" | "signflip":
            return _gates(lanes * bits, kind)
        case "shift_channel":
            return units.shifter(lanes, bits, "shift_channel", amounts)
        case "shift_var":
            return units.shifter(lanes, bits, "shift_var")
        case "special":
            return _tables(lanes)
    return ()  # a constant shift is wire


def _gates(bits: int, kind: str) -> Parts:
    return (
        Part("lut", "elementwise", kind, bits, ("mux2_lut_per_bit",)),
        Part("ff", "elementwise", kind, bits, ("register_ff_per_bit",)),
    )


def _tables(lanes: int) -> Parts:
    """A function as a table of 1024 values, interpolated by one multiplication."""
    return (
        Part("bram18", "elementwise", "special", lanes, ("bram_decomposition",)),
        Part("dsp", "elementwise", "special", lanes),
    )


# -- between the stages -----------------------------------------------------------------------------------------------


def link_groups(
    design: Sequence[Stage],
    stage: Stage,
    fold: Fold | None,
    entering: Sequence[int],
    interval: int,
    style: Style,
    waiting: Sequence[tuple[int, int, int]],
) -> tuple[Parts, ...]:
    """Buffers and width converters in front of a stage, which streams of the widths ``entering`` come to, and the
    memory that holds back a short branch."""
    found: tuple[Parts, ...] = ()
    for source, produced in zip(stage.inputs, entering, strict=True):
        carried = carried_width(stage, None if source < 0 else design[source], produced, style)
        consumed = consumed_width(stage, fold, carried, interval, style)
        bits = stage.bits_entered if source < 0 else design[source].elements * design[source].bits_out
        depth = _depth(carried, style) if fold is None or fold.fifo is None else fold.fifo
        found += _stream(produced, carried, consumed, depth, bits, style.impl, style.fabric)
    return (*found, *skip_memory(waiting, interval, style)) if waiting else found


@lru_cache(maxsize=16384)
def _stream(
    produced: int, carried: int, consumed: int, depth: int, bits: int, impl: Maker, fabric: Fabric
) -> tuple[Parts, ...]:
    """Converters and buffers of one stream, through which ``bits`` pass per image."""
    found = [] if produced == carried else [_width_converter(produced, carried, impl, bits)]
    found.append(_fifo(carried, max(1, min(depth, ceil_div(bits, carried))), "input", fabric))
    if consumed != carried:
        found += [_width_converter(carried, consumed, impl, bits), _fifo(consumed, fabric=fabric)]
    return tuple(found)


def skip_memory(waiting: Iterable[tuple[int, int, int]], interval: int, style: Style) -> Iterator[Parts]:
    """Memory that holds back branches: of each the bits, its results per image and their width."""
    for held, elements, bits in waiting:
        width = ceil_div(elements, interval) * bits
        yield _fifo(width, ceil_div(held, width), "residual", style.fabric)


def _depth(width: int, style: Style) -> int:
    """Words in front of a unit where nothing is said: as asked for, but no block RAM for it."""
    return min(style.fifo_depth, max(streams.DEFAULT_DEPTH, LUTRAM_MAX_BITS // width))


def stream_width(stage: Stage, folding: Mapping[int, Fold], interval: int, style: Style) -> int:
    """Bits per cycle that leave a stage."""
    fold = folding.get(stage.index)
    if fold is not None:
        return min(fold.pe, stage.channels) * stage.bits_out
    if stage.pool and stage.window is not None:
        return pool_lanes(stage, interval, style) * stage.bits_out
    return -(-stage.elements // interval) * stage.bits_out


def carried_width(stage: Stage, source: Stage | None, produced: int, style: Style) -> int:
    """Bits per cycle of the stream into a stage, of which its source makes ``produced``."""
    if not style.pixel_streams:
        return produced
    spatial = source is not None and source.rows > 1
    if spatial or stage.window is not None:
        return source.channels * source.bits_out if source is not None else produced
    return style.host_width


def consumed_width(stage: Stage, fold: Fold | None, carried: int, interval: int, style: Style) -> int:
    """Bits per cycle that a stage takes from its stream."""
    if fold is not None and stage.matrix is not None:
        return int(window_simd(stage, fold) * stage.matrix.bits_a)
    if stage.pool and stage.window is not None:
        return pool_lanes(stage, interval, style) * stage.window.bits
    return carried
