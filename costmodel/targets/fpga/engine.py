"""One engine that the layers of a network share in turn, for networks whose weights or units exceed the device.

The engine is a binary matrix unit, an array of multiply-accumulators in DSP slices for real layers, element-wise
operators, and a memory for the feature maps that are alive at a time; where that does not fit, a few rows are kept and
the maps pass through the host's memory. Weights come from there too, while the engine computes. What differs by channel
is now different in every cycle: a shift by a per-channel amount needs a barrel shifter here, where a pipeline could do
with a multiplexer or a wire.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

from costmodel.metrics import RESOURCES
from costmodel.targets.arith import ceil_div
from costmodel.targets.estimate import Estimate, Line, unused
from costmodel.targets.fpga import units
from costmodel.targets.fpga.bill import PRICED, notes, resource_lines
from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.engine_parts import Engine, Needs, RealLayer, arrange, groups, is_binary, needs, pieces
from costmodel.targets.fpga.fit import explain_misfit, usable, utilisation
from costmodel.targets.fpga.job import Job, Prices, prices
from costmodel.targets.fpga.pipeline import Parts
from costmodel.targets.fpga.timing import active_amounts, dynamic_lines, scope, static_power
from costmodel.targets.fpga.units import RamStyle
from costmodel.targets.kept import kept
from costmodel.targets.quantity import Interval

#: Lanes of the engine that are tried, widest first, as (pe, simd).
SIZES = tuple((2**i, 2**j) for i in range(8, 1, -1) for j in (i + 1, i))
#: Element-wise operators of each kind that are tried, most first.
LANES = tuple(2**i for i in range(8, -1, -1))
STYLES: tuple[RamStyle, ...] = ("block", "distributed")


def engine(job: Job) -> Estimate:
    """Price a ledger on the fastest engine that the device holds."""
    job = replace(job, style=replace(job.style, impl=job.settings["impl"]))  # one program: no compiler of units
    style, clock = job.style, job.clock
    chosen = size(job)
    made = [(-1, group) for group in groups(needs(job.design), chosen, style)]
    lines = resource_lines(made)
    constants = job.target.constants
    used = utilisation(lines, constants, job.device)
    waiting, streamed = 0, 0
    total: dict[str, int] = {}  # cycles by the error of the passes that they belong to
    for passed in passes(job.design):
        layer = passed.stages[0].layers[0]
        name = error_of(passed)
        error = (name,) if name in constants else ()
        array, operating = array_cycles(passed.stages[0], chosen), operator_cycles(passed, chosen)
        load = load_cycles(passed, chosen, job)
        spent = max(array, operating, load)
        lines.append(Line(layer, "cycles", "compute", "control", spent))
        lines.append(Line(layer, "latency_s", "array", "control", array / clock, error))
        if operating > array:
            lines.append(Line(layer, "latency_s", "operators", "control", (operating - array) / clock, error))
        if spent > max(array, operating):
            lines.append(
                Line(layer, "latency_s", "host_memory", "weight", (spent - max(array, operating)) / clock, error)
            )
            waiting += spent - max(array, operating)
        total[name] = total.get(name, 0) + spent
        streamed += passed.moved_bits(chosen.on_chip)
    lines += _energy(job, total, active_amounts(made, job.target))
    if "call_time" in constants:
        lines.append(Line(-1, "latency_s", "software", "control", 1.0, ("call_time",)))
    facts = {
        "mode": "engine",
        "interval_cycles": sum(total.values()),
        "latency_cycles": sum(total.values()),
        "clock_Hz": clock,
        "impl": style.impl,
        "lanes": chosen.pe * chosen.simd,
        "engine": f"{chosen.pe} x {chosen.simd} binary lanes, {chosen.macs} real MACs as "
        f"{chosen.array.pixels} pixels x {chosen.array.inputs} x {chosen.array.outputs} channels, "
        f"{chosen.lanes} operators per kind",
        "feature_maps": "on chip" if chosen.on_chip else "in the host's memory",
        "cycles_waiting_for_memory": waiting,
        "why_no_pipeline": "engine asked for",
    }
    misfit = explain_misfit(used, job, "the smallest engine")
    rates = _rates(total, job)
    steady = rates["steady_images_per_second"]
    fps = job.settings["fps"]
    if fps and steady.value < fps:
        misfit = (
            *misfit,
            f"{fps:g} images per second are asked for; "
            f"the fastest engine on {job.target.name} gives {steady.value:.3g}",
        )
    derived = {
        **rates,
        "memory_bandwidth_B_per_s": steady.scaled(streamed / 8),
        "available_bandwidth_B_per_s": Interval.exact(style.host_width * style.ports / 8 * clock),
        **{f"utilisation_{name}": share for name, share in used.items()},
    }
    said = (
        f"{streamed / 8e6:.2f} MB per image ({'weights' if chosen.on_chip else 'weights and maps'}) come over "
        f"{style.ports} port{'s' * (style.ports > 1)} of {style.host_width} bits while it computes; "
        "a layer and the element-wise layers behind it are one pass, and passes do not overlap",
        *notes(job, used),
    )
    names = tuple(layer.name for layer in job.ledger.layers)
    return Estimate(
        job.ledger.network, job.target.name, job.ledger.level, tuple(lines), job.target.constants, names, derived,
        facts, misfit, said, unused(lines, PRICED), scope=scope(job.target),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pass:
    """Layers that the engine computes in one go. ``operations`` are counts by kind of its element-wise work, each layer
    apart; ``weight_bits`` come from the host's memory, and ``map_bits`` move to and from it where maps are not on
    chip: what the pass reads from earlier ones and what later ones read of it."""

    stages: tuple[Stage, ...]
    operations: tuple[tuple[str, tuple[int, ...]], ...]
    weight_bits: int
    map_bits: int

    def moved_bits(self, on_chip: bool) -> int:
        """Bits between the engine and the host's memory."""
        return self.weight_bits if on_chip else self.weight_bits + self.map_bits


