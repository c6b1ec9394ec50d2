"""Run a space: price what is missing, keep every finished part, and merge the fronts.

The work is cut by the space alone, a part is written atomically, and merging fronts depends neither on their
order nor on who priced them. So a run that was killed and resumed, on whatever engine, ends in the same front.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.explore import tasks
from costmodel.explore.cases import Case, cases
from costmodel.explore.engines import ENGINES
from costmodel.explore.evaluators import ledger_of
from costmodel.explore.pareto import PointSet, merge
from costmodel.explore.space import DesignSpace
from costmodel.explore.store import Store
from costmodel.explore.tasks import Chunk, Result
from costmodel.metrics import maximised, objective_names

#: Fronts held before they are merged.
_FAN_IN = 8


@dataclass(frozen=True)
class Progress:
    """How far a run is: chunks done (``reused`` of them were there), designs ``priced`` one by one, and the seconds
    still to go."""

    done: int
    total: int
    reused: int
    priced: int
    seconds: float
    left: float

    def __str__(self) -> str:
        text = f"{self.done}/{self.total} chunks"
        if self.priced:
            text += f", {self.priced:.3g} designs, {self.priced / max(self.seconds, 1e-9):.3g} a second"
        return f"{text}, {self.left:.0f} s left" if self.done < self.total else text


@dataclass(frozen=True)
class Group:
    """The front of all targets of one kind, or of one network or target of it, which ``label`` names."""

    kind: str
    label: str
    objectives: tuple[str, ...]
    points: PointSet
    priced: int
    feasible: int


def sweep(
    space: DesignSpace,
    folder: str | os.PathLike[str],
    *,
    engine: str = "local",
    workers: int | None = None,
    resume: bool = False,
    address: str | None = None,
    keep_points: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> list[Group]:
    """Price every design of a space and return the front of each kind of target.

    ``engine`` is ``local`` (processes of this machine), ``dask`` or ``ray`` (at ``address``, or local), or ``serial``.
    ``folder`` receives the parts; with ``resume`` those that are there are kept. Besides the fronts the parts hold
    ``keep_points`` feasible designs at most, evenly spread over all that are priced one by one.

    Raises :class:`CostmodelError` for a folder of other results, a full disk, or workers that cannot be kept alive;
    finished parts are never lost.
    """
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    count = workers or os.cpu_count() or 1
    store = Store(folder, space, keep_points)
    store.open(resume)
    store.clean()
    work = list(tasks.chunks(space, keep_points))
    fronts = _Fronts(space)
    missing: list[Chunk] = []
    for chunk in work:
        found = store.read(chunk)
        if found is None:
            missing.append(chunk)
        else:
            fronts.add(chunk, found)
    reused, start = len(work) - len(missing), time.monotonic()
    if missing:
        for network in dict.fromkeys(cases(space)[c.case].network for c in missing):
            ledger_of(network, space.level)  # traced once, here; workers read it from the store of profiles
    runner = ENGINES[engine](partial(_work, space, str(folder)), missing, count, address)
    priced, exact = 0, [case.entry.search == "exact" for case in cases(space)]
    for number, (chunk, result) in enumerate(runner, start=1):
        fronts.add(chunk, result)
        priced += 0 if exact[chunk.case] else result.priced
        if progress is not None:
            seconds = time.monotonic() - start
            left = seconds / number * (len(missing) - number)
            progress(Progress(reused + number, len(work), reused, priced, seconds, left))
    return fronts.groups()


def _work(space: DesignSpace, folder: str, chunk: Chunk) -> tuple[Chunk, Result]:
    """Price one chunk in a worker and write its part."""
    result = tasks.run(space, chunk)
    case = cases(space)[chunk.case]
    Store(folder, space).write(chunk, result, space.objectives_of(case.entry.kind))
    return chunk, replace(result, kept=None)


class _Fronts:
    """The fronts of each kind of target and label, merged a few at a time."""

    def __init__(self, space: DesignSpace) -> None:
        self.space = space
        self.keys = [(c.entry.kind, space.label(c.network.name, c.entry.target)) for c in cases(space)]
        self.held: dict[tuple[str, str], list[PointSet]] = {key: [] for key in dict.fromkeys(self.keys)}
        self.priced = dict.fromkeys(self.held, 0)
        self.feasible = dict.fromkeys(self.held, 0)

    def add(self, chunk: Chunk, result: Result) -> None:
        key = self.keys[chunk.case]
        self.priced[key] += result.priced
        self.feasible[key] += result.feasible
        held = self.held[key]
        if len(result.points):
            held.append(result.points)
        if len(held) >= _FAN_IN:
            held[:] = [self._merge(key, held)]

    def _merge(self, key: tuple[str, str], held: list[PointSet]) -> PointSet:
        return merge(*held, maximise=[maximised(name) for name in self.space.objectives_of(key[0])])

    def groups(self) -> list[Group]:
        found = []
        for key, held in self.held.items():
            if held:
                names = self.space.objectives_of(key[0])
                found.append(Group(*key, names, self._merge(key, held), self.priced[key], self.feasible[key]))
        if not found:
            raise CostmodelError(nearest(self.space))
        return found


def nearest(space: DesignSpace) -> str:
    """Why no design of a space is feasible: the design that misses the constraints by least, and by how much."""
    best: tuple[float, str] | None = None
    lacking: dict[str, Case] = {}
    for case in cases(space):
        names = space.objectives_of(case.entry.kind)
        bounded = tuple(dict.fromkeys((*names, *space.constraints)))
        for chunk in tasks.chunks(space):
            if chunk.case != case.index:
                continue
            applying = (*objective_names(case.entry.kind), *objective_names())
            kept = tuple(name for name in bounded if name in applying)
            free = replace(space, constraints={}, objectives={**space.objectives, case.entry.kind: kept})
            result = tasks.run(free, chunk)
            if not len(result.points):
                lacking.setdefault(f"{case.network.name} on {case.entry.target}", case)
            for row in result.points.points:
                misses = _misses(dict(zip(kept, row.tolist(), strict=True)), space)
                worst = max((miss for miss, _ in misses), default=0.0)
                text = f"{case.network.name} on {case.entry.target}, which misses by " + " and ".join(
                    t for _, t in misses
                )
                if misses and (best is None or worst < best[0]):
                    best = worst, text
            break  # one chunk of a case is enough for the message
    if best is not None:
        return f"no design meets these constraints; the nearest is {best[1]}"
    text = "no design of this space can be judged: nothing fits, or an objective is not known for it ("
    text += "; ".join(sorted(lacking)[:4]) + ")"
    reasons = [reason for case in lacking.values() if (reason := misfit(case, space.level))]
    return f"{text}. {reasons[0]}" if reasons else text


def misfit(case: Case, level: str) -> str:
    """Why no design of a case fits its device, with the nearest; empty where that is not the reason."""
    from costmodel.explore.evaluators import Foldings, Settings, evaluator
    from costmodel.explore.folding import best, limits
    from costmodel.targets import estimate

    pricing = evaluator(case, level)
    if isinstance(pricing, Foldings):
        try:
            best(pricing.space, limits(pricing.space, 1.0))
        except CostmodelError as error:
            return str(error)
    elif isinstance(pricing, Settings):
        return "; ".join(estimate(pricing.ledger, case.entry.target, **pricing.settings[0]).misfit)
    return ""


def _misses(metrics: dict[str, float], space: DesignSpace) -> list[tuple[float, str]]:
    found = []
    for name, (low, high) in space.constraints.items():
        value = metrics.get(name)
        if value is None:
            continue
        if value > high:
            found.append((value / high - 1 if high > 0 else value, f"{name} {value:.4g} (at most {high:.4g})"))
        elif value < low:
            found.append((1 - value / low, f"{name} {value:.4g} (at least {low:.4g})"))
    return found
