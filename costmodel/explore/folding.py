"""The best folding of a network on a device: the cheapest that meets a rate, or the fastest that fits, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError
from costmodel.explore.choices import RESOLUTION, RESOURCES, reals
from costmodel.explore.compose import Objectives, Points, compose, rebuild
from costmodel.explore.dataflow import MEMORIES, Space
from costmodel.targets.fpga.fit import capacity
from costmodel.targets.fpga.folding import write_folding

Goal = Literal["lut", "bram18", "dsp", "share"]
GOALS: tuple[Goal, ...] = ("lut", "bram18", "dsp", "share")


@dataclass(frozen=True)
class Folded:
    """One folding with what it reaches and takes.

    ``resources`` and ``limits`` are by name; ``folding`` gives PE, SIMD and memories of each layer; ``json`` is the
    file that FINN and ``costmodel profile --folding`` read.
    """

    network: str
    target: str
    interval: int
    fps: float
    resources: Mapping[str, float]
    limits: Mapping[str, float]
    folding: Mapping[str, Mapping[str, int | str]]
    json: str
    guarantee: str


def limits(space: Space, share: float | None = None, given: Mapping[str, float] | None = None) -> dict[str, float]:
    """What a design may use: the ``share`` of the device (None: of each resource what timing closure leaves), or
    ``given`` amounts instead."""
    device = capacity(space.target)
    shares = {name: share if share is not None else _usable(space, name) for name in RESOURCES}
    return {name: (given or {}).get(name, device[name] * shares[name]) for name in RESOURCES}


def _usable(space: Space, name: str) -> float:
    """The share of a resource that timing closure leaves; all of what the device does not have."""
    return 1.0 if space.target.value(f"device_{name}") == 0 else space.target.value(f"usable_{name}")


def best(space: Space, allowed: Mapping[str, float], fps: float | None = None, goal: Goal = "lut") -> Folded:
    """The cheapest folding that gives ``fps`` images a second, or without ``fps`` the fastest; within ``allowed``.

    ``goal`` says what cheap means: one resource, or the sum of the shares of the device (``share``). Exact over
    ``space``: no other folding does better under the same model. Raises :class:`CostmodelError` where nothing meets the
    demands, with the nearest design and what it misses.
    """
    objectives = within(space, allowed)
    points = compose(space.design, objectives)
    slowest = _slowest(space, fps)
    order = _order(points, space, goal, by_interval=fps is None)
    for member in order:
        interval, _, _, lut = points.rows[member]
        if interval > slowest or lut > allowed["lut"] * RESOLUTION:
            continue
        choices = rebuild(space.design, points, [int(member)])[0]
        cost = space.design.price(choices, int(points.at[member]))[1]
        if reals(cost)[RESOURCES.index("ff")] <= allowed["ff"]:
            return describe(space, choices, int(points.at[member]), allowed, guarantee(space, left_out=points.left_out))
    raise CostmodelError(_nearest(space, points, allowed, fps))


def within(space: Space, allowed: Mapping[str, float], epsilon: float = 0.0) -> Objectives:
    """The objectives of a front whose blocks stay within ``allowed``. UltraRAM is part of exact fronts alone."""
    ultra = space.rules.ultra
    if ultra and epsilon:
        raise CostmodelError("a front with flip-flops has no room for UltraRAM: give --epsilon or --ultra, not both")
    limit = int(allowed["uram"]) if ultra else None
    return Objectives(int(allowed["bram18"]), int(allowed["dsp"]), epsilon, ultra=ultra, max_uram=limit)


def describe(space: Space, choices: NDArray[np.int64], at: int, allowed: Mapping[str, float], promise: str) -> Folded:
    """A folding [units] at one interval, in words and numbers."""
    interval, cost = space.design.price(choices, at)
    folding: dict[str, dict[str, int | str]] = {}
    for name, unit, choice in zip(space.names, space.design.units, choices, strict=True):
        setting: dict[str, int | str] = dict(unit.setting(int(choice)))
        folding[name] = {k: MEMORIES[int(v)] if k in ("weights", "window") else v for k, v in setting.items()}
    return Folded(
        space.network, space.target.name, interval, space.clock / interval,
        {name: float(value) for name, value in zip(RESOURCES, reals(cost), strict=True)}, dict(allowed), folding,
        write_folding(space.folds(choices), space.stages), promise,
    )  # fmt: skip


def guarantee(space: Space, epsilon: float = 0.0, left_out: int = 0) -> str:
    """What the answer promises, in one sentence; ``left_out`` members were not allowed (:attr:`Points.left_out`)."""
    rule = "every divisor of a layer's rows as PE, of its channels or window as SIMD"
    if space.rules.max_wide is not None:
        rule += f" up to the first with more than {space.rules.max_wide} weight bits"
    rule += ", memories in block RAM or LUTs" if space.rules.free_memories else ", memories placed by size"
    if space.rules.ultra:
        rule += ", weights in UltraRAM as well"
    elif space.target.value("device_uram"):
        rule += ", nothing in UltraRAM"
    held = "is on or above this front" if not epsilon else (
        f"is within a factor {1 + epsilon:g} in LUT and block RAM of a member that is not slower and has no more FF"
    )  # fmt: skip
    size = count(space.design.size)
    if left_out:
        return f"not proven complete: of {size} foldings, {left_out} on the front have too many DSP slices"
    return f"complete: every one of {size} foldings ({rule}) {held}, under the model of {space.target.name}"


def count(n: int) -> str:
    """A large whole number: 5.1e45."""
    if n < 10**6:
        return f"{n:,}"
    digits = str(n)
    return f"{digits[0]}.{digits[1]}e{len(digits) - 1}"


def _slowest(space: Space, fps: float | None) -> int:
    if fps is None:
        return int(space.design.intervals[-1])
    if not fps > 0:
        raise CostmodelError(f"a rate of {fps:g} images a second was asked for; give a number above 0")
    return int(space.clock / fps)


def _order(points: Points, space: Space, goal: Goal, by_interval: bool) -> NDArray[np.int64]:
    interval, bram, dsp, lut = points.rows.T
    device = capacity(space.target)
    share = lut / RESOLUTION / max(device["lut"], 1) + bram / max(device["bram18"], 1) + dsp / max(device["dsp"], 1)
    cheap = {"lut": lut, "bram18": bram, "dsp": dsp, "share": share}[goal]
    return np.lexsort((share, cheap, interval) if by_interval else (interval, share, cheap))


def _nearest(space: Space, within: Points, allowed: Mapping[str, float], fps: float | None) -> str:
    """Why nothing meets the demands: the fastest design within the limits, and the least overuse at the rate."""
    asked = f"{fps:g} images a second" if fps else "any rate"
    text = f"no folding of {space.network} on {space.target.name} at {space.clock / 1e6:g} MHz gives {asked} within "
    text += ", ".join(f"{allowed[name]:,.0f} {name}" for name in RESOURCES if allowed[name]) + ". "
    rows = within.rows[within.rows[:, 3] <= allowed["lut"] * RESOLUTION]
    if fps and len(rows):
        rate = space.clock / rows[0, 0]
        text += f"The fastest within them gives {rate:,.1f} images a second, {1 - rate / fps:.1%} less than asked. "
    ultra = space.rules.ultra
    everything = compose(space.design, Objectives(ultra=ultra, max_uram=int(allowed["uram"]) if ultra else None)).rows
    slowest = _slowest(space, fps)
    able = everything[everything[:, 0] <= slowest]
    if not len(able):
        rate = space.clock / everything[0, 0]
        return text + f"Even without limits the fastest gives {rate:,.1f}: one unit is at full parallelism."
    need = {"bram18": able[:, 1], "dsp": able[:, 2], "lut": able[:, 3] / RESOLUTION}
    over = np.max([need[name] / max(allowed[name], 1e-9) for name in need], axis=0)
    nearest = int(np.argmin(over))
    misses = [
        f"{need[name][nearest]:,.0f} {name} ({need[name][nearest] - allowed[name]:,.0f} too many)"
        for name in need
        if need[name][nearest] > allowed[name]
    ]
    rate = space.clock / able[nearest, 0]
    if not misses:
        return text + f"The nearest, at {rate:,.1f} images a second, has too many FF."
    return text + f"The nearest that is fast enough, at {rate:,.1f} images a second, takes {' and '.join(misses)}."
