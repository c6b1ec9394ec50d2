"""Which stages of a design are the same unit, and which have the same in front of them.

A network repeats its blocks, so a design of hundreds of stages has a few dozen units that differ. What a unit costs is
computed once for all stages that are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from costmodel.graph.ops import OPS
from costmodel.targets.fpga.design import Stage
from costmodel.targets.kept import kept


@dataclass(frozen=True, eq=False, slots=True)
class Alike:
    """For each stage the number of its unit and of what is in front of it: stages with the same number are alike.

    ``waiting`` [stage] lists, where branches meet, the bits by which each branch is held back, its results per image
    and their width. ``of_units`` and ``of_links`` give for each number its first stage and how often it occurs.
    """

    units: list[int]
    links: list[int]
    waiting: list[tuple[tuple[int, int, int], ...]]
    of_units: list[tuple[int, int]]
    of_links: list[tuple[int, int]]


@kept
def alike(design: Sequence[Stage]) -> Alike:
    """Stages are alike when all that their cost depends on is equal."""
    units: list[int] = []
    links: list[int] = []
    waiting: list[tuple[tuple[int, int, int], ...]] = []
    unit_numbers: dict[Any, int] = {}
    link_numbers: dict[Any, int] = {}
    lags = lag(design)
    for stage in design:
        # work, matrices and windows that are equal are mostly the same object, whose identity is a cheap key
        key = (
            stage.op, stage.elements, stage.channels, stage.rows > 1, stage.bits_out, stage.bits_entered,
            id(stage.matrix), id(stage.window), stage.parameters, *map(id, stage.work),
        )  # fmt: skip
        unit = unit_numbers.setdefault(key, len(unit_numbers))
        held = _held_back(design, stage, lags)
        sources = [units[i] if i >= 0 else -1 for i in stage.inputs]
        units.append(unit)
        waiting.append(held)
        links.append(link_numbers.setdefault((unit, *sources, *held), len(link_numbers)))
    return Alike(units, links, waiting, _first_and_count(units), _first_and_count(links))


def _first_and_count(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Of numbers from zero in order of their first place: that place, and how often each occurs."""
    first: list[int] = []
    counts: list[int] = []
    for place, number in enumerate(numbers):
        if number == len(first):
            first.append(place)
            counts.append(0)
        counts[number] += 1
    return list(zip(first, counts, strict=True))


def _held_back(design: Sequence[Stage], stage: Stage, lags: Sequence[float]) -> tuple[tuple[int, int, int], ...]:
    """Where branches meet, the faster one waits: it is kept for as much of an image as the slower one lags behind."""
    branches = [i for i in stage.inputs if i >= 0]
    if len(branches) < 2 or OPS[stage.op].joins:
        return ()
    latest = max(lags[i] for i in branches)
    found = []
    for i in branches:
        elements, bits = design[i].elements, design[i].bits_out
        if held := round((latest - lags[i]) * elements) * bits:
            found.append((held, elements, bits))
    return tuple(found)


def lag(design: Sequence[Stage]) -> list[float]:
    """For each stage, the share of an image that must have entered the network's pipeline before its first result.

    A sliding window waits for ``kernel`` rows of its input, a layer over the whole image for all of it.
    """
    result: list[float] = []
    for stage in design:
        before = max((result[i] for i in stage.inputs if i >= 0), default=0.0)
        if OPS[stage.op].whole_image and not (stage.matrix is not None and stage.matrix.vectors > 1):
            result.append(1.0)
        elif stage.window is not None:
            result.append(min(1.0, before + stage.window.kernel / max(stage.rows_in, 1)))
        else:
            result.append(before)
    return result
