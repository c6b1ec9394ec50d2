"""Folding: how many rows (PE) and columns (SIMD) of each layer's matrix are computed in one cycle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.units import Products, RamStyle, cycles


@dataclass(frozen=True, slots=True)
class Fold:
    """Parallelism of one matrix unit, where its memories are put, the depth of the buffer in front of it, and what its
    products are made of. ``in_luts`` of its memories of weights, one for each PE, are in LUTs for want of block RAM."""

    pe: int
    simd: int
    weights: RamStyle = "auto"
    window: RamStyle = "auto"
    fifo: int | None = None
    products: Products = "auto"
    in_luts: int = 0

    @property
    def lanes(self) -> int:
        return self.pe * self.simd


Folding = Mapping[int, Fold]  # stage index -> fold


@lru_cache(maxsize=4096)
def divisors(n: int) -> tuple[int, ...]:
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return tuple(sorted({*small, *(n // d for d in small)}))


def stage_cycles(stage: Stage, fold: Fold) -> int:
    """Cycles of one image in a matrix unit: ``ceil(mh/pe) * ceil(mw/simd) * vectors``."""
    assert stage.matrix is not None
    return cycles(stage.matrix, fold.pe, fold.simd)  # type: ignore[no-any-return]


def matrix_stages(design: Iterable[Stage]) -> list[Stage]:
    return [stage for stage in design if stage.matrix is not None]


# -- choosing ---------------------------------------------------------------------------------------------------------


def simd_choices(stage: Stage) -> tuple[int, ...]:
    """SIMD that divides the columns, as FINN takes it."""
    assert stage.matrix is not None
    return divisors(stage.matrix.mw)


@lru_cache(maxsize=4096)
def _widths(mw: int, channels: int) -> tuple[int, ...]:
    pixel = gcd(mw, channels)
    return (*divisors(pixel), *(pixel * d for d in divisors(mw // pixel)[1:]))


def window_widths(stage: Stage) -> tuple[int, ...]:
    """Values per cycle that a sliding window can hand out: a divisor of a pixel's channels, or whole pixels."""
    assert stage.matrix is not None
    assert stage.window is not None
    return _widths(stage.matrix.mw, stage.window.channels)
