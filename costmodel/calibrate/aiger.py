"""Simulation of a circuit as and-gates and latches: 64 runs in a word, so that small widths are tried exhaustively.

The circuit comes from the front end that also synthesises it, as binary AIGER (Biere, "The AIGER and-inverter graph
format version 20071012"). All latches share one clock and begin at 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from costmodel.calibrate import yosys
from costmodel.deploy.program import Array
from costmodel.errors import CostmodelError

#: From a module to gates and latches; a memory becomes latches.
TO_GATES = """
design -load texts
hierarchy -check -top {top}
proc; flatten; opt -full; memory -nordff; opt; memory_map; opt -fast; techmap; opt -fast
dfflegalize -cell $_DFF_P_ 01; setundef -zero -init; setundef -zero; opt_expr; aigmap; opt_clean
write_aiger -symbols {top}.aig
"""


def circuits(tops: Sequence[str], files: Mapping[str, str]) -> Iterator[Circuit]:
    """Modules of some SystemVerilog as gates, one after the other."""
    read = "\n".join(f"read_verilog -sv {name}" for name in files if name.endswith(".sv"))
    folder = yosys.run(f"{read}\ndesign -save texts" + "".join(TO_GATES.format(top=top) for top in tops), files)
    return (read_aiger(folder / f"{top}.aig") for top in tops)


@dataclass
class Circuit:
    """``ports`` map a name to its literals, lowest bit first; ``state`` holds a row of words for every variable.

    A variable is an input, a latch or a gate; variable 0 is the constant false. A literal is twice a variable, plus one
    where it is inverted.
    """

    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    latches: Array  # [n, 2]: variable, literal of its next value
    gates: Array  # [n, 3]: variable, two literals of smaller variables
    variables: int
    state: Array = None

    def reset(self, words: int) -> None:
        """Every latch 0, for 64 x ``words`` runs."""
        self.state = np.zeros((self.variables, words), np.uint64)

    def settle(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs for inputs ``{port: [lanes] integers}`` in the present state, as non-negative integers."""
        for name, given in values.items():
            self.put(name, packed(np.asarray(given), len(self.inputs[name])))
        self.flow()
        return {name: numbers(self.take(name)) for name in self.outputs}

    def put(self, name: str, bits: Array) -> None:
        """An input, as words of its bits: [bits, words]."""
        self.state[np.array(self.inputs[name]) >> 1] = bits

    def flow(self) -> None:
        """Every gate takes the value of its inputs."""
        _settle(self.gates, self.state)

    def take(self, name: str) -> Array:
        """An output, as words of its bits: [bits, words]."""
        return self._read(np.array(self.outputs[name]))

    def tick(self) -> None:
        """A rising edge of the clock."""
        if len(self.latches):
            self.state[self.latches[:, 0]] = self._read(self.latches[:, 1])

    def _read(self, literals: Array) -> Array:
        inverted = (np.zeros(len(literals), np.uint64) - (literals & 1).astype(np.uint64))[:, None]
        return self.state[literals >> 1] ^ inverted


@njit(cache=True, nogil=True)
def _settle(gates: Array, state: Array) -> None:
    """Every gate once: its operands stand before it."""
    for gate in range(len(gates)):
        out, a, b = gates[gate]
        turn_a, turn_b = np.uint64(0) - np.uint64(a & 1), np.uint64(0) - np.uint64(b & 1)
        for word in range(state.shape[1]):
            state[out, word] = (state[a >> 1, word] ^ turn_a) & (state[b >> 1, word] ^ turn_b)


def pack(bits: Array) -> Array:
    """[..., 64 n] zeros and ones -> [..., n] words."""
    found: Array = np.packbits(bits.astype(np.uint8), axis=-1, bitorder="little").view(np.uint64)
    return found


def unpack(words: Array) -> Array:
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")


def packed(integers: Array, width: int) -> Array:
    """The bits of [lanes] integers -> [width, words]."""
    return pack(np.stack([(integers >> bit) & 1 for bit in range(width)]))


def numbers(bits: Array) -> Array:
    """[width, words] -> [lanes] non-negative integers, as objects where they are wide."""
    lanes = unpack(bits)
    total = np.zeros(lanes.shape[1], np.int64 if len(lanes) < 63 else object)
    for bit, row in enumerate(lanes):
        total += row.astype(total.dtype) << bit
    return total


def read_aiger(path: Path) -> Circuit:
    """Read a binary AIGER file with its symbols. Raises :class:`CostmodelError` for another format."""
    data = path.read_bytes()
    end = data.index(b"\n")
    head = data[:end].split()
    if head[0] != b"aig":
        raise CostmodelError(f"{path}: expected binary AIGER, got {head[0]!r}")
    top, inputs, latches, outputs, gates = map(int, head[1:6])
    at = end + 1
    lines = []
    for _ in range(latches + outputs):
        end = data.index(b"\n", at)
        lines.append(int(data[at:end].split()[0]))
        at = end + 1
    table = np.zeros((gates, 3), np.int64)
    for row in range(gates):
        left = 2 * (inputs + latches + row + 1)
        for side in (1, 2):
            delta, shift = 0, 0
            while data[at] & 0x80:
                delta |= (data[at] & 0x7F) << shift
                shift, at = shift + 7, at + 1
            delta |= data[at] << shift
            at += 1
            left -= delta
            table[row, side] = left
        table[row, 0] = inputs + latches + row + 1
    found: dict[str, dict[str, dict[int, int]]] = {"i": {}, "o": {}}
    for line in data[at:].split(b"\nc\n")[0].decode().splitlines():
        kind = line[:1]
        if kind not in found or " " not in line:
            continue
        number, _, name = line[1:].partition(" ")
        name, _, bit = name.rstrip("]").partition("[")
        literal = 2 * (int(number) + 1) if kind == "i" else lines[latches + int(number)]
        found[kind].setdefault(name, {})[int(bit or 0)] = literal
    ports = [{n: [bits[k] for k in sorted(bits)] for n, bits in found[kind].items()} for kind in "io"]
    rows = np.array([(inputs + 1 + k, lines[k]) for k in range(latches)], np.int64).reshape(-1, 2)
    return Circuit(ports[0], ports[1], rows, table, top + 1)
