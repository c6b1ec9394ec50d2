"""The program of a CNV of few channels with random constants, which becomes hardware.

Six convolutions of 3 x 3 without padding on 32 x 32 pixels of three colours, two maximum poolings, three dense layers,
as CNV of FINN has them (Umuroglu et al., FPGA 2017); the first stage has ``channels`` where the published one has 64.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from costmodel.calibrate.hardware import Format
from costmodel.deploy.program import Array, Instruction, Program, Type

#: Of pixels, and the side of an image.
IMAGE, SIDE = Format(8, 7), 32
#: Channels of the convolutions over those of the first, and whether a pooling follows; outputs of the dense layers.
CONVS = ((1, False), (1, True), (2, False), (2, True), (4, False), (4, False))
DENSE = (8, 8)
CLASSES = 10


def program(channels: int, seed: int) -> Program:
    """Images [1, 3, 32, 32] to ten sums of signs."""
    chance = np.random.default_rng(seed)
    found = [Instruction("to_int", 1, (0,), (1, 3, SIDE, SIDE), params={"fraction": IMAGE.fraction})]
    types = {0: Type("real"), 1: Type("int", IMAGE.fraction)}

    def put(op: str, shape: tuple[int, ...], kind: Type, params: Mapping[str, object], **arrays: Array) -> None:
        number = len(found) + 1
        found.append(Instruction(op, number, (number - 1,), shape, f"{op}{number}", params=params, arrays=arrays))
        types[number] = kind

    def summed(shape: tuple[int, ...], taps: tuple[int, ...]) -> None:
        first = len(found) == 1
        signs = 2 * chance.integers(0, 2, (shape[1], *taps)) - 1
        params: dict[str, object] = {"conv": len(taps) == 3, "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1],
                                     "groups": 1, "zero": False, "products": []}  # fmt: skip
        put(
            "signed_sum" if first else "xnor_sum",
            shape,
            Type("int", IMAGE.fraction if first else 0),
            params,
            signs=signs,
        )

    def decided(shape: tuple[int, ...], most: int) -> None:
        limits = chance.integers(-most, most + 1, (1, shape[1], *(1 for _ in shape[2:])))
        put("threshold", shape, Type("bits"), {"zero": False}, limits=limits, rising=np.ones_like(limits))

    side, width = SIDE, 3
    for factor, pooled in CONVS:
        side, before, width = side - 2, width, factor * channels
        shape = (1, width, side, side)
        summed(shape, (before, 3, 3))
        decided(shape, 60 if before == 3 else before)
        if pooled:
            side //= 2
            window = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0], "dilation": [1, 1]}
            put("max_pool", (1, width, side, side), Type("bits"), window)
    put("move", (1, width), Type("bits"), {"fn": "view", "arguments": [None, [1, width]], "output": 0,
                                           "traced": [1, width]})  # fmt: skip
    for factor in DENSE:
        before, width = width, factor * channels
        summed((1, width), (before,))
        decided((1, width), before // 4)
    summed((1, CLASSES), (width,))
    return Program("cnv", ((0, "x", (1, 3, SIDE, SIDE)),), (len(found),), tuple(found), types)
