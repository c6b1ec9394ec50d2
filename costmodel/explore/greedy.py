"""FINN's folding pass, as a yardstick for the exact search.

The rule of ``SetFolding`` (Xilinx/finn, transformation/fpgadataflow/set_folding.py): for each matrix unit raise SIMD
through the divisors of its columns until the unit needs fewer cycles than the target, but no further than the first
that makes the weight stream of a PE wider than a limit, 36 bits by default; then raise PE in the same way. Where the
target was missed, the pass runs once more for the cycles of the slowest unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.explore.compose import compose
from costmodel.explore.dataflow import Space
from costmodel.targets.fpga.choices import BRAM, LUT, RESOLUTION, Unit


def greedy(space: Space, target: int, max_wide: int | None = 36, *, two_passes: bool = True) -> list[int]:
    """The choices [units] that FINN's pass makes for a target of ``target`` cycles; ``max_wide`` None: no limit."""
    bits = [space.stages[stage].matrix.bits_w for stage in space.order]  # type: ignore[union-attr]
    choices = [_one(unit, width, target, max_wide) for unit, width in zip(space.design.units, bits, strict=True)]
    reached = max(int(u.cycles[c]) for u, c in zip(space.design.units, choices, strict=True))
    if two_passes and reached > target:
        return greedy(space, reached, max_wide, two_passes=False)
    return choices


def _one(unit: Unit, weight_bits: int, target: int, max_wide: int | None) -> int:
    pes, simds = np.unique(unit.settings[:, 0]), np.unique(unit.settings[:, 1])
    place = {(int(p), int(s)): i for i, (p, s) in enumerate(unit.settings[:, :2])}

    def cycles(pe: int, simd: int) -> int:
        return int(unit.cycles[place[pe, simd]])

    simd = 1
    for wider in simds.tolist():
        before, simd = simd, wider
        if cycles(1, simd) < target:
            break
        if max_wide is not None and simd * weight_bits > max_wide:
            simd = before
            break
    pe = 1
    for more in pes.tolist():
        pe = more
        if cycles(pe, simd) < target:
            break
    return place[pe, simd]


@dataclass(frozen=True)
class Comparison:
    """What FINN's pass makes of one target, and the exact optima at the interval it reaches: of all designs, and of
    those that need no more block RAM. LUT in whole units."""

    target: int
    interval: int
    lut: float
    bram18: int
    best_lut: float
    best_bram_lut: float


def against(space: Space, max_wide: int | None = 36, targets: Sequence[int] | None = None) -> list[Comparison]:
    """FINN's pass against the exact front, for each target in cycles (default: just above every reachable interval).

    Fair where ``space`` has the same limit on the width of weights, and places memories by size as the pass does.
    """
    points = compose(space.design)
    rows = []
    for target in (space.design.intervals + 1).tolist() if targets is None else targets:
        interval, cost = space.design.price(greedy(space, target, max_wide))
        able = points.rows[points.rows[:, 0] <= interval]
        frugal = able[able[:, 1] <= cost[BRAM]]
        rows.append(
            Comparison(
                target, interval, cost[LUT] / RESOLUTION, int(cost[BRAM]), able[:, 3].min() / RESOLUTION,
                frugal[:, 3].min() / RESOLUTION if len(frugal) else float("nan"),
            )
        )  # fmt: skip
    return rows
