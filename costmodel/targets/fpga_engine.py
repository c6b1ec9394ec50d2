"""One engine that the layers of a network share in turn, for networks whose weights or units exceed the device.

The engine is a binary matrix unit, an array of multiply-accumulators in DSP slices for real layers, element-wise
operators, and a memory for the feature maps that are alive at a time; where that does not fit, a few rows are kept and
the maps pass through the host's memory. Weights come from there too, while the layer computes. What differs by channel
is now different in every cycle: a shift by a per-channel amount needs a barrel shifter here, where a pipeline could do
with a multiplexer or a wire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from costmodel.ledger.ledger import Ledger
from costmodel.targets import fpga_streams as streams
from costmodel.targets import fpga_units as units
from costmodel.targets.arith import ceil_div
from costmodel.targets.estimate import Estimate, Line
from costmodel.targets.fpga_bill import notes, resource_lines
from costmodel.targets.fpga_design import Stage, matrix_rows
from costmodel.targets.fpga_fit import Budget, amounts, explain_misfit, nominal, utilisation
from costmodel.targets.fpga_pipeline import Style, operators
from costmodel.targets.fpga_units import MatrixShape, Part, RamStyle
from costmodel.targets.quantity import Interval
from costmodel.targets.spec import Target

#: Lanes of the engine that are tried, widest first, as (pe, simd).
SIZES = tuple((2**i, 2**j) for i in range(8, 1, -1) for j in (i + 1, i))
STYLES: tuple[RamStyle, ...] = ("block", "distributed")


@dataclass(frozen=True, slots=True)
class Engine:
    """``pe`` x ``simd`` binary lanes, ``macs`` real multiply-accumulators, ``lanes`` element-wise operators a kind.

    ``on_chip``: all live feature maps are in block RAM. ``weights``: where the rows of weights in use are kept.
    """

    pe: int
    simd: int
    macs: int
    lanes: int
    on_chip: bool
    weights: RamStyle = "block"


def engine(
    ledger: Ledger, target: Target, settings: Mapping[str, Any], design: Sequence[Stage], style: Style, budget: Budget,
    why: tuple[str, ...],
) -> Estimate:  # fmt: skip
    """Price a ledger on the widest engine that the device holds. ``why`` says what spoke against a pipeline."""
    chosen, parts = _size(design, style, target, budget)
    clock = settings["clock"]
    lines = resource_lines(parts)
    total, waiting, streamed = 0, 0, 0
    for stage in design:
        compute = stage_cycles(stage, chosen)
        moved = stage.weight_bits + (0 if chosen.on_chip else map_bits(design, stage))
        load = load_cycles(design, stage, chosen, style)
        lines.append(Line(stage.layers[0], "cycles", "compute", "control", max(compute, load)))
        lines.append(Line(stage.layers[0], "latency_s", "compute", "control", compute / clock))
        if load > compute:
            lines.append(Line(stage.layers[0], "latency_s", "host_memory", "weight", (load - compute) / clock))
            waiting += load - compute
        total += max(compute, load)
        streamed += moved
    if "board_power" in target.constants:
        lines.append(Line(-1, "energy_J", "board", "control", total / clock, ("board_power",)))
    used = utilisation(parts, target)
    facts = {
        "mode": "engine",
        "interval_cycles": total,
        "latency_cycles": total,
        "clock_hz": clock,
        "impl": style.impl,
        "lanes": chosen.pe * chosen.simd,
        "engine": f"{chosen.pe} x {chosen.simd} binary lanes, {chosen.macs} real MACs, {chosen.lanes} operators a kind",
        "feature_maps": "on chip" if chosen.on_chip else "in the host's memory",
        "cycles_waiting_for_memory": waiting,
        "why_no_pipeline": "; ".join(why) if why else "engine asked for",
    }
    misfit = explain_misfit(used, target, budget, "the smallest engine")
    if settings["fps"] and clock / total < settings["fps"]:
        misfit = (
            *misfit,
            f"{settings['fps']:g} images a second are asked for; the widest engine on {target.name} gives "
            f"{clock / total:.3g}",
        )
    derived = {
        "throughput_fps": Interval.exact(clock / total),
        "memory_bandwidth_B_per_s": Interval.exact(streamed / 8 * clock / total),
        "available_bandwidth_B_per_s": Interval.exact(style.host_width * style.ports / 8 * clock),
        **{f"utilisation_{name}": share for name, share in used.items()},
    }
    said = (
        f"{streamed / 8e6:.2f} MB an image ({'weights' if chosen.on_chip else 'weights and maps'}) come over "
        f"{style.ports} port{'s' * (style.ports > 1)} of {style.host_width} bits while the layer computes; "
        "layers do not overlap",
        *notes(design, settings, target, used),
    )
    names = tuple(layer.name for layer in ledger.layers)
    return Estimate(
        ledger.network, target.name, ledger.level, tuple(lines), target.constants, names, derived, facts, misfit, said
    )


def stage_cycles(stage: Stage, chosen: Engine) -> int:
    """Cycles of one layer: its matrix on the array that suits its operands, else its operations by lanes."""
    work = max((ceil_div(w.count, chosen.lanes) for w in stage.work if w.kind != "shift_const"), default=0)
    m = stage.matrix
    if m is None:
        return int(work)
    if is_binary(m):
        return int(units.cycles(m, min(chosen.pe, m.mh), min(chosen.simd, m.mw))) * _planes(m)
    return int(ceil_div(stage.macs, chosen.macs))


def map_bits(design: Sequence[Stage], stage: Stage) -> int:
    """Bits that a layer reads and writes when feature maps are in the host's memory; element-wise layers ride along
    with the layer that produced their operand, and only fetch the other one."""
    if stage.matrix is None and not stage.window:
        return sum(design[i].elements * design[i].bits_out for i in stage.inputs[1:] if i >= 0)
    return stage.bits_entered + stage.elements * stage.bits_out


def is_binary(m: MatrixShape) -> bool:
    """Whether a layer runs on the binary lanes; narrow integers do so bit by bit."""
    return max(m.bits_a, m.bits_w) <= 2


def _planes(m: MatrixShape) -> int:
    return m.bits_a * m.bits_w


def _size(
    design: Sequence[Stage], style: Style, target: Target, budget: Budget
) -> tuple[Engine, list[tuple[int, Part]]]:
    """The fastest engine within what is usable of the device, feature maps on chip or not; or the narrowest."""
    constants = nominal(target)
    usable = {name: budget[name] * target.value(f"usable_{name}") for name in ("lut", "ff", "bram18", "dsp")}
    real = any(s.matrix is not None and not is_binary(s.matrix) for s in design)
    macs = max(1, int(usable["dsp"] / 2)) if real else 1
    found: list[tuple[int, int, Engine, list[tuple[int, Part]]]] = []
    for on_chip in (True, False):
        for (pe, simd), weights in product(SIZES, STYLES):
            tried = Engine(pe, simd, macs, max(pe // 4, 1), on_chip, weights)
            parts = _parts(design, tried, style, real)
            used = amounts(parts, constants)
            if all(used[name] <= usable[name] for name in usable):
                found.append((_total_cycles(design, tried, style), len(found), tried, parts))
                break
    if found:
        _, _, best, parts = min(found, key=lambda each: each[:2])
        return best, parts
    return tried, parts


def _total_cycles(design: Sequence[Stage], chosen: Engine, style: Style) -> int:
    return sum(max(stage_cycles(s, chosen), load_cycles(design, s, chosen, style)) for s in design)


def load_cycles(design: Sequence[Stage], stage: Stage, chosen: Engine, style: Style) -> int:
    """Cycles in which a layer's weights, and its feature maps unless they are on chip, pass the port to the host."""
    moved = stage.weight_bits + (0 if chosen.on_chip else map_bits(design, stage))
    return int(ceil_div(moved, style.host_width * style.ports))