@kept
def passes(design: Sequence[Stage]) -> tuple[Pass, ...]:
    """A matrix and the element-wise layers and pools up to the next one, in order of execution."""
    found: list[list[Stage]] = []
    for stage in design:
        if stage.matrix is not None or not found:
            found.append([])
        found[-1].append(stage)
    home = {stage.index: number for number, stages in enumerate(found) for stage in stages}
    # results that a later pass reads, by the pass that makes them
    kept_for_later: list[set[int]] = [set() for _ in found]
    for stage in design:
        for source in stage.inputs:
            if source >= 0 and home[source] != home[stage.index]:
                kept_for_later[home[source]].add(source)
    kept_for_later[-1].add(design[-1].index)
    return tuple(_pass(design, stages, later) for stages, later in zip(found, kept_for_later, strict=True))


def _pass(design: Sequence[Stage], stages: Sequence[Stage], later: set[int]) -> Pass:
    inside = {stage.index for stage in stages}
    read = {source for stage in stages for source in stage.inputs} - inside
    maps = sum(stages[0].bits_entered if i < 0 else design[i].elements * design[i].bits_out for i in read)
    maps += sum(design[i].elements * design[i].bits_out for i in later)
    operations: dict[str, list[int]] = {}
    for stage in stages:
        for work in stage.work:
            if work.kind != "shift_const":
                operations.setdefault(work.kind, []).append(work.count)
    return Pass(
        tuple(stages), tuple((kind, tuple(counts)) for kind, counts in operations.items()),
        sum(stage.weight_bits for stage in stages), maps,
    )  # fmt: skip


def array_cycles(stage: Stage, chosen: Engine) -> int:
    """Cycles of a matrix on the array that suits its operands; narrow integers pass the binary lanes bit by bit."""
    m = stage.matrix
    if m is None:
        return 0
    if is_binary(m):
        return int(units.cycles(m, min(chosen.pe, m.mh), min(chosen.simd, m.mw))) * m.bits_a * m.bits_w
    return chosen.array.cycles(RealLayer.of(stage))


