"""A network as a streaming pipeline with a unit for each layer: its folding, and the bill of that folding.

A pipeline gives a result every ``interval`` cycles, the cycles of its slowest matrix unit, exactly. Resources are sums
over its units (:mod:`~costmodel.targets.fpga.units`, :mod:`~costmodel.targets.fpga.streams`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costmodel.targets.arith import longest_interval
from costmodel.targets.estimate import Estimate, Line, unused
from costmodel.targets.fpga.bill import PRICED, notes, resource_lines
from costmodel.targets.fpga.finn import folding_data, read_folding
from costmodel.targets.fpga.fit import (
    explain_misfit,
    move_to_luts,
    move_to_uram,
    too_many_weights,
    usable,
    utilisation,
)
from costmodel.targets.fpga.folding import Fold, matrix_stages
from costmodel.targets.fpga.job import Job, nominal, prices
from costmodel.targets.fpga.latency import intervals, latency
from costmodel.targets.fpga.pipeline import design_groups, host_cycles
from costmodel.targets.fpga.timing import Timing, active_amounts, scope
from costmodel.targets.quantity import Interval

if TYPE_CHECKING:
    from costmodel.targets.fpga.search import Found, Limits


@dataclass(frozen=True)
class Folded:
    """A folding, stage -> fold, of a pipeline built for a result every ``interval`` cycles.

    ``why`` says why it is not what was asked for; it is empty where it is. ``proven``: no other folding
    is better.
    """

    folding: Mapping[int, Fold]
    interval: int
    why: tuple[str, ...] = ()
    proven: bool = False
    notes: tuple[str, ...] = ()


def dataflow(job: Job) -> Estimate:
    """The bill of the best pipeline, or of the folding that was given; ``misfit`` says why it cannot be built."""
    chosen = fold(job)
    folding, interval = chosen.folding, chosen.interval
    groups = design_groups(job.design, folding, interval, job.style)
    spent = intervals(job.design, folding)
    first = latency(job.design, folding, interval, job.style)
    timing = Timing.of(job, first, interval, active_amounts(groups, job.target))
    lines = resource_lines(groups)
    used = utilisation(lines, timing.constants, job.device)
    lines += [Line(job.design[i].layers[0], "cycles", "interval", "control", count) for i, count in spent.items()]
    lines += timing.lines()
    misfit = (*explain_misfit(used, job, "a pipeline", suggest=job.settings["mode"] == "dataflow"), *chosen.why)
    if misfit and job.settings["folding"] != "auto":
        misfit = (*misfit, *fastest_in_words(job))
    slowest = max(spent, key=lambda i: spent[i])
    facts = {
        "mode": "dataflow",
        "interval_cycles": interval,
        "latency_cycles": timing.first,
        "slowest_layer": job.name(slowest) if spent[slowest] == interval else "port to the host",
        "clock_Hz": job.clock,
        "impl": job.settings["impl"],
        "lanes": sum(f.lanes for f in folding.values()),
        "folding": {job.name(i): (f.pe, f.simd) for i, f in folding.items()},
        "finn_folding": folding_data(folding, job.design, interval),
        "folding_proven": chosen.proven,
        "macs_per_s": sum(s.macs for s in job.design) * job.clock / interval,
    }
    derived = {
        "cycles": Interval.exact(interval),  # of the whole: its slowest unit, not the sum of all
        **timing.rates(),
        **{f"utilisation_{name}": share for name, share in used.items()},
    }
    return Estimate(
        job.ledger.network, job.target.name, job.ledger.level, tuple(lines), timing.constants,
        tuple(layer.name for layer in job.ledger.layers), derived, facts, misfit,
        (*notes(job, used), *chosen.notes), unused(lines, PRICED), scope=scope(job.target),
    )  # fmt: skip


def fold(job: Job) -> Folded:
    """The folding that was given, the cheapest that reaches the asked rate, or the fastest that the device holds."""
    asked = longest_interval(job.clock, job.settings["fps"]) if job.settings["fps"] else None
    if job.settings["folding"] != "auto":
        return _given(job, asked)
    if why := too_many_weights(job):
        return _narrowest(job, why)
    from costmodel.targets.fpga import search

    design = foldings(job)
    for limits in tiers(job):
        if asked is not None and (found := search.cheapest(design, limits, asked)).choices is not None:
            return _of(job, found)
    for limits in tiers(job):
        if (found := search.fastest(design, limits)).choices is not None:
            best = _of(job, found)
            if asked is None:
                return best
            rate = job.clock / best.interval
            return _with(best, f"{job.settings['fps']:g} images per second need a result every {asked:,} cycles; the "
                         f"fastest pipeline that {job.target.name} holds gives one every {best.interval:,}, "
                         f"{rate:,.0f} a second")  # fmt: skip
    return _narrowest(job, ())


def _given(job: Job, asked: int | None) -> Folded:
    """The folding of the settings. What is not folded is built for the asked rate, where that is slower."""
    file = read_folding(job.settings["folding"], job.design, job.style.pixel_streams)
    folding: Mapping[int, Fold] = file.folds
    interval = max(
        *intervals(job.design, folding).values(), host_cycles(job.design, job.style, nominal(job.target)), asked or 0
    )
    folding = move_to_uram(job, folding, design_groups(job.design, folding, interval, job.style))
    folding, moved = move_to_luts(job, folding, design_groups(job.design, folding, interval, job.style))
    said = file.notes
    if moved:
        said = (*said, f"the block RAM does not hold all weights: {moved} of their memories are in LUTs, as synthesis "
                "tools put them; ram_style in the folding says otherwise")  # fmt: skip
    if asked is None or job.clock / interval >= job.settings["fps"]:
        return Folded(folding, interval, notes=said)
    return Folded(folding, interval, (
        f"{job.settings['fps']:g} images per second need a result every {asked:,} cycles; this folding gives one every "
        f"{interval:,}",
    ), notes=said)  # fmt: skip


def _narrowest(job: Job, why: tuple[str, ...]) -> Folded:
    """One lane for every unit: what is shown where nothing fits."""
    folding = {stage.index: Fold(1, 1) for stage in matrix_stages(job.design)}
    host = host_cycles(job.design, job.style, nominal(job.target))
    return Folded(folding, max(host, *intervals(job.design, folding).values()), why)


def _with(folded: Folded, why: str) -> Folded:
    return Folded(folded.folding, folded.interval, (*folded.why, why), folded.proven)


# -- the search -------------------------------------------------------------------------------------------------------


def foldings(job: Job) -> Any:
    """Every folding of a job's pipeline, priced."""
    from costmodel.targets.fpga.space import Rules, fold_design

    rules = Rules(ultra=job.device["uram"] > 0)
    return fold_design(job.design, job.names, job.style, prices(job.target), rules)


