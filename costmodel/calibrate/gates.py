"""Energy of a mapped netlist by gate-level simulation with random operands, between two bounds.

The lower bound settles every net once (no glitches), the upper one gives every gate the same delay. A transition of a
net costs the internal energy of its driver and half C V^2 of the pins that it feeds; wires, clock and layout are not
in it. Vectors are simulated side by side as the bits of one large integer.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costmodel.calibrate.liberty import Library
from costmodel.errors import CostmodelError

VECTORS = 512
_MASK = (1 << VECTORS) - 1
Net = int | str
Values = dict[Net, int]


@dataclass(frozen=True, slots=True)
class Gate:
    """One output of a cell."""

    output: Net
    evaluate: Callable[[list[int]], int]
    inputs: tuple[Net, ...]
    energy: float


@dataclass(frozen=True)
class Netlist:
    """Gates in topological order; ``area`` in um2, ``leakage`` in nW, ``load`` of a net in fF."""

    inputs: tuple[Net, ...]
    outputs: tuple[tuple[str, tuple[Net, ...]], ...]
    gates: tuple[Gate, ...]
    load: Mapping[Net, float]
    voltage: float
    area: float
    leakage: float

    def settle(self, values: Values) -> Values:
        """Values of all nets once nothing changes any more."""
        settled: Values = {"0": 0, "1": _MASK, "x": 0, **values}
        for gate in self.gates:
            settled[gate.output] = gate.evaluate([settled[net] for net in gate.inputs])
        return settled

    def energy(self, before: Values, after: Values) -> tuple[float, float]:
        """Energy in fJ of one change of the inputs, without glitches and with unit delays: the mean of the vectors."""
        old = self.settle(before)
        new = self.settle({**old, **after})
        half = 0.5 * self.voltage**2
        cost = {gate.output: gate.energy + half * self.load.get(gate.output, 0.0) for gate in self.gates}
        arriving = sum((old[n] ^ new[n]).bit_count() * half * self.load.get(n, 0.0) for n in self.inputs)
        quiet = arriving + sum((old[net] ^ new[net]).bit_count() * each for net, each in cost.items())
        return quiet / VECTORS, (arriving + self._ripple(old, after, cost)) / VECTORS

    def _ripple(self, old: Values, after: Values, cost: Mapping[Net, float]) -> float:
        fed: dict[Net, list[int]] = {}
        for number, gate in enumerate(self.gates):
            for net in gate.inputs:
                fed.setdefault(net, []).append(number)
        now = {**old, **after}
        waiting = {number for net in self.inputs for number in fed.get(net, ())}
        total = 0.0
        while waiting:
            changes = []
            for number in waiting:
                gate = self.gates[number]
                value = gate.evaluate([now[net] for net in gate.inputs])
                if value != now[gate.output]:
                    changes.append((gate.output, value))
            waiting = set()
            for net, value in changes:
                total += (value ^ now[net]).bit_count() * cost[net]
                now[net] = value
                waiting.update(fed.get(net, ()))
        return total


def random_vectors(netlist: Netlist, source: random.Random) -> Values:
    return {net: source.getrandbits(VECTORS) for net in dict.fromkeys(netlist.inputs)}


def read_netlist(path: Path, top: str, library: Library) -> Netlist:
    """The netlist that yosys wrote as JSON, with the functions and energies of its cells.

    Raises :class:`CostmodelError` for a cell that the library lacks and for a combinational loop.
    """
    module = json.loads(path.read_text())["modules"][top]
    inputs: list[Net] = []
    outputs: list[tuple[str, tuple[Net, ...]]] = []
    for name, port in module["ports"].items():
        if port["direction"] == "input":
            inputs += port["bits"]
        else:
            outputs.append((name, tuple(port["bits"])))
    gates: list[Gate] = []
    load: dict[Net, float] = {}
    area = leakage = 0.0
    for instance in module["cells"].values():
        cell = library.cell(instance["type"])
        wires: dict[str, Net] = {pin: bits[0] for pin, bits in instance["connections"].items() if bits}
        area, leakage = area + cell.area, leakage + cell.leakage
        pins = [pin for pin, facts in cell.pins.items() if facts.direction == "input" and pin in wires]
        for pin in pins:
            load[wires[pin]] = load.get(wires[pin], 0.0) + cell.pins[pin].capacitance
        for pin, facts in cell.pins.items():
            if facts.direction == "output" and pin in wires:
                function = compile_function(facts.function, pins)
                gates.append(Gate(wires[pin], function, tuple(wires[p] for p in pins), facts.energy))
    ordered = _sorted(gates, {*inputs, "0", "1", "x"}, path)
    return Netlist(tuple(inputs), tuple(outputs), ordered, load, library.voltage, area, leakage)


def compile_function(text: str, pins: list[str]) -> Callable[[list[int]], int]:
    """A Liberty function as Python over integers: ``!`` and a trailing ``'`` negate, ``*`` and ``&`` are and."""
    body = re.sub(r"([A-Za-z_]\w*)'", r"(!\1)", text)
    body = body.replace("*", "&").replace("+", "|").replace("!", "~")
    if not re.fullmatch(r"[\w\s()&|^~]*", body):
        raise CostmodelError(f"function {text!r} of a cell is not a Boolean expression")
    body = re.sub(r"[A-Za-z_]\w*", lambda match: f"v[{pins.index(match[0])}]", body)
    scope: dict[str, Any] = {}
    exec(f"def f(v): return ({body}) & {_MASK}", {}, scope)  # only names of pins and Boolean operators, checked above
    function: Callable[[list[int]], int] = scope["f"]
    return function


def _sorted(gates: list[Gate], known: set[Net], path: Path) -> tuple[Gate, ...]:
    ordered: list[Gate] = []
    ready = set(known)
    pending = gates
    while pending:
        blocked = []
        for gate in pending:
            if all(net in ready for net in gate.inputs):
                ordered.append(gate)
                ready.add(gate.output)
            else:
                blocked.append(gate)
        if len(blocked) == len(pending):
            raise CostmodelError(f"{path}: {len(blocked)} gates form a loop or have inputs that nothing drives")
        pending = blocked
    return tuple(ordered)
