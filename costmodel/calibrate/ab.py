"""Programs of A&B blocks and of the A&B network for digits, which become hardware.

A block is a binary convolution of 3 x 3 with what stands around it: threshold, XNOR and popcount, a multiplication by a
power of two per channel, residual addition, a rectifier of powers of two between two constants per channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from costmodel.calibrate import streaming
from costmodel.calibrate.hardware import Format
from costmodel.deploy.program import Array, Instruction, Program, Type

#: Fraction bits of the residual stream, and the formats of what enters a block, of images, and of weights of real sums.
FRACTION = 8
BLOCK, IMAGE, WEIGHT = Format(13, FRACTION), Format(11, FRACTION), Format(14, 10)


def block(channels: int, side: int, seed: int) -> Program:
    """A block of random constants, of the sizes that trained ones have, on maps of ``side`` x ``side``."""
    chance = np.random.default_rng(seed)
    shape = (1, channels, side, side)

    def each(low: int, high: int) -> Array:
        return chance.integers(low, high + 1, (1, channels, 1, 1))

    def step(
        number: int, op: str, inputs: tuple[int, ...], params: Mapping[str, object], **arrays: Array
    ) -> Instruction:
        return Instruction(op, number, inputs, shape, f"block.{op}{number}", params=params, arrays=arrays)

    conv = {"conv": True, "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1, "zero": False}
    power = {"mode": "pow2", "per_channel": True, "has_bias": False}
    one = {"mode": "one", "per_channel": False, "has_bias": True}
    zero, unit = np.zeros((1, 1, 1, 1), np.int64), np.ones((1, 1, 1, 1), np.int64)
    instructions = (
        step(1, "to_int", (0,), {"fraction": FRACTION}),
        step(2, "threshold", (1,), {"zero": False}, limits=each(-200, 200), rising=np.ones_like(each(0, 0))),
        Instruction("xnor_sum", 3, (2,), shape, "block.conv", params=conv,
                    arrays={"signs": 2 * chance.integers(0, 2, (channels, channels, 3, 3)) - 1}),
        step(4, "affine_int", (3,), power, left=each(3, 4), factor=unit, bias=zero),
        step(5, "add", (4, 1), {"subtract": False}),
        step(6, "affine_int", (5,), one, left=zero, factor=unit, bias=each(-60, 120)),
        step(7, "prelu_int", (6,), power, left=each(-4, -2), factor=unit),
        step(8, "affine_int", (7,), one, left=zero, factor=unit, bias=each(-120, -10)),
    )  # fmt: skip
    types = {k: Type("int", FRACTION) for k in (1, 4, 5, 6, 7, 8)} | {0: Type("real"), 2: Type("bits"), 3: Type("int")}
    return Program("block", ((0, "x", shape),), (8,), instructions, types, FRACTION, "pow2")


@cache
def digits() -> Program:
    """The shipped weights of the A&B network for digits, with scales of powers of two and weights of few bits."""
    from costmodel.deploy.assemble import assemble
    from costmodel.deploy.multipliers import replace_multipliers
    from costmodel.trial import deploy

    found = deploy("abbnn-digits", checkpoint="abbnn-digits")
    program = assemble(replace_multipliers(found.made.graph, "pow2"), FRACTION, "pow2")
    return replace(streaming.in_format(program, WEIGHT), notes=())
