"""Whole binary multilayer perceptrons as hardware: matrix units in a row, from the very program that the executor runs.

A test vehicle and not a product: it shows that the units, put together, compute what the deployed network computes, in
the cycles that the model says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.calibrate import aiger, yosys
from costmodel.deploy.program import Array, Instruction, Program
from costmodel.errors import CostmodelError

#: The texts that networks of matrix units are made of, in ``calibrate/rtl``.
FILES = ("arithmetic.sv", "compare.sv", "matrix_unit.sv", "popcount.sv", "shift.sv", "stream.sv", "window.sv")
#: Vectors in a row through the hardware.
VECTORS = 4
#: Words that a queue holds at least.
LEAST_QUEUE = 8


@dataclass(frozen=True)
class Layer:
    """``weights`` [mh, mw] zeros and ones; ``limits`` [mh] popcounts from which a result is one, None: popcounts."""

    weights: Array
    limits: Array | None

    @property
    def shape(self) -> tuple[int, int]:
        mh, mw = self.weights.shape
        return mh, mw

    @property
    def bits(self) -> int:
        """Of a popcount with a sign, and of a limit that none reaches."""
        return (self.shape[1] + 1).bit_length() + 1


def layers(program: Program) -> list[Layer]:
    """The matrix units of a network of binary dense layers. Raises :class:`CostmodelError` for any other."""
    sums = [i for i in program.instructions if i.op == "xnor_sum"]
    if not sums or any(i.params["conv"] or i.params["zero"] for i in sums):
        raise CostmodelError(f"{program.network} is no network of binary dense layers")
    readers: dict[int, list[Instruction]] = {}
    for instruction in program.instructions:
        for source in instruction.inputs:
            readers.setdefault(source, []).append(instruction)
    found = []
    for k, product in enumerate(sums):
        signs = product.arrays["signs"]
        if k == len(sums) - 1:
            found.append(Layer((signs > 0).astype(int), None))
            continue
        following = readers[product.out]
        if [i.op for i in following] != ["threshold"] or sums[k + 1].inputs != (following[0].out,):
            raise CostmodelError(f"{program.network}: {product.module} is not followed by thresholds alone")
        fraction = program.types[product.out].fraction
        limits = np.broadcast_to(following[0].arrays["limits"].reshape(-1), (len(signs),)) / 2.0**fraction
        rising = np.broadcast_to(following[0].arrays["rising"].reshape(-1), (len(signs),)) > 0
        # s >= T with s = 2 popcount - n; s <= T is -s >= -T, the sum with all weights turned.
        n = signs.shape[1]
        least = np.ceil((np.where(rising, limits, -limits) + n) / 2).astype(int)
        turned = np.where(rising[:, None], signs, -signs)
        found.append(Layer((turned > 0).astype(int), np.clip(least, 0, n + 1)))
    return found


def verilog(network: Sequence[Layer], folds: Sequence[tuple[int, int]]) -> str:
    """A module ``network``: matrix units of ``(pe, simd)``, between them queues, and converters where widths differ."""
    lines: list[str] = []
    source, width = "in", folds[0][1]
    for k, (layer, (pe, simd)) in enumerate(zip(network, folds, strict=True)):
        mh, mw = layer.shape
        if mh % pe or mw % simd:
            raise CostmodelError(f"layer {k} of {mh} x {mw}: {pe} rows and {simd} columns at a time do not divide it")
        if k:
            source = _queue(lines, k, source, width, queue(network[k - 1].shape[0], folds[k - 1][0]))
        if width != simd:
            source = _converter(lines, k, source, width, simd)
        signs = int(layer.limits is not None)
        out = pe if layer.limits is not None else pe * layer.bits
        lines += wires(f"m{k}", out)
        lines.append(
            f"  matrix_unit #(.MW({mw}), .MH({mh}), .PE({pe}), .SIMD({simd}), .ACC({layer.bits}), "
            f".SIGNS({signs}), .WEIGHTS({_weights(layer, pe, simd)}), .LIMITS({_limits(layer)}))\n"
            f"    unit{k} (.clk, .rst, {ports('in', source)}, {ports('out', f'm{k}')});"
        )
        source, width = f"m{k}", out
    head = [
        f"module network (input logic clk, rst, input logic [{folds[0][1] - 1}:0] in_data, input logic in_valid,",
        f"  output logic in_ready, output logic [{width - 1}:0] out_data, output logic out_valid,",
        "  input logic out_ready);",
    ]
    last = [f"  assign out_data = {source}_data;", f"  assign out_valid = {source}_valid;",
            f"  assign {source}_ready = out_ready;", "endmodule", ""]  # fmt: skip
    return "\n".join([*head, *lines, *last])


def wires(name: str, width: int) -> list[str]:
    """The signals of a stream."""
    return [f"  logic [{width - 1}:0] {name}_data; logic {name}_valid, {name}_ready;"]


def ports(side: str, name: str) -> str:
    """A side of a unit, connected to a stream."""
    return ", ".join(f".{side}_{what}({name}_{what})" for what in ("data", "valid", "ready"))


def queue(rows: int, pe: int) -> int:
    """Words of the queue behind a unit, a power of two: a whole vector.

    The unit behind takes words in the first fold of its rows alone. While the others pass by, the next vector comes:
    with fewer words both would wait for each other, and take longer than the slower of them.
    """
    return 1 << (max(LEAST_QUEUE, rows // pe) - 1).bit_length()


def _queue(lines: list[str], k: int, source: str, width: int, words: int) -> str:
    lines += wires(f"q{k}", width)
    lines.append(
        f"  fifo #(.W({width}), .A({words.bit_length() - 1})) queue{k} "
        f"(.clk, .rst, {ports('in', source)}, {ports('out', f'q{k}')});"
    )
    return f"q{k}"


def _converter(lines: list[str], k: int, source: str, width: int, simd: int) -> str:
    module, small, ratio = ("widen", width, simd / width) if simd > width else ("narrow", simd, width / simd)
    if ratio != int(ratio):
        raise CostmodelError(f"layer {k}: words of {width} bits do not make words of {simd} bits")
    lines += wires(f"c{k}", simd)
    ends = f"{ports('in', source)}, {ports('out', f'c{k}')}"
    lines.append(f"  {module} #(.W({small}), .N({int(ratio)})) convert{k} (.clk, .rst, {ends});")
    return f"c{k}"


def _weights(layer: Layer, pe: int, simd: int) -> str:
    mh, mw = layer.shape
    order = layer.weights.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3).reshape(-1)
    return literal(order)


def _limits(layer: Layer) -> str:
    limits = np.zeros(layer.shape[0], int) if layer.limits is None else layer.limits
    return literal(((limits[:, None] >> np.arange(layer.bits)) & 1).reshape(-1))


def literal(bits: Array) -> str:
    """Zeros and ones as a number, the first in its lowest bit."""
    number = int("".join(map(str, bits.astype(int)[::-1].tolist())), 2)
    return f"{len(bits)}'h{number:x}"


@dataclass(frozen=True)
class Run:
    """``popcounts`` [vectors, outputs]; ``cycles`` between the last words of the last two vectors."""

    popcounts: Array
    cycles: int


def simulate(network: Sequence[Layer], folds: Sequence[tuple[int, int]], inputs: Array) -> Run:
    """Inputs [vectors, mw] zeros and ones through the hardware, each in its own run, ``VECTORS`` times in a row.

    The vectors are a multiple of 64. Raises :class:`CostmodelError` where results do not come.
    """
    files = {**yosys.texts(*FILES), "network.sv": verilog(network, folds)}
    (circuit,) = aiger.circuits(["network"], files)
    simd, (pe, _), last = folds[0][1], folds[-1], network[-1]
    # The same vector again, so that a steady state is seen.
    stream = np.tile(inputs.reshape(len(inputs), -1, simd).transpose(1, 2, 0), (VECTORS, 1, 1))
    wanted = VECTORS * last.shape[0] // pe
    limit = 20 * sum(mh * mw // (p * s) for (mh, mw), (p, s) in zip((n.shape for n in network), folds, strict=True))
    moments, came = passed(circuit, stream, wanted, limit)
    each = wanted // VECTORS
    return Run(integers(came[-each:], pe), moments[-1] - moments[-1 - each])


def passed(circuit: aiger.Circuit, stream: Array, wanted: int, limit: int) -> tuple[list[int], list[Array]]:
    """The first ``wanted`` words that come out of a circuit for a stream of bits [words, width, runs], as bits [width,
    runs], with the cycles they come in.

    All runs take the same cycles. Raises :class:`CostmodelError` where the words do not come within ``limit`` cycles.
    """
    words = aiger.pack(stream)
    circuit.reset(words.shape[2])
    high, low = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)
    came: list[Array] = []
    moments: list[int] = []
    position = 0
    circuit.put("out_ready", high)
    for cycle in range(limit):
        sending = cycle > 0 and position < len(words)
        circuit.put("rst", low if cycle else high)
        circuit.put("in_valid", high if sending else low)
        if sending:
            circuit.put("in_data", words[position])
        circuit.flow()
        if cycle and circuit.take("out_valid")[0, 0]:
            came.append(aiger.unpack(circuit.take("out_data")))
            moments.append(cycle)
            if len(came) == wanted:
                return moments, came
        if sending and circuit.take("in_ready")[0, 0]:
            position += 1
        circuit.tick()
    raise CostmodelError(f"{len(came)} of {wanted} results came within {limit} cycles")


def integers(came: Sequence[Array], lanes: int) -> Array:
    """Words of some two's complements, as bits [width, runs] each -> [runs, words x lanes]."""
    bits = np.array(came).reshape(len(came) * lanes, -1, came[0].shape[1]).astype(np.int64)
    weights = 1 << np.arange(bits.shape[1])
    weights[-1] *= -1
    found: Array = np.einsum("vbr,b->rv", bits, weights)
    return found


def cycles(network: Iterable[Layer], folds: Sequence[tuple[int, int]]) -> int:
    """The initiation interval that the model says: the slowest unit."""
    return max(mh // pe * (mw // simd) for (mh, mw), (pe, simd) in zip((n.shape for n in network), folds, strict=True))
