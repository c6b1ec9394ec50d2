"""Units tried against what they are said to compute: on every input where they are small, on random streams else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from costmodel.calibrate import aiger, yosys
from costmodel.calibrate.fpga_units import FILES, Size, Unit, cut, wrapped
from costmodel.deploy.program import Array

#: Runs of a unit with a state, each with data and pauses of its own, and their length in cycles.
LANES, CYCLES = 64, 300


def check(cases: Sequence[tuple[Unit, Size]]) -> Iterator[tuple[str, int, str]]:
    """Each case by its label, how many operands or words were compared, and the first difference, if there is one."""
    files = {**yosys.texts(*FILES), "units.sv": "".join(wrapped(*case) for case in cases)}
    found = aiger.circuits([f"u_{unit.label(size)}" for unit, size in cases], files)
    for (unit, size), circuit in zip(cases, found, strict=True):
        tried, fault = _exhaust(unit, size, circuit) if unit.computes else _stream(unit, size, circuit)
        yield unit.label(size), tried, fault


def _exhaust(unit: Unit, size: Size, circuit: aiger.Circuit) -> tuple[int, str]:
    parameters = unit.parameters(size)
    inputs, outputs = unit.ports(**parameters)
    every = 1 << sum(inputs.values())
    lanes = np.arange(max(64, every)) % every
    operands, at = {}, 0
    for name, width in inputs.items():
        operands[name], at = cut(lanes >> at, width), at + width
    circuit.reset(len(lanes) // 64)
    got = circuit.settle(operands)
    assert unit.computes is not None
    expected = unit.computes(**operands, **parameters)
    for name in outputs:
        wrong = np.flatnonzero(got[name] != expected[name])
        if len(wrong):
            case = {n: int(v[wrong[0]]) for n, v in operands.items()}
            return every, f"{name} of {case}: {int(got[name][wrong[0]])}, expected {int(expected[name][wrong[0]])}"
    return every, ""


def _stream(unit: Unit, size: Size, circuit: aiger.Circuit) -> tuple[int, str]:
    p = unit.parameters(size)
    random = np.random.default_rng(1)
    if "in_data" in unit.ports(**p)[0]:
        return drive(circuit, random, unit.ports(**p)[0]["in_data"], lambda words: _passed(unit.module, words, **p))
    return _sums(circuit, random, unit, p)


def _sums(circuit: aiger.Circuit, random: np.random.Generator, unit: Unit, p: dict[str, int]) -> tuple[int, str]:
    """Accumulators: the sum since ``first`` of what was enabled."""
    circuit.reset(LANES // 64)
    total = np.zeros(LANES, np.int64)
    data = {n: w for n, w in unit.ports(**p)[0].items() if n != "clk"}
    for cycle in range(CYCLES):
        given = {name: random.integers(0, 1 << width, LANES) for name, width in data.items()}
        if cycle == 0:
            given["first"], given["enable"] = np.ones(LANES, np.int64), np.ones(LANES, np.int64)
        out = circuit.settle(given)["sum"]
        if cycle and not np.array_equal(out, total):
            return cycle * LANES, f"sum after {cycle} cycles: {out[0]}, expected {total[0]}"
        circuit.tick()
        value = given["x"] if "x" in given else p["N"] - _ones(given["a"] ^ given["w"], p["N"])
        new = cut(np.where(given["first"] == 1, 0, total) + value, p["W"])
        total = np.where(given["enable"] == 1, new, total)
    return CYCLES * LANES, ""


def _ones(x: Array, bits: int) -> Array:
    return sum(x >> k & 1 for k in range(bits))


def drive(
    circuit: aiger.Circuit,
    random: np.random.Generator,
    width: int,
    passed: Callable[[list[int]], Iterable[int]],
    cycles: int = CYCLES,
    busy: float = 0.7,
    patient: bool = False,
) -> tuple[int, str]:
    """Random words with pauses into a stream and with pauses out of it: what comes out is ``passed`` of what went in.

    ``busy`` is the share of cycles in which a side is willing; ``patient``: a word that was offered is offered until it
    is taken, as units themselves do. Returns how many words were compared.
    """
    circuit.reset(LANES // 64)
    sent: list[list[int]] = [[] for _ in range(LANES)]
    came: list[list[int]] = [[] for _ in range(LANES)]
    waiting, data = np.zeros(LANES, bool), np.zeros(LANES, np.int64)
    for cycle in range(cycles):
        data = np.where(waiting, data, random.integers(0, 1 << width, LANES))
        offered = waiting | ((random.random(LANES) < busy) & (cycle > 1))
        wanted = random.random(LANES) < busy
        out = circuit.settle({"rst": np.full(LANES, cycle < 2), "in_data": data, "in_valid": offered,
                              "out_ready": wanted})  # fmt: skip
        waiting = offered & (out["in_ready"] == 0) & patient
        if cycle > 1:
            for lane in np.flatnonzero(offered & (out["in_ready"] == 1)).tolist():
                sent[lane].append(int(data[lane]))
            for lane in np.flatnonzero(wanted & (out["out_valid"] == 1)).tolist():
                came[lane].append(int(out["out_data"][lane]))
        circuit.tick()
    compared = 0
    for lane, words in enumerate(sent):
        expected = list(passed(words))[: len(came[lane])]
        if expected != came[lane]:
            at = next((k for k, (a, b) in enumerate(zip(expected, came[lane], strict=False)) if a != b), len(expected))
            return compared, f"word {at} of run {lane}: {came[lane][at : at + 1]}, expected {expected[at : at + 1]}"
        compared += len(came[lane])
    return compared, "" if compared > LANES else "hardly a word came out"


def _passed(module: str, words: list[int], **p: int) -> Iterator[int]:
    """The words that leave a unit between streams."""
    if module == "widen":
        for k in range(0, len(words) - p["N"] + 1, p["N"]):
            yield sum(word << (p["W"] * n) for n, word in enumerate(words[k : k + p["N"]]))
    elif module == "narrow":
        for word in words:
            for n in range(p["N"]):
                yield int(cut(np.int64(word >> (p["W"] * n)), p["W"]))
    elif module == "sliding_window":
        yield from windows(words, p["ROWS"], p["COLS"], p["K"])
    else:
        yield from words


def windows(words: list[int], rows: int, cols: int, k: int) -> Iterator[int]:
    """The taps of every window of images that come one after the other, as far as they came."""
    size = rows * cols
    for image in range(math.ceil(len(words) / size)):
        part = words[image * size : (image + 1) * size]
        for y in range(rows - k + 1):
            for x in range(cols - k + 1):
                for ky in range(k):
                    for kx in range(k):
                        at = (y + ky) * cols + x + kx
                        if at >= len(part):
                            return
                        yield part[at]
