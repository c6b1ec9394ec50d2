"""Whether a design fits its device, which folding is the fastest that does, and which device would hold it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any

from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.folding import Fold, matrix_stages
from costmodel.targets.fpga.pipeline import Style, design_groups, group_counts
from costmodel.targets.fpga.tables import LIMITED, UNITS_TAKE, Rates, Table, rates, tables
from costmodel.targets.fpga.units import URAM_ASPECT, MatrixShape, Part, memory, totals
from costmodel.targets.kept import kept
from costmodel.targets.load import list_targets, load_target
from costmodel.targets.quantity import Interval
from costmodel.targets.spec import Target

#: How much a block RAM counts against LUTs and DSPs, each as shares of the device, in the searches that are tried.
MEMORY_STRESS = (1, 16)
#: Intervals that are looked at before the search narrows.
COARSE = 8
Budget = Mapping[str, float]  # resource -> how many the device has
Groups = Sequence[tuple[int, tuple[Part, ...]]]  # (layer, parts of one unit)


def capacity(target: Target) -> dict[str, float]:
    """Resources of the device."""
    return {name: target.value(f"device_{name}") for name in LIMITED}


#: Of a part: its metric, its cost, and by how much each of its constants may lower and raise it.
Moved = tuple[str, float, tuple[tuple[str, float, float], ...]]


class Adder:
    """Adds up designs under the constants of a target; a group of parts that it has met is not priced again."""

    KEEP = 16384

    def __init__(self, constants: Rates) -> None:
        self.rates = constants
        self.constants = constants.values
        self.known: dict[int, tuple[object, tuple[tuple[int, float], ...]]] = {}
        self.spreads: dict[int, tuple[object, list[Moved]]] = {}

    def moved(self, group: tuple[Part, ...]) -> list[Moved]:
        """The parts of a group that the device limits, with what they cost and how far that may move."""
        found = self.spreads.get(id(group))
        if found is None:
            if len(self.spreads) >= self.KEEP:
                self.spreads.clear()
            found = self.spreads[id(group)] = (group, [self._moved(part) for part in group if part.metric in LIMITED])
        return found[1]

    def _moved(self, part: Part) -> Moved:
        cost, spread = float(part.coefficient), self.rates.spread
        for factor in part.factors:
            cost *= self.constants[factor]
        sides = tuple((f, cost * spread[f][0], cost * spread[f][1]) for f in part.factors if f in spread)
        return part.metric, cost, sides

    def vector(self, group: tuple[Part, ...]) -> tuple[tuple[int, float], ...]:
        """What a group takes, as (position in ``LIMITED``, amount); its identity is its key."""
        found = self.known.get(id(group))
        if found is None:
            if len(self.known) >= self.KEEP:
                self.known.clear()
            table = totals(group, self.constants)
            vector = tuple((i, float(table[name])) for i, name in enumerate(LIMITED) if table.get(name))
            found = self.known[id(group)] = (group, vector)  # keeps the group, so that its id stays its own
        return found[1]

    def __call__(self, groups: Iterable[tuple[int, tuple[tuple[Part, ...], ...]]]) -> dict[str, float]:
        """What sets of groups take, each with how often it occurs."""
        sums = [0.0] * len(LIMITED)
        known = self.known
        for count, some in groups:
            for group in some:
                found = known.get(id(group))
                for i, value in found[1] if found is not None else self.vector(group):
                    sums[i] += count * value
        return dict(zip(LIMITED, sums, strict=True))


@kept
def adder(target: Target) -> Adder:
    """The adder of a target."""
    return Adder(rates(target))


def nominal(target: Target) -> dict[str, float]:
    return {name: q.value for name, q in target.constants.items()}


def utilisation(groups: Iterable[tuple[int, tuple[Part, ...]]], target: Target) -> dict[str, Interval]:
    """Share of the device that each resource takes; resources that the device lacks and the design does not use are
    left out."""
    add = adder(target)
    sums = dict.fromkeys(LIMITED, 0.0)
    deviation: dict[str, dict[str, list[float]]] = {name: {} for name in LIMITED}
    for _, group in groups:
        for metric, cost, moved in add.moved(group):
            sums[metric] += cost
            for factor, down, up in moved:
                sides = deviation[metric].get(factor)
                if sides is None:
                    sides = deviation[metric][factor] = [0.0, 0.0]
                sides[0] += down
                sides[1] += up
    shares = {}
    for name, value in sums.items():
        has = add.constants[f"device_{name}"]
        if not has and not value:
            continue
        low = sum(d * d for d, _ in deviation[name].values()) ** 0.5
        high = sum(u * u for _, u in deviation[name].values()) ** 0.5
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
    known = rates(target)
    if settings["fps"]:
        found = tables(design, style, known, 1)
        fastest = max(table.cycles[0] for table in found.values())
        limit = max(int(settings["clock"] / settings["fps"]), fastest)
        return _folds(found, limit), limit
    usable = {name: budget[name] * target.value(f"usable_{name}") for name in LIMITED}
    if too_many_weights(design, style, target, budget):
        found = tables(design, style, known, 1)
        limit = max(table.cycles[-1] for table in found.values())
        return _folds(found, limit), limit  # no folding fits
    searches = [_Search(design, style, known, stress, adder(target)) for stress in MEMORY_STRESS]
    for most in (usable, budget):
        best: tuple[int, _Search] | None = None
        for search in searches:
            reached = search.fastest(most, best[0] if best else None)
            if reached is not None and (best is None or reached < best[0]):
                best = reached, search
        if best is not None:
            return best[1].folding(best[0]), best[0]
    found = searches[-1].tables
    limit = max(table.cycles[-1] for table in found.values())
    return _folds(found, limit), limit


def too_many_weights(design: Sequence[Stage], style: Style, target: Target, budget: Budget) -> tuple[str, ...]:
    """Why no folding can fit: weights beyond block RAM, UltraRAM and every LUT as memory. Else empty."""
    depth, width = style.fabric.ram[0]
    ram = budget["bram18"] * depth * width + budget["uram"] * prod(URAM_ASPECT)
    luts = budget["lut"] * style.fabric.lutram_depth
    weights = sum(stage.weight_bits for stage in design)
    if weights <= ram + luts:
        return ()
    return (
        f"the weights of a pipeline are {weights / 1e6:,.1f} Mbit; all memory of {target.name} holds "
        f"{ram / 1e6:,.1f} Mbit as blocks and {luts / 1e6:,.1f} Mbit in LUTs",
    )


class _Search:
    """The shortest interval that fits, among the foldings of one set of tables; what was priced once is kept."""

    def __init__(self, design: Sequence[Stage], style: Style, known: Rates, stress: int, add: Adder) -> None:
        self.design, self.style, self.add = design, style, add
        self.tables = tables(design, style, known, stress)
        slowest = max(table.cycles[0] for table in self.tables.values())
        self.limits = sorted({c for table in self.tables.values() for c in table.cycles if c >= slowest})
        self._folding: dict[int, dict[int, Fold]] = {}
        self._least: dict[int, dict[str, float]] = {}
        self._used: dict[int, dict[str, float]] = {}

    def fastest(self, most: Budget, below: int | None = None) -> int | None:
        """The shortest interval whose design stays within ``most``, or None.

        Where it cannot be shorter than ``below``, the search is given up.
        """
        limits = self.limits
        # Block RAM does not fall steadily with the interval: look at a few intervals first, then between two of them.
        coarse = sorted({round(i * (len(limits) - 1) / COARSE) for i in range(COARSE + 1)})
        low, high = 0, -1
        for i in coarse:
            if below is not None and limits[low] >= below:
                return None
            if self._fits(limits[i], most):
                high = i
                break
            low = min(i + 1, len(limits) - 1)
        if high < 0:
            return None
        while low < high:  # limits[high] fits
            if below is not None and limits[low] >= below:
                return None
            middle = (low + high) // 2
            if self._fits(limits[middle], most):
                high = middle
            else:
                low = middle + 1
        return int(limits[high])

    def _fits(self, limit: int, most: Budget) -> bool:
        """Whether the design of that interval stays within ``most``. The matrix units alone are quickly added up, and
        where they are too much already the rest need not be priced."""
        if limit not in self._least:
            # a hair less, since the order of a sum moves its last digits
            self._least[limit] = {name: a * (1 - 1e-9) for name, a in _taken(self.tables, limit).items()}
        if not self._within(limit, self._least[limit], most):
            return False
        if limit not in self._used:
            around = self.add(group_counts(self.design, self.folding(limit), limit, self.style))
            units = _taken(self.tables, limit)
            self._used[limit] = {name: amount + units.get(name, 0.0) for name, amount in around.items()}
        return self._within(limit, self._used[limit], most)

    def _within(self, limit: int, used: Mapping[str, float], most: Budget) -> bool:
        if used["lut"] > most["lut"] or used["ff"] > most["ff"] or used["dsp"] > most["dsp"]:
            return False
        bram = used["bram18"]
        if bram <= most["bram18"] or not most["uram"]:
            return bram <= most["bram18"]
        return bram - _plan(self.design, self.folding(limit), bram, most)[1] <= most["bram18"]

    def folding(self, limit: int) -> dict[int, Fold]:
        """The cheapest fold of each unit within an interval."""
        if limit not in self._folding:
            self._folding[limit] = _folds(self.tables, limit)
        return self._folding[limit]


def _folds(found: Mapping[int, Table], limit: int) -> dict[int, Fold]:
    folds = {index: table.at_most(limit) for index, table in found.items()}
    return {index: fold for index, fold in folds.items() if fold is not None}


def _taken(found: Mapping[int, Table], limit: int) -> dict[str, float]:
    """What the matrix units and their windows take."""
    taken = zip(*[table.taken(limit) for table in found.values()], strict=True)
    return {name: sum(amounts) for name, amounts in zip(UNITS_TAKE, taken, strict=True)}


# -- UltraRAM ---------------------------------------------------------------------------------------------------------


def move_to_uram(
    design: Sequence[Stage], folding: dict[int, Fold], interval: int, style: Style,
    target: Target, budget: Budget, groups: Groups,
) -> tuple[dict[int, Fold], Groups]:  # fmt: skip
    """Weights go to UltraRAM, those that save most block RAM an UltraRAM first, until the block RAM suffices: what is
    usable of it, or else all that the device has."""
    if not budget["uram"]:
        return folding, groups
    bram = adder(target)((1, (group,)) for _, group in groups)["bram18"]
    usable = {name: budget[name] * target.value(f"usable_{name}") for name in ("bram18", "uram")}
    for most in (usable, budget):
        moved, freed = _plan(design, folding, bram, most)
        if bram - freed <= most["bram18"]:
            break
    if not moved:
        return folding, groups
    folding = {i: replace(fold, weights="ultra") if i in moved else fold for i, fold in folding.items()}
    return folding, design_groups(design, folding, interval, style)


def _plan(
    design: Sequence[Stage], folding: Mapping[int, Fold], bram: float, most: Budget
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
