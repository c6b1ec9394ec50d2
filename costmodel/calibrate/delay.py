"""The longest path of a mapped netlist, by the delay tables of its library (NLDM), without wires.

Rising and falling edges are followed apart, each with its transition time, as a static timing analyser does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costmodel.calibrate.liberty import Library

Net = int | str
#: (arrival, transition time) in ns of a rising and of a falling edge.
Edges = tuple[tuple[float, float], tuple[float, float]]
#: Index of the edge of an input that makes the rising and the falling edge of an output.
_SENSE = {"positive_unate": ((0,), (1,)), "negative_unate": ((1,), (0,))}
_EITHER = ((0, 1), (0, 1))


def longest_path(path: Path, top: str, library: Library) -> float:
    """Nanoseconds from the inputs, whose edges have the library's slew, to the last output of a netlist of Yosys."""
    module = json.loads(path.read_text())["modules"][top]
    driver: dict[Net, tuple[Mapping[str, Any], str]] = {}
    load: dict[Net, float] = {}
    for instance in module["cells"].values():
        cell = library.cell(instance["type"])
        for pin, bits in instance["connections"].items():
            if not bits or pin not in cell.pins:
                continue
            if cell.pins[pin].direction == "output":
                driver[bits[0]] = instance, pin
            else:
                load[bits[0]] = load.get(bits[0], 0.0) + cell.pins[pin].capacitance
    known: dict[Net, Edges] = {}
    last = [bit for port in module["ports"].values() if port["direction"] == "output" for bit in port["bits"]]
    for net in last:
        _arrive(net, driver, load, library, known)
    return max((edge[0] for net in last for edge in known[net]), default=0.0)


def _arrive(
    wanted: Net,
    driver: Mapping[Net, tuple[Mapping[str, Any], str]],
    load: Mapping[Net, float],
    library: Library,
    known: dict[Net, Edges],
) -> None:
    """Edges of a net and of all before it, without recursion: a ripple carry is deep."""
    start: Edges = ((0.0, library.slew), (0.0, library.slew))
    stack = [wanted]
    while stack:
        net = stack[-1]
        if net in known:
            stack.pop()
            continue
        if net not in driver:
            known[net] = start
            continue
        instance, pin = driver[net]
        wires = instance["connections"]
        arcs = [arc for arc in library.arcs(instance["type"], pin) if wires.get(arc.pin)]
        missing = [wires[arc.pin][0] for arc in arcs if wires[arc.pin][0] not in known]
        if missing:
            stack += missing
            continue
        edges = []
        for edge in (0, 1):
            best = (0.0, library.slew)
            for arc in arcs:
                for source in _SENSE.get(arc.sense, _EITHER)[edge]:
                    arrival, slew = known[wires[arc.pin][0]][source]
                    delay, transition = arc.at(edge, slew, load.get(net, 0.0))
                    if arrival + delay > best[0]:
                        best = arrival + delay, transition
            edges.append(best)
        known[net] = edges[0], edges[1]
