"""Whether a design fits its device, what it may use of it, and which device would hold it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import prod

from costmodel.metrics import RESOURCES
from costmodel.targets.estimate import Estimate, Line, unused
from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.folding import Fold, matrix_stages
from costmodel.targets.fpga.job import Job, capacity, nominal
from costmodel.targets.fpga.pipeline import Parts
from costmodel.targets.fpga.units import URAM_ASPECT, MatrixShape, memory, totals
from costmodel.targets.load import list_targets, load_target
from costmodel.targets.quantity import Interval, Quantity
from costmodel.targets.spec import Target


def usable(target: Target) -> dict[str, float]:
    """What timing closure leaves of each resource."""
    return {name: amount * target.value(f"usable_{name}") for name, amount in capacity(target).items()}


def utilisation(
    lines: Sequence[Line], constants: Mapping[str, Quantity], device: Mapping[str, float]
) -> dict[str, Interval]:
    """Share of the device that the lines of a bill take of each resource; resources that the device lacks and the
    design does not use are left out."""
    bill = Estimate("", "", "", tuple(lines), constants, unused=unused(lines, RESOURCES))
    shares = {}
    for name in RESOURCES:
        total = bill.total(name)
        if device[name] or total.value:
            share = total.scaled(1 / device[name] if device[name] else float("inf"))
            shares[name] = Interval(share.value, max(share.low, 0.0), share.high)
    return shares


def too_many_weights(job: Job) -> tuple[str, ...]:
    """Why no folding can fit: weights beyond block RAM, UltraRAM and every LUT as memory. Else empty."""
    depth, width = job.style.fabric.ram[0]
    ram = job.device["bram18"] * depth * width + job.device["uram"] * prod(URAM_ASPECT)
    luts = job.device["lut"] * job.style.fabric.lutram_depth
    weights = sum(stage.weight_bits for stage in job.design)
    if weights <= ram + luts:
        return ()
    return (
        f"the weights of a pipeline are {weights / 1e6:,.1f} Mbit; all memory of {job.target.name} holds "
        f"{ram / 1e6:,.1f} Mbit as blocks and {luts / 1e6:,.1f} Mbit in LUTs",
    )


def clock_reached(target: Target, used: Mapping[str, Interval]) -> Interval | None:
    """The clock that designs of this size are known to meet: between that of half of the LUTs and that of nine tenths,
    in proportion. None where nothing is known of the logic."""
    if "clock_sparse" not in target.constants or "lut" not in used:
        return None
    dense = min(max((used["lut"].value - 0.5) / 0.4, 0.0), 1.0)
    few, most = target.constants["clock_sparse"], target.constants["clock_dense"]
    value, low, high = (
        (1 - dense) * getattr(few, bound) + dense * getattr(most, bound) for bound in ("value", "low", "high")
    )
    return Interval(value, low, high)


# -- UltraRAM of foldings that do not say where weights are -----------------------------------------------------------


def move_to_uram(job: Job, folding: Mapping[int, Fold], groups: Iterable[tuple[int, Parts]]) -> Mapping[int, Fold]:
    """Weights whose place is not said go to UltraRAM, those that save most block RAM an UltraRAM first, until the block
    RAM suffices: what is usable of it, or else all that the device has."""
    if not job.device["uram"]:
        return folding
    bram = sum(totals(group, nominal(job.target)).get("bram18", 0) for _, group in groups)
    for most in (usable(job.target), job.device):
        moved, freed = _plan(job.design, folding, bram, most)
        if bram - freed <= most["bram18"]:
            break
    return {i: replace(fold, weights="ultra") if i in moved else fold for i, fold in folding.items()}


def _plan(
    design: Sequence[Stage], folding: Mapping[int, Fold], bram: float, most: Mapping[str, float]
) -> tuple[frozenset[int], float]:
    """Stages whose weights go to UltraRAM, and the block RAMs that this saves."""
    options = []
    if not most["uram"] or bram <= most["bram18"]:
        return frozenset(), 0.0
    for stage in matrix_stages(design):
        assert stage.matrix is not None
        saved, cost = _swap(stage.matrix, folding[stage.index].pe, folding[stage.index].simd)
        if saved > cost and folding[stage.index].weights == "auto":
            options.append((saved / cost, saved, cost, stage.index))
    moved, freed, left = set(), 0.0, most["uram"]
    for _, saved, cost, index in sorted(options, reverse=True):
        if bram - freed <= most["bram18"]:
            break
        if cost <= left:
            moved.add(index)
            freed, left = freed + saved, left - cost
    return frozenset(moved), freed


# -- LUTs as memory of foldings that ask for more block RAM than there is ---------------------------------------------


def move_to_luts(
    job: Job, folding: Mapping[int, Fold], groups: Iterable[tuple[int, Parts]]
) -> tuple[Mapping[int, Fold], int]:
    """Weights whose place is not said, in LUTs as far as the device lacks block RAM, and how many memories that are.

    So do synthesis tools ("resources of type BRAM have been overutilized, will try to implement using LUT-RAM"): memory
    by memory, those first that take the fewest LUTs a block. Where the LUTs do not suffice either, nothing is moved.
    """
    known, fabric = nominal(job.target), job.style.fabric
    needs = [totals(group, known) for _, group in groups]
    bram, luts = (sum(need.get(name, 0) for need in needs) for name in ("bram18", "lut"))
    lacking = bram - job.device["bram18"]
    if lacking <= 0 or not fabric.lutram_depth:
        return folding, 0
    options = []
    for stage in matrix_stages(job.design):
        fold, m = folding[stage.index], stage.matrix
        assert m is not None
        depth, width = -(-m.mw // fold.simd) * -(-m.mh // fold.pe), fold.simd * m.bits_w
        block = totals(memory("weights", "weight", depth, width, 1, fabric=fabric), known).get("bram18", 0)
        if block and fold.weights == "auto":
            lut = totals(memory("weights", "weight", depth, width, 1, "distributed", fabric), known)["lut"]
            options.append((lut / block, stage.index, block, lut, fold.pe))
    moved: dict[int, int] = {}
    for _, index, block, lut, copies in sorted(options):
        moved[index] = min(copies, max(0, math.ceil(lacking / block)))
        lacking -= moved[index] * block
        luts += moved[index] * lut
    if lacking > 0 or luts > job.device["lut"]:
        return folding, 0
    return {i: replace(fold, in_luts=moved.get(i, 0)) for i, fold in folding.items()}, sum(moved.values())


@lru_cache(maxsize=8192)
def _swap(shape: MatrixShape, pe: int, simd: int) -> tuple[int, int]:
    """Block RAMs that the weights of a matrix unit free, and UltraRAMs that they take instead."""
    depth = -(-shape.mw // simd) * -(-shape.mh // pe)
    block = totals(memory("weights", "weight", depth, simd * shape.bits_w, pe), _ONE)
    ultra = totals(memory("weights", "weight", depth, simd * shape.bits_w, pe, "ultra"), _ONE)
    return int(block.get("bram18", 0)), int(ultra["uram"])


_ONE = {"bram_decomposition": 1.0, "lutram_lut_per_bit": 1.0}


# -- when it does not fit ---------------------------------------------------------------------------------------------


def explain_misfit(used: Mapping[str, Interval], job: Job, what: str, suggest: bool = True) -> tuple[str, ...]:
    """One sentence for each resource that runs out, and the smallest device of the same family that has enough.

    Without ``suggest`` the other devices, whose files would have to be read, are not looked at.
    """
    device, target = job.device, job.target
    short = [name for name, share in used.items() if share.value > 1]
    if not short:
        return ()
    reasons = [
        f"{what} needs {used[name].value * device[name]:,.0f} {name}, {target.name} has {device[name]:,.0f}"
        for name in short
        if device[name]
    ]
    if not suggest:
        return tuple(reasons)
    needed = {name: share.value * device[name] for name, share in used.items() if device[name]}
    other = nearest_device(needed, target)
    reasons.append(
        f"the smallest device with as much is {other}"
        if other
        else "no listed device of this kind of logic has as much"
    )
    return tuple(reasons)


def nearest_device(needed: Mapping[str, float], target: Target) -> str | None:
    """The device with the fewest LUTs, of the same kind of logic, that has all that is needed."""
    found = []
    for name in list_targets("fpga"):
        other = load_target(name)
        if other.constants["adder_lut_per_bit"].unit != target.constants["adder_lut_per_bit"].unit:
            continue
        if other.constants["compare_lut_per_bit"].unit != target.constants["compare_lut_per_bit"].unit:
            continue
        has = capacity(other)
        if all(has[resource] >= amount for resource, amount in needed.items()):
            found.append((has["lut"], name))
    return min(found)[1] if found else None