def _parts(design: Sequence[Stage], chosen: Engine, style: Style, real: bool) -> list[tuple[int, Part]]:
    impl, fabric = style.impl, style.fabric
    binary = [s.matrix for s in design if s.matrix is not None and is_binary(s.matrix)]
    parts: tuple[Part, ...] = streams.host_interface(style.host_width, style.host_depth, impl, fabric)
    if binary:
        widest = max(m.mw for m in binary)
        acc = max(m.bits_acc for m in binary)
        shape = MatrixShape(widest, chosen.pe, 1, 1, 1, acc, 1)
        parts += units.lanes(shape, chosen.pe, chosen.simd, impl, fabric)
        parts += units.accumulators(shape, chosen.pe, impl)
        parts += units.control(impl, 3)  # matrix unit, window addressing, sequencer of layers
        # two sets of weights, one in use and one arriving, each for the longest row
        words = 2 * ceil_div(widest, chosen.simd)
        parts += units.memory("weights", "weight", words, chosen.simd, chosen.pe, chosen.weights, fabric)
        parts += units.memory("threshold", "parameter", 2 * matrix_rows(design) // chosen.pe + 1, acc, chosen.pe,
                              "auto", fabric)  # fmt: skip
    if real:
        a = max(s.matrix.bits_a for s in design if s.matrix is not None and not is_binary(s.matrix))
        w = max(s.matrix.bits_w for s in design if s.matrix is not None and not is_binary(s.matrix))
        parts += (Part("dsp", "compute", "mul", chosen.macs * units.dsp_blocks(a, w, fabric)),)
        parts += (Part("ff", "compute", "mul", chosen.macs * (a + w), ("register_ff_per_bit",)),)
        parts += units.control(impl)
    kinds = {(w.kind, w.bits_a, w.bits_b): w for s in design for w in s.work}
    for work in _widest(kinds.values()):
        channels = 10**6 if work.kind == "shift_channel" else 1  # one operator serves every channel in turn
        parts += operators(work, chosen.lanes, channels, style)
    parts += units.memory("feature_maps", "input", *_feature_maps(design, chosen), 1, "block", fabric)
    return [(-1, part) for part in parts]


def _widest(works: Any) -> list[Any]:
    best: dict[str, Any] = {}
    for work in works:
        if work.kind not in best or work.bits_a > best[work.kind].bits_a:
            best[work.kind] = work
    return list(best.values())


def _feature_maps(design: Sequence[Stage], chosen: Engine) -> tuple[int, int]:
    """Depth and width of the memory for all results that a later layer still needs, at the worst moment, or, where the
    maps are in the host's memory, for the rows under one window and the next row."""
    width = max(chosen.simd, 16 * chosen.lanes)
    if not chosen.on_chip:
        rows = max((s.window.kernel + 1) * s.window.row_bits for s in design if s.window) if any(
            s.window for s in design) else max(s.bits_entered for s in design)  # fmt: skip
        return ceil_div(rows, width), width
    last: dict[int, int] = {}
    for stage in design:
        for source in stage.inputs:
            last[source] = stage.index
    alive: dict[int, int] = {}
    worst = 0
    for stage in design:
        alive[stage.index] = stage.elements * stage.bits_out
        worst = max(worst, sum(alive.values()))
        alive = {i: bits for i, bits in alive.items() if last.get(i, -1) > stage.index}
    return ceil_div(worst, width), width
