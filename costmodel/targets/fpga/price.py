"""FPGA: a network as a streaming pipeline with a unit a layer, or on one engine that its layers share in turn.

A pipeline gives a result every ``interval`` cycles, the cycles of its slowest matrix unit, exactly. Resources are sums
over its units (:mod:`fpga_units`, :mod:`fpga_streams`); energy is the board's measured power times the time a result
takes, because on a board the dynamic part is smaller than what the rest of the board draws.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.ledger.ledger import Ledger
from costmodel.targets.estimate import Estimate, Line
from costmodel.targets.fpga.bill import notes, resource_lines
from costmodel.targets.fpga.design import Stage, Widths, stages
from costmodel.targets.fpga.engine import engine
from costmodel.targets.fpga.fit import (
    Budget,
    capacity,
    explain_misfit,
    fold_for,
    move_to_uram,
    too_many_weights,
    utilisation,
)
from costmodel.targets.fpga.folding import divisors, folding_data, matrix_stages, read_folding, simd_choices
from costmodel.targets.fpga.latency import intervals, latency
from costmodel.targets.fpga.pipeline import Style, design_groups
from costmodel.targets.fpga.units import IMPLS, Fabric
from costmodel.targets.quantity import Interval, Quantity
from costmodel.targets.spec import Parameter, Target

OPTIONS: Mapping[str, Parameter] = {
    "fps": Parameter(0.0, "images a second to reach with the least hardware; 0: as many as the device holds", min=0.0),
    "folding": Parameter(
        "auto", "auto, PExSIMD of each matrix unit (16x3,32x32,...), or a folding file of FINN (JSON)"
    ),
    "mode": Parameter(
        "auto",
        "dataflow: a unit a layer; engine: one unit that layers share in turn; auto: dataflow if it fits",
        choices=("auto", "dataflow", "engine"),
    ),
    "impl": Parameter("hls", "how the matrix units are written", choices=IMPLS),
    "streams": Parameter(
        "unit",
        "unit: a stream is as wide as its producer (FINN); pixel: all channels of a pixel (BNN-PYNQ)",
        choices=("unit", "pixel"),
    ),
    "batch": Parameter(1000, "images in a row, over which the filling of the pipeline is shared out", min=1),
    "real_bits": Parameter(16, "fixed-point width that stands for real values", min=2, max=32),
    "weight_bits": Parameter(8, "fixed-point width of real weights", min=2, max=32),
    "input_bits": Parameter(8, "width of the network's inputs", min=1, max=32),
    "input_scaling": Parameter(
        "host", "who scales, rounds and clamps the network's inputs", choices=("host", "fabric")
    ),
    "fifo_depth": Parameter(32, "words buffered in front of a unit, where the folding does not say", min=1),
    "host_depth": Parameter(64, "words buffered towards and from the host", min=1),
    "ports": Parameter(1, "ports to the host's memory that an engine uses", min=1),
}


class Structure(msgspec.Struct):
    """What only an FPGA has: its fabric, and the ports through which it reads the host's memory."""

    fabric: dict[str, Any]
    host_width: int
    host_ports: int = 1


def price(ledger: Ledger, target: Target, settings: Mapping[str, Any]) -> Estimate:
    """Price a ledger on an FPGA.

    Lines are in LUT, FF, CARRY, DSP, block RAMs of 18 kbit, cycles, seconds and joules; ``facts`` hold the folding, the
    initiation interval and the latency in cycles; ``derived`` the rate and the utilisation of the device.
    Raises :class:`CostmodelError` for a folding that does not match the network.
    """
    structure = target.structure_as(Structure)
    style = Style(
        settings["impl"], make_fabric(structure, target), structure.host_width, settings["streams"] == "pixel",
        settings["fifo_depth"], settings["host_depth"], settings["ports"],
    )  # fmt: skip
    if style.ports > structure.host_ports:
        raise CostmodelError(f"option ports={style.ports}: {target.name} has {structure.host_ports}")
    widths = Widths(settings["real_bits"], settings["weight_bits"], settings["input_bits"])
    design = stages(ledger, widths, style.impl == "hls", settings["input_scaling"] == "host")
    if not matrix_stages(design):
        raise CostmodelError(
            f"network {ledger.network!r} has no convolution, dense layer or matrix product: nothing to fold"
        )
    budget = capacity(target)
    if settings["mode"] != "engine":
        estimate = dataflow(ledger, target, settings, design, style, budget)
        if isinstance(estimate, Estimate):
            return estimate
        shared = engine(ledger, target, settings, design, style, budget, estimate)
        if not shared.misfit:
            return shared
        return replace(shared, misfit=(*shared.misfit, *_nearest_folding(design, style, target, budget, settings)))
    return engine(ledger, target, settings, design, style, budget, ())


@dataclass(frozen=True, slots=True)
class Unit:
    """A matrix unit as a folding names it: ``rows`` x ``columns``, with the PE and SIMD that divide them evenly."""

    name: str
    rows: int
    columns: int
    pe: tuple[int, ...]
    simd: tuple[int, ...]


def units(ledger: Ledger) -> list[Unit]:
    """What a folding has to name, in order of execution."""
    defaults = {name: p.default for name, p in OPTIONS.items()}
    widths = Widths(*(int(defaults[name] or 0) for name in ("real_bits", "weight_bits", "input_bits")))
    return [
        Unit(ledger.layers[s.layers[0]].name, s.matrix.mh, s.matrix.mw, divisors(s.matrix.mh), simd_choices(s))
        for s in matrix_stages(stages(ledger, widths, True, True))
        if s.matrix is not None
    ]


