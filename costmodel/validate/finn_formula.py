"""The resource formulas of the FINN compiler, as a baseline next to the FPGA model.

They are the analytical estimates of FINN-R (Blott et al., ACM TRETS 11(3), 2018) as coded in Xilinx/finn 39f0c9a,
``src/finn/custom_op/fpgadataflow``: matrix units, thresholds and sliding windows. FIFOs, width converters, data movers
and the bus are not part of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, log2

from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.folding import Fold
from costmodel.targets.fpga.units import MatrixShape

#: LUTs of a matrix unit besides its data path, and the factor on the data path.
BASE, FACTOR = 300, 1.1


def matrix_luts(shape: MatrixShape, pe: int, simd: int) -> float:
    """LUTs of a matrix unit: ``300 + 1.1 * pe * (products + adder tree + accumulator + thresholds + comparisons)``."""
    bits = shape.bits_w + shape.bits_a
    products = simd * (2 * ceil(bits / 6) - 1) * bits
    tree = bits * (2 * simd - 1)
    alpha = log2(shape.mw) + bits - 1 - 1
    accumulator = min(shape.bits_acc, ceil(alpha + log2(1 + 2**-alpha) + 1))
    words = -(-shape.mh // pe)
    thresholds = shape.n_thresholds * accumulator * ceil(words / 64)
    comparisons = shape.n_thresholds * accumulator
    return BASE + FACTOR * pe * (products + tree + accumulator + thresholds + comparisons)


def weight_blocks(shape: MatrixShape, pe: int, simd: int) -> int:
    """Block RAMs of 18 kbit for the weights of a unit, stored as words of all its lanes."""
    words = -(-shape.mw // simd) * -(-shape.mh // pe)
    width = pe * simd * shape.bits_w
    if width == 1:
        return ceil(words / 16384)
    if width == 2:
        return ceil(words / 8192)
    if width <= 4:
        return ceil(words / 4096) * ceil(width / 4)
    if width <= 9:
        return ceil(words / 2048) * ceil(width / 9)
    if width <= 18 or words > 512:
        return ceil(words / 1024) * ceil(width / 18)
    return ceil(words / 512) * ceil(width / 36)


def estimate(design: Sequence[Stage], folding: Mapping[int, Fold]) -> dict[str, float]:
    """LUTs and block RAMs of 18 kbit of all matrix units, and 300 LUTs a sliding window, by the formulas above."""
    luts, blocks = 0.0, 0
    for stage in design:
        if stage.matrix is None:
            continue
        fold = folding[stage.index]
        luts += matrix_luts(stage.matrix, fold.pe, fold.simd) + (BASE if stage.window is not None else 0)
        blocks += weight_blocks(stage.matrix, fold.pe, fold.simd)
    return {"lut": luts, "bram18": float(blocks)}
