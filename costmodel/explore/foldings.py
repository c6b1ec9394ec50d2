"""Questions about all foldings of a network: the best one, the front within limits, a given one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costmodel.errors import CostmodelError
from costmodel.explore import compose, folding
from costmodel.explore.dataflow import Rules, Space, space
from costmodel.explore.exact import COLUMN, exact
from costmodel.explore.pareto import nondominated
from costmodel.ledger.ledger import Ledger
from costmodel.targets.arith import longest_interval
from costmodel.targets.fpga.choices import RESOLUTION, RESOURCES, Ints
from costmodel.targets.fpga.finn import read_folding


@dataclass(frozen=True)
class Question:
    """A network, a device, and what a design may take; ``share`` and ``given`` as for :func:`folding.limits`."""

    ledger: Ledger
    target: str
    rules: Rules
    options: Mapping[str, Any]
    share: float | None = None
    given: Mapping[str, float] | None = None
    fps: float | None = None
    goal: folding.Goal = "lut"

    @property
    def limited(self) -> bool:
        """Whether anything but the device bounds the designs."""
        return self.share is not None or self.fps is not None or bool(self.given)


@dataclass(frozen=True)
class Design:
    """One point of a front: cycles between two images, images per second, and resources by name."""

    interval: int
    steady_images_per_second: float
    resources: Mapping[str, float]


def best(question: Question) -> folding.Folded:
    """The best folding; weights may lie in UltraRAM where the device has it."""
    found = of(question, replace(question.rules, ultra=True))
    allowed = folding.limits(found, question.share, question.given)
    mean = None if question.share is not None or question.given else folding.mean_limit(found)
    return folding.best(found, allowed, question.fps, question.goal, mean)


def of(question: Question, rules: Rules | None = None) -> Space:
    """The space that a question is about."""
    return space(question.ledger, question.target, rules or question.rules, **question.options)


def front(found: Space, question: Question, epsilon: float = 0.0) -> tuple[list[Design], str]:
    """All trade-offs within the limits, and what is promised of them.

    Raises :class:`CostmodelError` where nothing meets the demands, with what the nearest design misses.
    """
    allowed = folding.limits(found, question.share, question.given)
    if "ff" in (question.given or {}) and not epsilon:
        return _with_flip_flops(found, question, allowed)
    if question.limited or found.rules.ultra:
        objectives = folding.within(found, allowed, epsilon)
    else:
        objectives = compose.Objectives(epsilon=epsilon)
    points = compose.compose(found.design, objectives)
    names: tuple[str, ...] = ("bram18", "lut", "ff") if epsilon else ("bram18", "dsp", "lut")
    table = points.rows
    if found.rules.ultra:
        names, table = (*names, "uram"), np.column_stack([points.rows, points.uram])
    designs = []
    for row in table:
        cost = {n: v / RESOLUTION if n in ("lut", "ff") else int(v) for n, v in zip(names, row[1:], strict=True)}
        slow = question.fps is not None and found.clock / row[0] < question.fps
        if not slow and (not question.limited or all(cost[name] <= allowed[name] for name in names)):
            designs.append(Design(int(row[0]), found.clock / row[0], cost))
    if not designs:
        folding.best(found, allowed, question.fps, question.goal)  # says what the nearest design misses
    return designs, folding.guarantee(found, epsilon, points.left_out)


def _with_flip_flops(found: Space, question: Question, allowed: Mapping[str, float]) -> tuple[list[Design], str]:
    """The same where flip-flops are limited, of which the composed front is not made."""
    bounds = {"ff": (0.0, allowed["ff"])}
    candidates = exact(found.design, folding.within(found, allowed), {"seconds_per_image", "lut", "ff"}, bounds)
    slowest = longest_interval(found.clock, question.fps) if question.fps else np.inf
    kept: Ints = np.zeros((0, 1 + len(RESOURCES)), dtype=np.int64)
    for _, rows, _ in candidates.blocks(1 << 16):
        able = rows[:, 0] <= slowest
        for name, column in COLUMN.items():
            able &= rows[:, column] <= allowed[name] * (RESOLUTION if name in ("lut", "ff") else 1)
        both = np.concatenate([kept, rows[able]])
        keys = both[:, [0, COLUMN["bram18"], COLUMN["dsp"], COLUMN["lut"]]]
        kept = both[nondominated(keys)] if len(both) else both
    if not len(kept):
        folding.best(found, allowed, question.fps, question.goal)  # says what the nearest design misses
    parts = {name: RESOLUTION if name in ("lut", "ff") else 1 for name in COLUMN}
    designs = [
        Design(
            int(row[0]),
            found.clock / int(row[0]),
            {n: row[COLUMN[n]] / parts[n] for n in ("bram18", "dsp", "lut", "ff")},
        )
        for row in kept[np.argsort(kept[:, 0], kind="stable")]
    ]
    if candidates.unproven:
        return designs, f"not proven complete: {candidates.unproven}"
    return designs, folding.guarantee(found)


def against(found: Space, path: str | os.PathLike[str]) -> dict[str, Design]:
    """A folding file, the cheapest design that is as fast and needs no more memory or DSP slices, and the fastest that
    needs no more of anything."""
    choices = found.choices_of(read_folding(path, found.stages).folds)
    interval, cost = found.design.price(choices)
    points = compose.compose(found.design, compose.Objectives(max_bram=int(cost[1]), max_dsp=int(cost[2])))
    able = points.rows[points.rows[:, 0] <= interval]
    if not len(able):
        raise CostmodelError(f"{path}: this folding lies outside the space; try --memories auto")
    rows = {
        os.fspath(path): [interval, cost[1], cost[2], cost[0]],
        "least LUT, as fast, no more BRAM or DSP": able[np.argmin(able[:, 3])],
        "fastest, no more of anything": points.rows[points.rows[:, 3] <= cost[0]][0],
    }
    return {
        name: Design(int(t), found.clock / t, {"lut": lut / RESOLUTION, "bram18": int(bram), "dsp": int(dsp)})
        for name, (t, bram, dsp, lut) in rows.items()
    }
