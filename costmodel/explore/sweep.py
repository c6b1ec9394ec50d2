"""Run a space: price what is missing, keep every finished part, and merge the fronts.

The work is cut by the space alone, a part is written atomically, and merging fronts depends neither on their
order nor on who priced them. So a run that was killed and resumed, on whatever engine, ends in the same front.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.explore import tasks
from costmodel.explore.cases import Case, cases
from costmodel.explore.engines import ENGINES
from costmodel.explore.networks import Network
from costmodel.explore.pareto import PointSet, merge
from costmodel.explore.space import DesignSpace
from costmodel.explore.store import Store
from costmodel.explore.tasks import Chunk, Job, Result
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
    """The front of all targets of one kind, or of one network or target of it, which ``label`` names. ``unproven``
    says why it may not be complete, ``ledgers`` are those of the networks, as they were priced."""

    kind: str
    label: str
    objectives: tuple[str, ...]
    points: PointSet
    priced: int
    feasible: int
    unproven: tuple[str, ...] = ()
    ledgers: Mapping[Network, bytes] = field(default_factory=dict, repr=False, compare=False)


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
    again: Callable[[int], None] | None = None,
) -> list[Group]:
    """Price every design of a space and return the front of each kind of target.

    ``engine`` is ``local`` (processes of this machine), ``dask`` or ``ray`` (at ``address``, or local), or ``serial``.
    ``folder`` receives the parts, which this process writes: workers need neither it nor the user's files. With
    ``resume`` those that are there are kept, unless they are damaged or of inputs that have changed since: how many
    such there are ``again`` is told. Besides the fronts the parts hold ``keep_points`` feasible designs at most, evenly
    spread over all that are priced one by one.

    Raises :class:`CostmodelError` for a folder of other results, a full disk, or workers that cannot be kept alive;
    finished parts are never lost.
    """
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    count = workers or os.cpu_count() or 1
    store = Store(folder, space, keep_points)
    store.open(resume)
    ledgers = tasks.ledgers_of(space)
    work = tasks.jobs(space, ledgers, keep_points)
    fronts = _Fronts(space, ledgers)
    missing: list[Job] = []
    there = store.there()
    for job in work:
        found = store.read(job.chunk, job.key()) if store.name(job.chunk) in there else None
        if found is None:
            missing.append(job)
        else:
            fronts.add(job.chunk, found)
    reused, start = len(work) - len(missing), time.monotonic()
    if again is not None and (stale := sum(store.name(job.chunk) in there for job in missing)):
        again(stale)
    missing_keys = {job.chunk: job.key() for job in missing}
    objectives = {job.chunk.case: job.objectives for job in missing}
    runner = ENGINES[engine](tasks.price, missing, count, address)
    priced, exact = 0, [case.entry.search == "exact" for case in cases(space)]
    for number, (chunk, result) in enumerate(runner, start=1):
        store.write(chunk, missing_keys[chunk], result, objectives[chunk.case])
        fronts.add(chunk, replace(result, kept=None))
        priced += 0 if exact[chunk.case] else result.priced
        if progress is not None:
            seconds = time.monotonic() - start
            left = seconds / number * (len(missing) - number)
            progress(Progress(reused + number, len(work), reused, priced, seconds, left))
    return fronts.groups()


class _Fronts:
    """The fronts of each kind of target and label, merged a few at a time."""

    def __init__(self, space: DesignSpace, ledgers: Mapping[Network, bytes]) -> None:
        self.space, self.ledgers = space, ledgers
        self.keys = [space.front_of(c.network, c.entry) for c in cases(space)]
        self.held: dict[tuple[str, str], list[PointSet]] = {key: [] for key in dict.fromkeys(self.keys)}
        self.priced = dict.fromkeys(self.held, 0)
        self.feasible = dict.fromkeys(self.held, 0)
        self.unproven: dict[tuple[str, str], dict[str, None]] = {key: {} for key in self.held}

    def add(self, chunk: Chunk, result: Result) -> None:
        key = self.keys[chunk.case]
        self.priced[key] += result.priced
        self.feasible[key] += result.feasible
        if result.unproven:
            self.unproven[key][result.unproven] = None
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
                found.append(Group(*key, names, self._merge(key, held), self.priced[key], self.feasible[key],
                                   tuple(self.unproven[key]), self.ledgers))  # fmt: skip
        if not found:
            reasons = dict.fromkeys(reason for each in self.unproven.values() for reason in each)
            said = f" It is not proven that none does: {'; '.join(reasons)}." if reasons else ""
            raise CostmodelError(nearest(self.space, self.ledgers) + said)
        return found


def nearest(space: DesignSpace, ledgers: Mapping[Network, bytes]) -> str:
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
            result = tasks.run(Job(case, chunk, ledgers[case.network], kept, {}, space.level))
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
    reasons = [reason for case in lacking.values() if (reason := misfit(case, ledgers[case.network]))]
    return f"{text}. {reasons[0]}" if reasons else text


def misfit(case: Case, ledger: bytes) -> str:
    """Why no design of a case fits its device, with the nearest; empty where that is not the reason."""
    from costmodel.explore.evaluators import Foldings, Settings, evaluator
    from costmodel.explore.folding import best, limits
    from costmodel.targets import estimate

    pricing = evaluator(case, ledger)
    if isinstance(pricing, Foldings):
        try:
            best(pricing.space, limits(pricing.space, 1.0))
        except CostmodelError as error:
            return str(error)
    elif isinstance(pricing, Settings):
        return "; ".join(estimate(pricing.ledger, case.entry.spec, **pricing.settings[0]).misfit)
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
