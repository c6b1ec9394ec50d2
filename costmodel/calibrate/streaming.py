"""Whole convolutional networks as hardware: a unit for every instruction of the program that the executor runs.

As :mod:`~costmodel.calibrate.vehicle`, but with wide values between binary layers, as A&B networks have them: XNOR and
popcount, multiplications by powers of two, residual additions, rectifiers of powers of two, thresholds, and sums of
wide values by weights of few bits. Widths are those that no input within the format of the first stream can exceed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from costmodel.calibrate import aiger, hardware_units, vehicle, yosys
from costmodel.calibrate.hardware import Format, Network, Stream
from costmodel.deploy.program import Array, Program

#: The texts, in ``calibrate/rtl``, and those of a network that has maxima of signs.
FILES = (*vehicle.FILES, "conv.sv")
POOLED = (*FILES, "pool.sv")


def in_format(program: Program, weights: Format) -> Program:
    """The program with the weights and biases of its real sums as numbers of a format; its inputs stay as they are.

    A bias is a number of the format of the products. Raises :class:`CostmodelError` where one does not fit.
    """
    changed = []
    fractions = {i.out: program.types[i.inputs[0]].fraction for i in program.instructions if i.op == "to_real"}
    for i in program.instructions:
        if i.op == "real_sum":
            arrays = {**i.arrays, "weight": weights.integers(i.arrays["weight"]) / 2.0**weights.fraction}
            if "bias" in arrays:
                grid = 2.0 ** (weights.fraction + fractions.get(i.inputs[0], 0))
                arrays["bias"] = np.rint(arrays["bias"] * grid) / grid
            i = replace(i, arrays=arrays)
        changed.append(i)
    return replace(program, instructions=tuple(changed))


def build(program: Program, folds: Mapping[str, tuple[int, int]], inputs: Format) -> Network:
    """The hardware of a network with one input.

    ``folds`` are the (PE, SIMD) of the sums by their module; those of wide values take one column at a time. ``inputs``
    is the format of the first stream. Raises :class:`CostmodelError` for instructions that no unit carries out.
    """
    (((number, _, shape),), net) = program.inputs, Network(inputs)
    half = 1 << (inputs.bits - 1)
    net.first = Stream("in", shape[1], shape[1], *(shape[2:] if len(shape) == 4 else (1, 1)), -half, half - 1,
                       inputs.fraction)  # fmt: skip
    readers: dict[int, int] = {}
    for i in program.instructions:
        for source in i.inputs:
            readers[source] = readers.get(source, 0) + 1
    waiting: dict[int, list[Stream]] = {number: list(net.forked(net.first, readers[number]))}
    joined: set[int] = set()
    for position, i in enumerate(program.instructions):
        if i.out in joined:
            continue
        given = [waiting[source].pop(0) for source in i.inputs]
        behind = program.instructions[position + 1 :]
        following = [n for n in behind if i.out in n.inputs] if readers.get(i.out) == 1 else []
        out, made = hardware_units.unit(net, i, given, following[0] if following else None, folds)
        if out != i.out:
            joined.add(out)
        if program.types[out].kind == "int":
            made = replace(made, fraction=program.types[out].fraction)
        waiting[out] = list(net.forked(made, readers.get(out, 1)))
    (net.last,) = waiting[program.outputs[0]]
    return net


def texts_of(net: Network) -> tuple[str, ...]:
    """The texts that a network is made of."""
    return POOLED if any(stage.module == "or_pool" for stage in net.stages) else FILES


@dataclass(frozen=True)
class Run:
    """``outputs`` [images, outputs] integers; ``cycles`` between the last words of the last two images."""

    outputs: Array
    cycles: int


def simulate(net: Network, images: Array, times: int = 2) -> Run:
    """Images [n, c, h, w] through the gates of the hardware, each in a run of its own, ``times`` times in a row.

    The images are a multiple of 64. Raises :class:`CostmodelError` where results do not come.
    """
    assert net.first is not None and net.last is not None
    (circuit,) = aiger.circuits(["network"], {**yosys.texts(*texts_of(net)), "network.sv": net.text})
    first, last = net.first, net.last
    pixels = net.inputs.integers(images).reshape(len(images), first.channels, -1).swapaxes(1, 2)
    bits = (pixels[..., None] >> np.arange(first.bits)) & 1  # [images, pixels, channels, bits]
    stream = np.tile(bits.reshape(*pixels.shape[:2], -1).transpose(1, 2, 0), (times, 1, 1))
    moments, came = vehicle.passed(circuit, stream, last.words * times, 40 * net.cycles)
    return Run(vehicle.integers(came[-last.words :], last.lanes), moments[-1] - moments[-1 - last.words])
