"""FPGA: a network as a pipeline with a unit for each layer, or on one engine that its layers share in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from costmodel.ledger.ledger import Ledger
from costmodel.targets.bits import KIND_BITS
from costmodel.targets.estimate import Estimate
from costmodel.targets.fpga.dataflow import dataflow
from costmodel.targets.fpga.design import Widths, stages
from costmodel.targets.fpga.engine import engine
from costmodel.targets.fpga.folding import divisors, matrix_stages, simd_choices
from costmodel.targets.fpga.job import make_job
from costmodel.targets.fpga.makers import IMPLS
from costmodel.targets.spec import Parameter, Target

OPTIONS: Mapping[str, Parameter] = {
    "fps": Parameter(0.0, "steady images per second to reach with the least hardware; 0: as many as fit", min=0.0),
    "folding": Parameter(
        "auto", "auto, PExSIMD of each matrix unit (16x3,32x32,...), or a folding file of FINN (JSON)"
    ),
    "mode": Parameter(
        "auto",
        "dataflow: a unit for each layer; engine: one unit that layers share in turn; auto: the faster of what fits",
        choices=("auto", "dataflow", "engine"),
    ),
    "impl": Parameter("hls", "how the matrix units are written", choices=IMPLS),
    "streams": Parameter(
        "unit",
        "unit: a stream is as wide as its producer, windows and width converters in RTL (FINN since 0.10); unit-hls: "
        "these by high-level synthesis as well (FINN before); pixel: all channels of a pixel, and matrices padded to "
        "multiples of PE and SIMD (BNN-PYNQ)",
        choices=("unit", "unit-hls", "pixel"),
    ),
    "batch": Parameter(1000, "images in a row, over which the filling of the pipeline is shared out", min=1),
    "activity": Parameter(
        1.0, "switching of the data, relative to the default of the vendor's power report", min=0.0, max=8.0
    ),
    "real_bits": Parameter(16, "fixed-point width that stands for real values", min=2, max=32),
    "weight_bits": Parameter(8, "fixed-point width of real weights", min=2, max=32),
    "input_bits": Parameter(8, "width of the network's inputs", min=1, max=32),
    "kind_bits": KIND_BITS,
    "input_scaling": Parameter(
        "host", "who scales, rounds and clamps the network's inputs", choices=("host", "fabric")
    ),
    "fifo_depth": Parameter(32, "words buffered in front of a unit, where the folding does not say", min=1),
    "host_depth": Parameter(64, "words buffered towards and from the host", min=1),
    "ports": Parameter(1, "ports to the host's memory that an engine uses", min=1),
}


def price(ledger: Ledger, target: Target, settings: Mapping[str, Any]) -> Estimate:
    """Price a ledger on an FPGA.

    Lines are in LUT, FF, CARRY, DSP, block RAMs of 18 kbit, cycles, seconds and joules; ``facts`` hold the folding, the
    initiation interval and the latency in cycles; ``derived`` the utilisation of the device and two rates:
    ``images_per_second`` over ``batch`` images in a row, the filling of the pipeline included, and
    ``steady_images_per_second`` of a pipeline that stays full, which is clock / initiation interval.
    Raises :class:`CostmodelError` for a folding that does not match the network.
    """
    job = make_job(ledger, target, settings)
    designs = []
    if settings["mode"] != "engine":
        designs.append(dataflow(job))
    if settings["mode"] == "engine" or (settings["mode"] == "auto" and settings["folding"] == "auto"):
        designs.append(engine(job))
    return better(designs, settings["fps"])


def better(designs: list[Estimate], fps: float) -> Estimate:
    """Of a pipeline and an engine the one that fits; of two that fit the faster, or the pipeline where it reaches the
    rate ``fps`` that was asked for, with the least hardware. The answer says what speaks against the other."""
    if len(designs) == 1:
        return designs[0]
    pipeline, shared = designs
    first, second = (design.derived["steady_images_per_second"].value for design in designs)
    fits, other_fits = (_buildable(design) for design in designs)
    if fits and other_fits:
        fits = first >= (min(fps, second) if fps else second)
    if fits:
        return pipeline
    why = pipeline.misfit or (f"the engine is faster: {second:,.4g} images per second, a pipeline {first:,.4g}",)
    facts = {**shared.facts, "why_no_pipeline": "; ".join(why)}
    return replace(shared, facts=facts, misfit=(*shared.misfit, *(why if shared.misfit and pipeline.misfit else ())))


def _buildable(design: Estimate) -> bool:
    """Whether the device holds a design, however slow it is."""
    return all(design.derived[name].value <= 1 for name in design.derived if name.startswith("utilisation_"))


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
    real, weight, given = (int(defaults[name] or 0) for name in ("real_bits", "weight_bits", "input_bits"))
    widths = Widths(real, weight, given)
    return [
        Unit(ledger.layers[s.layers[0]].name, s.matrix.mh, s.matrix.mw, divisors(s.matrix.mh), simd_choices(s))
        for s in matrix_stages(stages(ledger, widths, True, True))
        if s.matrix is not None
    ]
