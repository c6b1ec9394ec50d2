"""Every folding of every matrix unit, priced at once: the tables from which the search for a folding reads.

The coefficients of a unit depend on its shape and on the fabric, not on the constants of a device, so they are computed
once for all devices of a family; pricing them is a weighted sum.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from costmodel.targets.fpga_design import Stage
from costmodel.targets.fpga_folding import Fold, divisors, matrix_stages, simd_choices
from costmodel.targets.fpga_pipeline import Style
from costmodel.targets.fpga_streams import WindowShape, window
from costmodel.targets.fpga_units import Fabric, Impl, MatrixShape, Part, cycles, mvu
from costmodel.targets.kept import kept
from costmodel.targets.spec import Target

LIMITED = ("lut", "ff", "bram18", "uram", "dsp")
#: Resources that decide which fold is the cheapest.
WEIGHED = ("lut", "bram18", "dsp")
#: What matrix units and their windows are made of.
UNITS_TAKE = ("lut", "ff", "bram18", "dsp")
_NOTHING = (0.0,) * len(UNITS_TAKE)


@dataclass(frozen=True, eq=False)
class Rates:
    """Constants of a target as plain numbers; compared by identity, so that they are a cheap key.

    ``spread``: by how much a constant may be lower and higher, relative to itself.
    """

    values: Mapping[str, float]
    spread: Mapping[str, tuple[float, float]]


@kept
def rates(target: Target) -> Rates:
    """The constants of a target as plain numbers."""
    constants = target.constants.items()
    return Rates(
        {name: q.value for name, q in constants},
        {name: (1 - q.low / q.value, q.high / q.value - 1) for name, q in constants if q.value},
    )


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """All foldings of one matrix by rising cycles that are cheaper than those of fewer cycles.

    ``amounts`` are what each takes, with its sliding window, in the order of ``UNITS_TAKE``.
    """

    cycles: list[int]
    pe: list[int]
    simd: list[int]
    amounts: list[tuple[float, ...]]

    def at_most(self, limit: int) -> Fold | None:
        """The cheapest fold within ``limit`` cycles, or None when even the whole matrix at once needs more."""
        position = bisect_right(self.cycles, limit) - 1
        return None if position < 0 else Fold(self.pe[position], self.simd[position])

    def taken(self, limit: int) -> tuple[float, ...]:
        """What that fold takes; nothing where there is none."""
        position = bisect_right(self.cycles, limit) - 1
        return _NOTHING if position < 0 else self.amounts[position]


@kept
def tables(design: Sequence[Stage], style: Style, known: Rates, stress: int) -> dict[int, Table]:
    """The table of each matrix unit by its stage. A fold costs the sum of its shares of the device's LUTs, block RAMs
    and DSPs, where a block RAM counts ``stress`` times."""
    return {
        stage.index: _table(stage.matrix, stage.window, simd_choices(stage), style.impl, style.fabric, known, stress)
        for stage in matrix_stages(design)
        if stage.matrix is not None
    }


@lru_cache(maxsize=4096)
def _table(
    shape: MatrixShape,
    around: WindowShape | None,
    simds: tuple[int, ...],
    impl: Impl,
    fabric: Fabric,
    known: Rates,
    stress: int,
) -> Table:
    pe, simd, spent, _ = _grid(shape, around, simds, impl, fabric)
    used = _used(shape, around, simds, impl, fabric, known)
    cost: Any = 0
    for name in WEIGHED:
        has = known.values[f"device_{name}"]
        weight = (stress if name == "bram18" else 1) / has if has else 1.0
        cost = cost + used.get(name, 0) * weight
    return cheapest(pe, simd, spent, cost, used)


def cheapest(pe: Any, simd: Any, spent: Any, cost: Any, used: Mapping[str, Any]) -> Table:
    """Of foldings as arrays, with their cycles, costs and what they take: those that no other beats in both."""
    import numpy as np

    cost = np.broadcast_to(cost, spent.shape)
    order = np.lexsort((cost, spent))
    best = np.minimum.accumulate(cost[order])
    # the row at which the running minimum was last lowered is the cheapest so far
    lowered = np.concatenate([[True], best[1:] < best[:-1]])
    kept = order[lowered]
    columns = [np.broadcast_to(used.get(name, 0), spent.shape)[kept].tolist() for name in UNITS_TAKE]
    return Table(spent[kept].tolist(), pe[kept].tolist(), simd[kept].tolist(), list(zip(*columns, strict=True)))


def pairs(shape: MatrixShape, simds: Sequence[int]) -> tuple[Any, Any, Any]:
    """Every divisor of the rows with each of ``simds``: pe, simd and cycles as arrays."""
    import numpy as np

    pe, simd = np.meshgrid(np.array(divisors(shape.mh)), np.array(simds), indexing="ij")
    pe, simd = pe.ravel(), simd.ravel()
    return pe, simd, cycles(shape, pe, simd)


@lru_cache(maxsize=2048)
def _used(
    shape: MatrixShape,
    around: WindowShape | None,
    simds: tuple[int, ...],
    impl: Impl,
    fabric: Fabric,
    known: Rates,
) -> dict[str, Any]:
    """What every fold takes of each resource, as arrays or, where it is the same for all, as numbers."""
    _, _, _, parts = _grid(shape, around, simds, impl, fabric)
    found: dict[str, Any] = {}
    for part in parts:
        value = part.coefficient
        for name in part.factors:
            value = value * known.values[name]
        found[part.metric] = found.get(part.metric, 0) + value
    return found


@lru_cache(maxsize=1024)
def _grid(
    shape: MatrixShape, around: WindowShape | None, simds: tuple[int, ...], impl: Impl, fabric: Fabric
) -> tuple[Any, Any, Any, tuple[Part, ...]]:
    """The pairs of a matrix, and the parts of its unit and window with arrays for coefficients."""
    pe, simd, spent = pairs(shape, simds)
    parts = mvu(shape, pe, simd, impl, fabric)
    if around is not None:
        parts += window(around, pe * simd if shape.depthwise else simd, impl, fabric=fabric)
    limited = tuple(part for part in parts if part.metric in LIMITED)
    return pe, simd, spent, limited
