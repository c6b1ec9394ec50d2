"""Small dataflow designs for the tests, priced by the FINN-R formulas (Blott et al., TRETS 2018).

They are a cost model of their own, kept apart from the shipped one: what is tested here is the search.
"""

import math

import numpy as np

from costmodel.targets.fpga.choices import RESOURCES, Design, Unit, divisors, unit


def bram18(width, depth):
    out = np.where(width <= 18, np.ceil(depth / 1024) * np.ceil(width / 18), np.ceil(depth / 512) * np.ceil(width / 36))
    return np.where(width * depth <= 2048, 0, out)


def matrix_unit(name, mw, mh, vectors, bits_w=1, bits_a=1, max_wide=None, dsp_from=99):
    pe, simd = (g.ravel() for g in np.meshgrid(divisors(mh), divisors(mw), indexing="ij"))
    if max_wide is not None:
        keep = simd * bits_w <= max_wide
        pe, simd = pe[keep], simd[keep]
    bits = bits_w + bits_a
    acc = math.ceil(math.log2(mw)) + bits
    multiply = 0 if bits >= dsp_from else simd * (2 * math.ceil(bits / 6) - 1) * bits
    lut = 300 + 1.1 * pe * (multiply + bits * (2 * simd - 1) + 2 * acc)
    depth = (mw // simd) * (mh // pe)
    return unit(
        name,
        {"PE": pe, "SIMD": simd},
        vectors * depth,
        {
            "lut": lut,
            "ff": 150 + 2.3 * pe * simd + 1.7 * pe * acc,
            "bram18": bram18(simd * pe * bits_w, depth),
            "dsp": pe * simd if bits >= dsp_from else 0,
        },
        simd * bits_a,
        pe,
    )


def random_unit(rng, name, choices, dsp=False) -> Unit:
    widths = 2 ** rng.integers(0, 4, (2, choices))
    return unit(
        name,
        {"PE": np.arange(1, choices + 1)},
        rng.integers(1, 9, choices) * 100,
        {
            "lut": rng.integers(1, 60, choices) + rng.integers(0, 2, choices) / 4,
            "bram18": rng.integers(0, 7, choices),
            "dsp": rng.integers(0, 4, choices) if dsp else 0,
            "ff": rng.integers(1, 200, choices),
        },
        widths[0],
        widths[1],
    )


def independent(units):
    """A design whose streams cost nothing and whose pipeline has nothing but these units."""
    least = max(int(u.cycles.min()) for u in units)
    intervals = np.unique(np.concatenate([u.cycles for u in units]))
    intervals = intervals[intervals >= least]
    return Design(tuple(units), intervals, np.zeros((len(intervals), len(RESOURCES)), dtype=np.int64))