def make_fabric(structure: Structure, target: Target) -> Fabric:
    """The geometry of the device's blocks; raises :class:`CostmodelError` for a field that does not exist."""
    known = Fabric.__dataclass_fields__
    for name in structure.fabric:
        if name not in known:
            raise UnknownNameError(f"field of structure.fabric in {target.file or target.name}:", name, known)
    try:
        return _fabric(json.dumps(structure.fabric, sort_keys=True))
    except (msgspec.ValidationError, TypeError) as error:
        raise CostmodelError(f"{target.file or target.name}: structure.fabric: {error}") from error


@lru_cache(maxsize=64)
def _fabric(text: str) -> Fabric:
    return msgspec.json.decode(text, type=Fabric)


def dataflow(
    ledger: Ledger,
    target: Target,
    settings: Mapping[str, Any],
    design: Sequence[Stage],
    style: Style,
    budget: Budget,
) -> Estimate | tuple[str, ...]:
    """The network as a pipeline with a unit a layer; where there is a choice and none fits, only the reasons."""
    clock = settings["clock"]
    alone = settings["mode"] == "dataflow" or settings["folding"] != "auto"
    if not alone and (why := too_many_weights(design, style, target, budget)):
        return why
    if settings["folding"] == "auto":
        folding, limit = fold_for(design, style, target, budget, settings)
    else:
        folding = read_folding(settings["folding"], design)
        # What is not folded is built for the asked rate, where that is slower than the folding.
        limit = int(clock / settings["fps"]) if settings["fps"] else 0
    spent = intervals(design, folding)
    interval = max(max(spent.values()), limit)
    groups = design_groups(design, folding, interval, style)
    folding, groups = move_to_uram(design, folding, interval, style, target, budget, groups)

    used = utilisation(groups, target)
    misfit = explain_misfit(used, target, budget, "a pipeline", suggest=alone)
    if misfit and not alone:
        return misfit
    if misfit and (settings["folding"] != "auto" or settings["fps"]):
        misfit = (*misfit, *_nearest_folding(design, style, target, budget, settings))

    first = latency(design, folding, interval, style)
    per_image = (first + (settings["batch"] - 1) * interval) / settings["batch"] / clock
    lines = resource_lines(groups)
    lines += [Line(design[i].layers[0], "cycles", "interval", "control", count) for i, count in spent.items()]
    unknown, constants = _latency_error(ledger, target)
    lines.append(Line(-1, "latency_s", "pipeline", "control", first / clock, unknown))
    if "board_power" in target.constants:
        share = first / settings["batch"] / clock  # of the filling of the pipeline
        lines.append(Line(-1, "energy_J", "board", "control", share, ("board_power", *unknown)))
        if settings["batch"] > 1:
            lines.append(Line(-1, "energy_J", "board", "control", per_image - share, ("board_power",)))
    derived = {
        "cycles": Interval.exact(interval),  # of the whole: its slowest unit, not the sum of all
        "throughput_fps": Interval.exact(clock / interval),
        "images_per_second": _rate(first, interval, settings, [constants[name] for name in unknown]),
        **{f"utilisation_{name}": share for name, share in used.items()},
    }
    if settings["fps"] and clock / interval < settings["fps"]:
        misfit = (
            *misfit,
            f"{settings['fps']:g} images a second need a result every {int(clock / settings['fps'])} cycles; the "
            f"widest folding of the slowest layer gives one every {interval}",
        )
    facts = {
        "mode": "dataflow",
        "interval_cycles": interval,
        "latency_cycles": first,
        "slowest_layer": ledger.layers[design[max(spent, key=lambda i: spent[i])].layers[0]].name,
        "clock_hz": clock,
        "impl": style.impl,
        "lanes": sum(fold.lanes for fold in folding.values()),
        "folding": {ledger.layers[design[i].layers[0]].name: (f.pe, f.simd) for i, f in folding.items()},
        "finn_folding": folding_data(folding, design),
        "macs_per_s": sum(s.macs for s in design) * clock / interval,
    }
    return Estimate(
        ledger.network, target.name, ledger.level, tuple(lines), constants,
        tuple(layer.name for layer in ledger.layers), derived, facts, misfit, notes(design, settings, target, used),
    )  # fmt: skip


def _latency_error(ledger: Ledger, target: Target) -> tuple[tuple[str, ...], Mapping[str, Quantity]]:
    """The factor by which one image may take longer than the model says, one draw a network, and all constants."""
    if "latency_error" not in target.constants:
        return (), target.constants
    name = f"latency_error of {ledger.network}"
    return (name,), {**target.constants, name: target.constants["latency_error"]}


def _rate(first: int, interval: int, settings: Mapping[str, Any], error: Sequence[Quantity]) -> Interval:
    """Images a second of a batch: the filling of the pipeline is uncertain, the interval is exact."""

    def rate(factor: float) -> float:
        cycles = (factor * first + (settings["batch"] - 1) * interval) / settings["batch"]
        return float(1 / (cycles / settings["clock"]))

    if not error:
        return Interval.exact(rate(1.0))
    return Interval(rate(1.0), rate(error[0].high), rate(error[0].low))


def _nearest_folding(
    design: Sequence[Stage], style: Style, target: Target, budget: Budget, settings: Mapping[str, Any]
) -> tuple[str, ...]:
    """The fastest folding that the device holds, in words; nothing where it holds none."""
    if too_many_weights(design, style, target, budget):
        return ()
    folding, limit = fold_for(design, style, target, budget, {**settings, "fps": 0.0})
    groups = design_groups(design, folding, limit, style)
    _, groups = move_to_uram(design, folding, limit, style, target, budget, groups)
    if explain_misfit(utilisation(groups, target), target, budget, "it", suggest=False):
        return ()
    rate = settings["clock"] / limit
    return (
        f"the fastest pipeline that {target.name} holds gives a result every {limit:,} cycles, {rate:,.0f} a second",
    )