def operator_cycles(passed: Pass, chosen: Engine) -> int:
    """Cycles of the busiest kind of operators: layers of one pass share the operators of a kind, and kinds overlap."""
    lanes = chosen.lanes
    return max((sum(-(-count // lanes) for count in counts) for _, counts in passed.operations), default=0)


def pass_cycles(passed: Pass, chosen: Engine, job: Job) -> int:
    """Cycles of a pass: the array, the operators and the ports to the host's memory work at the same time."""
    return max(
        array_cycles(passed.stages[0], chosen), operator_cycles(passed, chosen), load_cycles(passed, chosen, job)
    )


def error_of(passed: Pass) -> str:
    """The constant that says how many cycles a pass takes for each of the model's: arrays of DSP slices were published
    by vendors, engines of low-bit lanes by laboratories."""
    m = passed.stages[0].matrix
    return "array_error" if m is not None and not is_binary(m) else "engine_error"


def seconds(total: Mapping[str, int], job: Job) -> Interval:
    """Time of the passes, by the error that each bears."""
    found = Interval.exact(0.0)
    for name, cycles in total.items():
        time, q = cycles / job.clock, job.target.constants.get(name)
        found += Interval(time * q.value, time * q.low, time * q.high) if q else Interval.exact(time)
    return found


def _rates(total: Mapping[str, int], job: Job) -> dict[str, Interval]:
    """Images per second, without and with the call that starts a batch."""
    time = seconds(total, job)
    call, batch = job.target.constants.get("call_time"), job.settings["batch"]
    more = (call.value / batch, call.low / batch, call.high / batch) if call else (0.0, 0.0, 0.0)
    return {
        name: Interval(1 / (time.value + value), 1 / (time.high + high), 1 / (time.low + low))
        for name, (value, low, high) in (
            ("steady_images_per_second", (0.0, 0.0, 0.0)), ("images_per_second", more),
        )
    }  # fmt: skip


def _energy(job: Job, total: Mapping[str, int], amounts: Mapping[str, float]) -> list[Line]:
    """What is drawn while an image is computed, and while its call is made; what the clocked logic takes."""
    constants = job.target.constants
    found = []
    for component, watts, factors in static_power(job.target):
        for name, cycles in total.items():
            error = (name,) if name in constants else ()
            found.append(Line(-1, "energy_J", component, "steady", watts * cycles / job.clock, (*factors, *error)))
        if "call_time" in constants:
            share = watts / job.settings["batch"]
            found.append(Line(-1, "energy_J", component, "software", share, (*factors, "call_time")))
    more = ("engine_activity",) if "engine_activity" in constants else ()
    return found + dynamic_lines(amounts, sum(total.values()), job.target, job.settings["activity"], more)


def size(job: Job) -> Engine:
    """The fastest engine within what timing closure leaves of the device, or else within all of it; the narrowest where
    the device holds none. Feature maps are on chip or not, weights in block RAM or LUTs."""
    asked = needs(job.design)
    sizes = SIZES if asked.widest else SIZES[-1:]
    for most in (usable(job.target), job.device):
        found: list[tuple[float, int, Engine]] = []
        for on_chip, lanes in product((True, False), LANES):
            for (pe, simd), weights in product(sizes, STYLES):  # a narrower array is slower, all else equal
                tried = _with_macs(asked, Engine(pe, simd, 1, lanes, on_chip, weights), job, most)
                if tried is not None:
                    found.append((_time(job, tried), len(found), tried))
                    break
        if found:
            return min(found)[2]
    return Engine(*SIZES[-1], 1, 1, False)


def _with_macs(asked: Needs, tried: Engine, job: Job, most: Mapping[str, float]) -> Engine | None:
    """The engine with as many real multiply-accumulators as DSP slices are left for; None where it does not fit."""
    if asked.operands:
        rest = _takes(replace(asked, operands=None), tried, job)
        macs = int(most["dsp"] - rest["dsp"]) // units.dsp_blocks(*asked.operands, job.style.fabric)
        if macs < 1:
            return None
        tried = replace(tried, macs=macs)
    used = _takes(asked, tried, job)
    while asked.operands and used["dsp"] > most["dsp"] and tried.macs > 1:
        tried = replace(tried, macs=tried.macs - 1)
        used = _takes(asked, tried, job)
    if any(used[name] > most[name] for name in RESOURCES):
        return None
    return replace(tried, array=arrange(job.design, tried.macs)) if asked.operands else tried


def _takes(asked: Needs, tried: Engine, job: Job) -> dict[str, float]:
    """What an engine takes of each resource, as its bill adds it up."""
    sums = dict.fromkeys(RESOURCES, 0.0)
    constants = prices(job.target)
    for make, arguments in pieces(asked, tried, job.style):
        for name, amount in _taken(constants, make, *arguments):
            sums[name] += amount
    return sums


@lru_cache(maxsize=8192)
def _taken(constants: Prices, make: Callable[..., Parts], *arguments: Any) -> tuple[tuple[str, float], ...]:
    bill = Estimate("", "", "", tuple(resource_lines([(-1, make(*arguments))])), constants.quantities)
    return tuple((name, bill.total(name).value) for name in bill.metrics() if name in RESOURCES)


def _time(job: Job, chosen: Engine) -> float:
    total: dict[str, int] = {}
    for each in passes(job.design):
        name = error_of(each)
        total[name] = total.get(name, 0) + pass_cycles(each, chosen, job)
    return seconds(total, job).value


def load_cycles(passed: Pass, chosen: Engine, job: Job) -> int:
    """Cycles in which what a pass moves crosses the ports to the host's memory, which gives a word in most of them."""
    words = ceil_div(passed.moved_bits(chosen.on_chip), job.style.host_width * job.style.ports)
    overhead = job.target.constants.get("port_cycles_per_word")
    return int(words) if overhead is None else math.ceil(words * overhead.value)
