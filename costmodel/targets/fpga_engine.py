"""One engine that the layers of a network share in turn, for networks whose weights or units exceed the device.

The engine is a binary matrix unit, an array of multiply-accumulators in DSP slices for real layers, element-wise
operators, and a memory for the feature maps that are alive at a time; where that does not fit, a few rows are kept and
the maps pass through the host's memory. Weights come from there too, while the engine computes. What differs by channel
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
    for passed in passes(design):
        layer = passed[0].layers[0]
        array, operating = array_cycles(passed[0], chosen), operator_cycles(passed, chosen)
        load = load_cycles(design, passed, chosen, style)
        spent = max(array, operating, load)
        lines.append(Line(layer, "cycles", "compute", "control", spent))
        lines.append(Line(layer, "latency_s", "array", "control", array / clock))
        if operating > array:
            lines.append(Line(layer, "latency_s", "operators", "control", (operating - array) / clock))
        if spent > max(array, operating):
            lines.append(Line(layer, "latency_s", "host_memory", "weight", (spent - max(array, operating)) / clock))
            waiting += spent - max(array, operating)
        total += spent
        streamed += moved_bits(design, passed, chosen)
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
        f"{style.ports} port{'s' * (style.ports > 1)} of {style.host_width} bits while it computes; "
        "a layer and the element-wise layers behind it are one pass, and passes do not overlap",
        *notes(design, settings, target, used),
    )
    names = tuple(layer.name for layer in ledger.layers)
    return Estimate(
        ledger.network, target.name, ledger.level, tuple(lines), target.constants, names, derived, facts, misfit, said
    )


def passes(design: Sequence[Stage]) -> list[tuple[Stage, ...]]:
    """Layers that the engine computes in one go: a matrix and the element-wise layers and pools up to the next one."""
    found: list[list[Stage]] = []
    for stage in design:
        if stage.matrix is not None or not found:
            found.append([])
        found[-1].append(stage)
    return [tuple(stages) for stages in found]


def array_cycles(stage: Stage, chosen: Engine) -> int:
    """Cycles of a matrix on the array that suits its operands; narrow integers pass the binary lanes bit by bit."""
    m = stage.matrix
    if m is None:
        return 0
    if is_binary(m):
        return int(units.cycles(m, min(chosen.pe, m.mh), min(chosen.simd, m.mw))) * m.bits_a * m.bits_w
    return int(ceil_div(stage.macs, chosen.macs))


def operator_cycles(passed: Sequence[Stage], chosen: Engine) -> int:
    """Cycles of the busiest kind of operators: layers of one pass share the operators of a kind, and kinds overlap."""
    busy: dict[str, int] = {}
    for stage in passed:
        for work in stage.work:
            if work.kind != "shift_const":
                busy[work.kind] = busy.get(work.kind, 0) + ceil_div(work.count, chosen.lanes)
    return max(busy.values(), default=0)


def moved_bits(design: Sequence[Stage], passed: Sequence[Stage], chosen: Engine) -> int:
    """Bits between the engine and the host's memory in a pass: weights, and unless maps are on chip, what the pass
    reads from earlier ones and what later ones read of it."""
    bits = sum(stage.weight_bits for stage in passed)
    if chosen.on_chip:
        return bits
    inside = {stage.index for stage in passed}
    read = {source for stage in passed for source in stage.inputs} - inside
    bits += sum(passed[0].bits_entered if i < 0 else design[i].elements * design[i].bits_out for i in read)
    later = {source for stage in design if stage.index not in inside for source in stage.inputs}
    results = (later & inside) | ({passed[-1].index} if passed[-1].index == len(design) - 1 else set())
    return bits + sum(design[i].elements * design[i].bits_out for i in results)


def is_binary(m: MatrixShape) -> bool:
    """Whether a layer runs on the binary lanes; narrow integers do so bit by bit."""
    return max(m.bits_a, m.bits_w) <= 2


def _size(
    design: Sequence[Stage], style: Style, target: Target, budget: Budget
) -> tuple[Engine, list[tuple[int, Part]]]:
    """The fastest engine within what is usable of the device, feature maps on chip or not; or the narrowest."""
    constants = nominal(target)
    usable = {name: budget[name] * target.value(f"usable_{name}") for name in ("lut", "ff", "bram18", "dsp")}
    real = any(s.matrix is not None and not is_binary(s.matrix) for s in design)
    multiplied = len({w.kind for s in design for w in s.work} & {"mul", "special"})
    per_mac = _real_dsp(design, style) if real else 1
    maps = {True: _live_bits(design), False: _row_bits(design)}
    found: list[tuple[int, int, Engine, list[tuple[int, Part]]]] = []
    for on_chip in (True, False):
        for (pe, simd), weights in product(SIZES, STYLES):
            lanes = max(pe // 4, 1)
            macs = max(1, int(usable["dsp"] - multiplied * lanes) // per_mac) if real else 1
            tried = Engine(pe, simd, macs, lanes, on_chip, weights)
            parts = _parts(design, tried, style, real, maps[on_chip])
            used = amounts(parts, constants)
            if all(used[name] <= usable[name] for name in usable):
                found.append((_total_cycles(design, tried, style), len(found), tried, parts))
                break
    if found:
        _, _, best, parts = min(found, key=lambda each: each[:2])
        return best, parts
    return tried, parts


def _total_cycles(design: Sequence[Stage], chosen: Engine, style: Style) -> int:
    return sum(
        max(array_cycles(p[0], chosen), operator_cycles(p, chosen), load_cycles(design, p, chosen, style))
        for p in passes(design)
    )


def load_cycles(design: Sequence[Stage], passed: Sequence[Stage], chosen: Engine, style: Style) -> int:
    """Cycles in which what a pass moves crosses the ports to the host's memory."""
    return int(ceil_div(moved_bits(design, passed, chosen), style.host_width * style.ports))


def _parts(design: Sequence[Stage], chosen: Engine, style: Style, real: bool, map_bits: int) -> list[tuple[int, Part]]:
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
        operands = sum(_real_widths(design))
        parts += (Part("dsp", "compute", "mul", chosen.macs * _real_dsp(design, style)),)
        parts += (Part("ff", "compute", "mul", chosen.macs * operands, ("register_ff_per_bit",)),)
        parts += units.control(impl)
    kinds = {(w.kind, w.bits_a, w.bits_b): w for s in design for w in s.work}
    for work in _widest(kinds.values()):
        channels = 10**6 if work.kind == "shift_channel" else 1  # one operator serves every channel in turn
        parts += operators(work, chosen.lanes, channels, style)
    width = max(chosen.simd, 16 * chosen.lanes)
    parts += units.memory("feature_maps", "input", ceil_div(map_bits, width), width, 1, "block", fabric)
    return [(-1, part) for part in parts]


def _real_widths(design: Sequence[Stage]) -> tuple[int, int]:
    """Widest activation and widest weight of the layers that the array of multiply-accumulators computes."""
    shapes = [s.matrix for s in design if s.matrix is not None and not is_binary(s.matrix)]
    return max(m.bits_a for m in shapes), max(m.bits_w for m in shapes)


def _real_dsp(design: Sequence[Stage], style: Style) -> int:
    return units.dsp_blocks(*_real_widths(design), style.fabric)


def _widest(works: Any) -> list[Any]:
    best: dict[str, Any] = {}
    for work in works:
        if work.kind not in best or work.bits_a > best[work.kind].bits_a:
            best[work.kind] = work
    return list(best.values())


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