def tiers(job: Job) -> tuple[Limits, Limits]:
    """What a design may use: what timing closure leaves of the device, or else all of it."""
    from costmodel.targets.fpga.search import Limits

    mean = job.target.constants.get("usable_mean")
    return (
        Limits(usable(job.target), job.device, None if mean is None else mean.value),
        Limits(job.device, job.device),
    )


def _of(job: Job, found: Found) -> Folded:
    from costmodel.targets.fpga.space import folds

    assert found.choices is not None
    design = foldings(job)
    order = [stage.index for stage in matrix_stages(job.design)]
    chosen = dict(zip(order, folds(design, found.choices), strict=True))
    return Folded(chosen, int(design.intervals[found.at]), (), found.settled and not found.gap)


def fastest_in_words(job: Job) -> tuple[str, ...]:
    """The fastest pipeline that the device holds; nothing where it holds none."""
    from costmodel.targets.fpga import search

    if too_many_weights(job):
        return ()
    design = foldings(job)
    for limits in tiers(job):
        if (found := search.fastest(design, limits)).choices is not None:
            interval = int(design.intervals[found.at])
            return (
                f"the fastest pipeline that {job.target.name} holds gives a result every {interval:,} cycles, "
                f"{job.clock / interval:,.0f} a second",
            )
    return ()
