"""Whether a design fits its device, which folding is the fastest that does, and which device would hold it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any

from costmodel.targets.fpga_design import Stage
from costmodel.targets.fpga_folding import Choices, Fold, choices, matrix_stages, simd_choices
from costmodel.targets.fpga_pipeline import Style, design_groups, design_parts
from costmodel.targets.fpga_streams import WindowShape, window
from costmodel.targets.fpga_units import URAM_ASPECT, MatrixShape, Part, memory, mvu, totals
from costmodel.targets.load import list_targets, load_target
from costmodel.targets.quantity import Interval
from costmodel.targets.spec import Target

LIMITED = ("lut", "ff", "bram18", "uram", "dsp")
#: How much a block RAM counts against LUTs and DSPs, each as shares of the device, in the searches that are tried.
MEMORY_STRESS = (1, 16)
#: Intervals that are looked at before the search narrows.
COARSE = 8
Budget = Mapping[str, float]  # resource -> how many the device has


def capacity(target: Target) -> dict[str, float]:
    """Resources of the device."""
    return {name: target.value(f"device_{name}") for name in LIMITED}


def amounts(parts: Iterable[tuple[int, Part]], constants: Mapping[str, float]) -> dict[str, float]:
    table = totals((part for _, part in parts), constants)
    return {name: float(table.get(name, 0)) for name in LIMITED}


class Adder:
    """Adds up designs under fixed constants; a group of parts that it has met is not added up again."""

    def __init__(self, constants: Mapping[str, float]) -> None:
        self.constants = constants
        self.known: dict[int, tuple[object, tuple[tuple[int, float], ...]]] = {}

    def __call__(self, groups: Iterable[tuple[int, tuple[Part, ...]]]) -> dict[str, float]:
        sums = [0.0] * len(LIMITED)
        for _, group in groups:
            found = self.known.get(id(group))
            if found is None:
                table = totals(group, self.constants)
                vector = tuple((i, float(table[name])) for i, name in enumerate(LIMITED) if table.get(name))
                found = self.known[id(group)] = (group, vector)  # keeps the group, so that its id stays its own
            for i, value in found[1]:
                sums[i] += value
        return dict(zip(LIMITED, sums, strict=True))


class _Seen(dict[int, tuple[dict[int, Fold], dict[str, float]]]):
    """Interval -> its folding and what that takes."""


def nominal(target: Target) -> dict[str, float]:
    return {name: q.value for name, q in target.constants.items()}


def utilisation(parts: Sequence[tuple[int, Part]], target: Target) -> dict[str, Interval]:
    """Share of the device that each resource takes; resources that the device lacks and the design does not use are
    left out."""
    values = nominal(target)
    shares = {}
    for name in LIMITED:
        has = values[f"device_{name}"]
        sums = {"value": 0.0, "low": 0.0, "high": 0.0}
        deviation: dict[str, tuple[float, float]] = {}
        for _, part in parts:
            if part.metric != name:
                continue
            cost = float(part.coefficient)
            for factor in part.factors:
                cost *= values[factor]
            sums["value"] += cost
            for factor in part.factors:
                q = target.constants[factor]
                if q.value:
                    down, up = deviation.get(factor, (0.0, 0.0))
                    deviation[factor] = (down + cost * (1 - q.low / q.value), up + cost * (q.high / q.value - 1))
        if not has and not sums["value"]:
            continue
        low = sum(d * d for d, _ in deviation.values()) ** 0.5
        high = sum(u * u for _, u in deviation.values()) ** 0.5
        value = sums["value"]
        shares[name] = Interval(value, max(value - low, 0.0), value + high).scaled(1 / has if has else float("inf"))
    return shares


# -- folding ----------------------------------------------------------------------------------------------------------


def fold_for(
    design: Sequence[Stage], style: Style, target: Target, budget: Budget, settings: Mapping[str, Any]
) -> tuple[dict[int, Fold], int]:
    """The cheapest folding that reaches the asked rate, or the fastest that the device holds, and its interval.

    Every unit takes the fold of least cost within the interval, over all pairs of divisors; cost is the sum of the
    shares of the device's LUTs, block RAMs and DSPs, and once more with block RAM as the scarce one.
    """
    constants = nominal(target)
    if settings["fps"]:
        tables = _tables(design, style, constants, budget, 1)
        fastest = max(table.cycles[0] for table in tables.values())
        limit = max(int(settings["clock"] / settings["fps"]), fastest)
        return _folds(tables, limit), limit
    usable = {name: budget[name] * target.value(f"usable_{name}") for name in LIMITED}
    if sum(stage.weight_bits for stage in design) > _memory_bits(budget, style):
        tables = _tables(design, style, constants, budget, 1)
        limit = max(table.cycles[-1] for table in tables.values())
        return _folds(tables, limit), limit  # no folding fits
    add = Adder(constants)
    searches = [(_tables(design, style, constants, budget, stress), _Seen({})) for stress in MEMORY_STRESS]
    for most in (usable, budget):
        found = [_fastest(design, tables, most, style, add, seen) for tables, seen in searches]
        reached = [(limit, position) for position, limit in enumerate(found) if limit is not None]
        if reached:
            limit, position = min(reached)
            return _folds(searches[position][0], limit), limit
    tables = searches[-1][0]
    limit = max(table.cycles[-1] for table in tables.values())
    return _folds(tables, limit), limit


def _memory_bits(budget: Budget, style: Style) -> float:
    """All bits that a device can hold: block RAM, UltraRAM, and every LUT as memory."""
    depth, width = style.fabric.ram[0]
    return (
        budget["bram18"] * depth * width
        + budget["uram"] * prod(URAM_ASPECT)
        + budget["lut"] * style.fabric.lutram_depth
    )


def _tables(
    design: Sequence[Stage], style: Style, constants: Mapping[str, float], budget: Budget, stress: int
) -> dict[int, Choices]:
    weights = tuple(
        (name, (stress if name == "bram18" else 1) / budget[name] if budget[name] else 1.0)
        for name in ("lut", "bram18", "dsp")
    )
    fixed = tuple(sorted(constants.items()))
    return {
        stage.index: _choices(stage.matrix, stage.window, simd_choices(stage), style, fixed, weights)
        for stage in matrix_stages(design)
        if stage.matrix is not None
    }


def _fastest(
    design: Sequence[Stage],
    tables: Mapping[int, Choices],
    most: Budget,
    style: Style,
    add: Adder,
    seen: _Seen,
) -> int | None:
    """The shortest interval whose design stays within ``most``, or None."""
    slowest = max(table.cycles[0] for table in tables.values())
    limits = sorted({c for table in tables.values() for c in table.cycles if c >= slowest})

    def fits(limit: int) -> bool:
        if limit not in seen:
            folding = _folds(tables, limit)
            seen[limit] = (folding, add(design_groups(design, folding, limit, style)))
        folding, used = seen[limit]
        return all(used[name] <= most[name] for name in ("lut", "ff", "dsp")) and (
            used["bram18"] <= most["bram18"]
            or used["bram18"] - _plan(design, folding, used["bram18"], most)[1] <= most["bram18"]
        )

    # Block RAM does not fall steadily with the interval: look at a few intervals first, then between two of them.
    coarse = sorted({round(i * (len(limits) - 1) / COARSE) for i in range(COARSE + 1)})
    first = next((i for i in coarse if fits(limits[i])), None)
    if first is None:
        return None
    low, high = max((i + 1 for i in coarse if i < first), default=0), first  # limits[high] fits
    while low < high:
        middle = (low + high) // 2
        if fits(limits[middle]):
            high = middle
        else:
            low = middle + 1
    return int(limits[high])


def _folds(tables: Mapping[int, Choices], limit: int) -> dict[int, Fold]:
    found = {index: table.at_most(limit) for index, table in tables.items()}
    return {index: fold for index, fold in found.items() if fold is not None}


@lru_cache(maxsize=1024)
def _choices(
    shape: MatrixShape,
    around: WindowShape | None,
    simds: tuple[int, ...],
    style: Style,
    constants: tuple[tuple[str, float], ...],
    weights: tuple[tuple[str, float], ...],
) -> Choices:
    values = dict(constants)

    def cost(pe: Any, simd: Any) -> Any:
        parts = mvu(shape, pe, simd, style.impl, style.fabric)
        if around is not None:
            parts += window(around, pe * simd if shape.depthwise else simd, style.impl, fabric=style.fabric)
        used = totals(parts, values)
        return sum(used.get(name, 0) * weight for name, weight in weights)

    return choices(shape, simds, cost)


# -- UltraRAM ---------------------------------------------------------------------------------------------------------


def move_to_uram(
    design: Sequence[Stage], folding: dict[int, Fold], interval: int, style: Style,
    target: Target, budget: Budget, parts: list[tuple[int, Part]],
) -> tuple[dict[int, Fold], list[tuple[int, Part]]]:  # fmt: skip
    """Weights go to UltraRAM, those that save most block RAM an UltraRAM first, until the block RAM suffices."""
    most = {name: budget[name] * target.value(f"usable_{name}") for name in ("bram18", "uram")}
    if not budget["uram"]:
        return folding, parts
    moved, _ = _plan(design, folding, amounts(parts, nominal(target))["bram18"], most)
    if not moved:
        return folding, parts
    folding = {i: replace(fold, weights="ultra") if i in moved else fold for i, fold in folding.items()}
    return folding, design_parts(design, folding, interval, style)


def _plan(
    design: Sequence[Stage], folding: Mapping[int, Fold], bram: float, most: Budget
) -> tuple[frozenset[int], float]:
    """Stages whose weights go to UltraRAM, and the block RAMs that this saves."""
    options = []
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


@lru_cache(maxsize=8192)
def _swap(shape: MatrixShape, pe: int, simd: int) -> tuple[int, int]:
    """Block RAMs that the weights of a matrix unit free, and UltraRAMs that they take instead."""
    depth = -(-shape.mw // simd) * -(-shape.mh // pe)
    block = totals(memory("weights", "weight", depth, simd * shape.bits_w, pe), _ONE)
    ultra = totals(memory("weights", "weight", depth, simd * shape.bits_w, pe, "ultra"), _ONE)
    return int(block.get("bram18", 0)), int(ultra["uram"])


_ONE = {"bram_decomposition": 1.0, "lutram_lut_per_bit": 1.0}


# -- when it does not fit ---------------------------------------------------------------------------------------------


def explain_misfit(
    used: Mapping[str, Interval], target: Target, budget: Budget, what: str, suggest: bool = True
) -> tuple[str, ...]:
    """One sentence for each resource that runs out, and the smallest device of the same family that has enough.

    Without ``suggest`` the other devices, whose files would have to be read, are not looked at.
    """
    short = [name for name, share in used.items() if share.value > 1]
    if not short:
        return ()
    reasons = [
        f"{what} needs {used[name].value * budget[name]:,.0f} {name}, {target.name} has {budget[name]:,.0f}"
        for name in short
        if budget[name]
    ]
    if not suggest:
        return tuple(reasons)
    needed = {name: share.value * budget[name] for name, share in used.items() if budget[name]}
    other = nearest_device(needed, target)
    reasons.append(f"the smallest device with as much is {other}" if other else "no device listed has as much")
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
