"""What an FPGA estimate says besides its numbers, and the order in which it says them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from costmodel.metrics import RESOURCES
from costmodel.targets.estimate import Line
from costmodel.targets.fpga.fit import clock_reached
from costmodel.targets.fpga.job import Job
from costmodel.targets.fpga.timing import scope, scope_in_words
from costmodel.targets.fpga.units import Part
from costmodel.targets.quantity import Interval

#: The resources that a design is priced in, in the order in which they are shown.
PRICED = (*RESOURCES, "carry")


def resource_lines(groups: Iterable[tuple[int, tuple[Part, ...]]]) -> list[Line]:
    """The parts of groups as lines of the bill, by resource; parts of nothing are left out."""
    lines: dict[str, list[Line]] = {metric: [] for metric in PRICED}
    for layer, group in groups:
        for metric, component, kind, coefficient, factors in group:
            if coefficient and metric in lines:
                lines[metric].append(Line(layer, metric, component, kind, float(coefficient), factors))
    return [line for metric in PRICED for line in lines[metric]]


def notes(job: Job, used: Mapping[str, Interval]) -> tuple[str, ...]:
    """What the numbers assume, and what they leave out."""
    settings, target = job.settings, job.target
    said = list(job.notes)
    real = sorted({w.kind for s in job.design for w in s.work if w.bits_a == settings["real_bits"]})
    if real:
        said.append(
            f"real values are {settings['real_bits']}-bit fixed point (real_bits), weights of real layers "
            f"{settings['weight_bits']}-bit (weight_bits), inputs {settings['input_bits']}-bit (input_bits)"
            + (f", by kind of layer {settings['kind_bits']} (kind_bits)" if settings["kind_bits"] else "")
        )
    if settings["input_scaling"] == "host":
        said.append("scaling and rounding of the inputs, where there is any, is left to the host (input_scaling)")
    unknown = sum(w.count for s in job.design for w in s.work if w.kind == "unknown")
    if unknown:
        said.append(f"NOT PRICED: {unknown} operations without a rule")
    said.append(scope_in_words(target) if scope(target) else f"no energy: no figure of {target.name}'s power is known")
    reached = clock_reached(target, used)
    if reached is not None and job.clock > reached.value:
        said.append(
            f"clock: routed designs of this size on this logic met {reached.low / 1e6:.0f} to {reached.high / 1e6:.0f} "
            f"MHz; {job.clock / 1e6:.0f} MHz is {'beyond that' if job.clock > reached.high else 'not assured'}"
        )
    for name, share in used.items():
        usable = target.value(f"usable_{name}")
        if usable < share.value <= 1:
            said.append(f"{name}: {share.value:.0%} of the device; above {usable:.0%} timing closure is harder")
    return tuple(said)
