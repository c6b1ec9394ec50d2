"""The best folding of a network on a device: the cheapest that meets a rate, or the fastest that fits, exactly."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError, name_of
from costmodel.explore.compose import Objectives, Points, compose, rebuild
from costmodel.explore.dataflow import MEMORIES, Space
from costmodel.noun import Noun
from costmodel.targets import estimate
from costmodel.targets.arith import longest_interval
from costmodel.targets.fpga import search
from costmodel.targets.fpga.choices import DSP, FF, RESOLUTION, RESOURCES, reals
from costmodel.targets.fpga.finn import write_folding
from costmodel.targets.fpga.job import capacity
from costmodel.targets.fpga.search import GOALS, Found, Goal, Limits
from costmodel.targets.quantity import Interval

__all__ = ["GOALS", "Folded", "Goal", "best", "count", "describe", "guarantee", "limits", "mean_limit", "within"]

#: How close flip-flops are looked at where they are limited.
LOOKED_AT = 0.02
#: A gap up to this share is stated; a larger one is closed by composing the whole front, where that is possible.
STATED_GAP = 0.01


@dataclass(frozen=True, repr=False)
class Folded(Noun):
    """One folding with what it reaches and takes.

    ``resources`` and ``limits`` are by name; ``folding`` gives PE, SIMD and memories of each layer; ``json`` is the
    file that FINN and ``costmodel profile --folding`` read.

    Tables (``by``): ``layer`` (PE, SIMD, memories), ``design`` (rate and resources, with what is allowed).
    """

    _VIEW = "costmodel.explore.views:folded_view"

    network: str
    target: str
    interval: int
    steady_images_per_second: float
    resources: Mapping[str, float]
    limits: Mapping[str, float]
    folding: Mapping[str, Mapping[str, int | str]]
    json: str
    guarantee: str

    def __repr__(self) -> str:
        rate = f"{self.steady_images_per_second:,.0f} images per second"
        return f"<Folded {self.network} on {self.target}: {rate}, {self.resources['lut']:,.0f} LUT>"


def limits(space: Space, share: float | None = None, given: Mapping[str, float] | None = None) -> dict[str, float]:
    """What a design may use: the ``share`` of the device (None: of each resource what timing closure leaves), or
    ``given`` amounts instead. Raises :class:`UnknownNameError` for a resource that does not exist."""
    for name in given or {}:
        name_of("resource", name, RESOURCES)
    device = capacity(space.target)
    shares = {name: share if share is not None else _usable(space, name) for name in RESOURCES}
    return {name: (given or {}).get(name, device[name] * shares[name]) for name in RESOURCES}


def mean_limit(space: Space) -> float | None:
    """The mean share of block RAM, UltraRAM and DSP slices that timing closure leaves; None: no such limit is known."""
    known = space.target.constants.get("usable_mean")
    return None if known is None else known.value


def _usable(space: Space, name: str) -> float:
    """The share of a resource that timing closure leaves; all of what the device does not have."""
    return 1.0 if space.target.value(f"device_{name}") == 0 else space.target.value(f"usable_{name}")


def best(
    space: Space, allowed: Mapping[str, float], fps: float | None = None, goal: Goal = "lut", mean: float | None = None
) -> Folded:
    """The cheapest folding that gives ``fps`` images per second, or without ``fps`` the fastest; within ``allowed``.

    ``goal`` says what cheap means: one resource, or the sum of the shares of the device (``share``). ``mean`` limits
    the mean share of block RAM, UltraRAM and DSP slices. Over ``space`` no other folding does better under the same
    model, or the guarantee says by how much one might. Raises :class:`CostmodelError` where nothing meets the demands,
    with a near design and what it misses.
    """
    slowest, limited = _slowest(space, fps), Limits(allowed, capacity(space.target), mean)
    if fps is None:
        found = search.fastest(space.design, limited, goal)
    else:
        found = search.cheapest(space.design, limited, slowest, goal)
    if found.choices is None and found.settled:
        raise CostmodelError(_nearest(space, limited, fps))
    if space.design.cross and found.choices is None:
        raise CostmodelError(_nearest(space, limited, fps))
    if found.choices is None or (found.gap > STATED_GAP and not space.design.cross):
        return _composed(space, limited, fps, goal, found)
    choices = np.array(found.choices)
    return describe(
        space, choices, found.at, allowed, guarantee(space, gap=found.gap, settled=found.settled, faster=fps is None)
    )


def _composed(space: Space, limited: Limits, fps: float | None, goal: Goal, found: Found) -> Folded:
    """The same from the whole front, which leaves nothing open unless a limit acts on what it is not made of."""
    allowed = limited.most
    points = compose(space.design, within(space, allowed))
    slowest = _slowest(space, fps)
    rows, bounds = limited.rows()
    apart = [FF, DSP] if space.rules.ultra else [FF]
    decisive = ~np.any(rows[:, apart] > 0, axis=1)  # what exceeds such a limit, all exceed that it dominates
    for member in _order(points, space, goal, by_interval=fps is None):
        if points.rows[member, 0] > slowest or points.rows[member, 3] > allowed["lut"] * RESOLUTION:
            continue
        choices = rebuild(space.design, points, [int(member)])[0]
        cost = space.design.price(choices, int(points.at[member]))[1]
        over = rows @ cost > bounds + search.SHARE_ERROR
        if not over.any():
            return describe(space, choices, int(points.at[member]), allowed, guarantee(space, left_out=points.left_out))
        if not over[decisive].any():
            break  # one that it dominates may stay within the limits, and be better than all members to come
    return _looked_at(space, limited, fps, goal, found)


def _looked_at(space: Space, limited: Limits, fps: float | None, goal: Goal, found: Found) -> Folded:
    """The best design that was met where a limit acts on what the exact front is not made of, such as flip-flops: of
    both fronts, with flip-flops certified, and what the search ``found``, which also says what is left open."""
    allowed, slowest = limited.most, _slowest(space, fps)
    rows, bounds = limited.rows()
    points = compose(space.design, Objectives(int(allowed["bram18"]), None, LOOKED_AT))
    interval, bram, lut, ff = points.rows.T
    able = (interval <= slowest) & (bram <= allowed["bram18"])
    able &= (lut <= allowed["lut"] * RESOLUTION) & (ff <= allowed["ff"] * RESOLUTION)
    members = np.flatnonzero(able)
    met = list(zip(rebuild(space.design, points, members.tolist()), points.at[members].tolist(), strict=True))
    met += [(np.array(each.choices), each.at) for each in (found, search.fastest(space.design, limited, goal))
            if each.choices is not None and int(space.design.intervals[each.at]) <= slowest]  # fmt: skip
    costs = np.array([space.design.price(choices, at)[1] for choices, at in met]).reshape(-1, len(RESOURCES))
    fits = np.flatnonzero(np.all(costs @ rows.T <= bounds + search.SHARE_ERROR, axis=1))
    if not len(fits):
        raise CostmodelError(_nearest(space, limited, fps))
    weights = search.goal_weights(goal, limited.device)
    value = costs[fits] @ weights
    cycles = np.array([int(space.design.intervals[met[i][1]]) for i in fits])
    first = np.lexsort((value, cycles) if fps is None else (cycles, value))[0]
    choices, at = met[int(fits[first])]
    settled, gap = found.settled and found.choices is not None, 0.0
    if settled:
        least = float(space.design.price(np.array(found.choices), found.at)[1] @ weights) * (1 - found.gap)
        gap = max(1 - least / float(value[first]), 0.0)
    promise = guarantee(space, gap=gap, settled=settled, faster=fps is None)
    return describe(space, choices, int(at), allowed, promise)


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
        write_folding(space.folds(choices), space.stages, interval), promise,
    )  # fmt: skip


def guarantee(
    space: Space, epsilon: float = 0.0, left_out: int = 0, gap: float = 0.0, settled: bool = True, faster: bool = True
) -> str:
    """What the answer promises, in one sentence; ``left_out`` members were not allowed (:attr:`Points.left_out`),
    ``gap`` and ``settled`` are those of a search (:class:`~costmodel.targets.fpga.search.Found`), which was for the
    ``faster`` or for the cheaper."""
    rule = "every divisor of a layer's rows as PE, of its columns as SIMD"
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
    if not settled:
        better = "faster" if faster else "cheaper"
        return f"not proven: of {size} foldings ({rule}), a {better} one within the limits is not excluded"
    if gap:
        return f"of {size} foldings ({rule}) none is cheaper by {gap:.2%}, under the model of {space.target.name}"
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
        raise CostmodelError(f"a rate of {fps:g} images per second was asked for; give a number above 0")
    return longest_interval(space.clock, fps)


def _order(points: Points, space: Space, goal: Goal, by_interval: bool) -> NDArray[np.int64]:
    interval, bram, dsp, lut = points.rows.T
    device = capacity(space.target)
    share = lut / RESOLUTION / max(device["lut"], 1) + bram / max(device["bram18"], 1) + dsp / max(device["dsp"], 1)
    cheap = {"lut": lut, "bram18": bram, "dsp": dsp, "share": share}[goal]
    return np.lexsort((share, cheap, interval) if by_interval else (interval, share, cheap))


def _bounds(space: Space, choices: Sequence[int], at: int) -> dict[str, Interval]:
    """What each resource of a folding may be by the bounds of the constants, where that is more than one number.

    Limits act on the values; how sure they are is for the reader to know when a design is refused for a few percent.
    """
    interval = int(space.design.intervals[at])
    folds = json.loads(write_folding(space.folds(choices), space.stages, interval))
    options = {**space.settings, "mode": "dataflow", "folding": folds, "fps": space.clock / interval * (1 - 1e-9)}
    bill = estimate(space.ledger, space.target, **options)
    totals = {name: bill.total(name) for name in RESOURCES if bill.has(name)}
    return {name: total for name, total in totals.items() if total.low < total.high}


def _nearest(space: Space, limited: Limits, fps: float | None) -> str:
    """Why nothing meets the demands: the fastest design within the limits, and a near one at the rate."""
    allowed, clock = limited.most, space.clock
    asked = f"{fps:g} images per second" if fps else "any rate"
    text = f"no folding of {space.network} on {space.target.name} at {clock / 1e6:g} MHz gives {asked} within "
    text += ", ".join(f"{allowed[name]:,.0f} {name}" for name in RESOURCES if allowed[name]) + ". "
    found = search.fastest(space.design, limited)
    if not found.settled:
        text = text.replace("no folding of", "no folding was found, and it is not proven that there is none, of", 1)
    if fps and found.choices is not None:
        rate = clock / int(space.design.intervals[found.at])
        if rate < fps:
            text += (
                f"The fastest within them gives {rate:,.1f} images per second, {1 - rate / fps:.1%} less than asked. "
            )
    slowest, least = _slowest(space, fps), int(space.design.intervals[0])
    if least > slowest:
        why = "one unit is at full parallelism, or the port to the host is full"
        return text + f"Even without limits the fastest gives {clock / least:,.1f}: {why}."
    near = search.closest(space.design, limited, slowest)
    assert near.choices is not None
    interval, cost = space.design.price(near.choices, near.at)
    need = dict(zip(RESOURCES, reals(cost).tolist(), strict=True))
    bounds = _bounds(space, near.choices, near.at)
    over = [name for name in RESOURCES if need[name] > allowed[name]]
    misses = [_miss(name, need[name], allowed[name], bounds.get(name)) for name in over]
    if not over:
        misses = [f"a mean of more than {limited.mean:.0%} of block RAM, UltraRAM and DSP slices"]
    rate = clock / interval
    text += f"The nearest that is fast enough, at {rate:,.1f} images per second, takes {' and '.join(misses)}."
    if over and all(name in bounds and bounds[name].low <= allowed[name] for name in over):
        text += " What is allowed lies inside these bounds: that it suffices is not expected, and not excluded."
    return text


def _miss(name: str, need: float, allowed: float, bounds: Interval | None) -> str:
    """How much of a resource is needed, how much of that is too much, and between which bounds the need lies."""
    said = "" if bounds is None else f", {bounds.low:,.0f} to {bounds.high:,.0f} by the bounds of the constants"
    return f"{need:,.0f} {name} ({math.ceil(need - allowed):,} too many{said})"
